//! Where and with what an image is built.

use std::path::PathBuf;

/// Places and programs; the environment of the programs is this process's own, so that proxies and
/// certificates of a company reach them.
#[derive(Debug, Clone)]
pub struct Workshop {
    /// Folder that keeps layers from one build to the next; it is created. Half-made files are here too, so
    /// it needs room for about one gigabyte.
    pub cache_dir: PathBuf,
    /// Folder in which mmdebstrap unpacks a Debian, about 500 MB; it must not be mounted `nodev` or
    /// `noexec` for root, and every user must be able to reach it when the build does not run as root.
    pub temp_dir: PathBuf,
    /// Names or paths of programs.
    pub programs: Programs,
}

/// Names or paths of the programs that do part of the work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Programs {
    /// Makes the Debian base.
    pub mmdebstrap: PathBuf,
    /// Fetches the package with opencode.
    pub npm: PathBuf,
    /// Says where Debian comes from.
    pub apt_get: PathBuf,
    /// Says how to get there.
    pub apt_config: PathBuf,
    /// Debian's archive keys; they are named to apt if the file exists.
    pub keyring: PathBuf,
}

impl Default for Programs {
    fn default() -> Self {
        Self {
            mmdebstrap: "mmdebstrap".into(),
            npm: "npm".into(),
            apt_get: "apt-get".into(),
            apt_config: "apt-config".into(),
            keyring: "/usr/share/keyrings/debian-archive-keyring.gpg".into(),
        }
    }
}
