//! Where and with what an image is built.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread;

/// Places and programs; the environment of the programs is this process's own, so that proxies and
/// certificates of a company reach them.
#[derive(Debug, Clone)]
pub struct Workshop {
    /// Folder that keeps layers from one build to the next; it is created. Half-made files are here too, so
    /// it needs room for about one gigabyte.
    pub cache_dir: PathBuf,
    /// Folder in which mmdebstrap unpacks a Debian, about two gigabytes; it must not be mounted `nodev` or
    /// `noexec` for root, and every user must be able to reach it when the build does not run as root.
    pub temp_dir: PathBuf,
    /// Names or paths of programs.
    pub programs: Programs,
    /// Variables that programs find beside those of this process, as name and value.
    pub environment: Vec<(String, String)>,
    /// How much is done side by side; it changes no byte.
    pub jobs: NonZeroUsize,
}

impl Workshop {
    /// Returns a workshop in these folders with the ordinary programs, which works on as many things at once
    /// as the machine has processors.
    pub fn new(cache_dir: PathBuf, temp_dir: PathBuf) -> Self {
        let jobs = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self { cache_dir, temp_dir, programs: Programs::default(), environment: Vec::new(), jobs }
    }
}

/// Names or paths of the programs that do part of the work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Programs {
    /// Makes the Debian base.
    pub mmdebstrap: PathBuf,
    /// Fetches packages of npm.
    pub npm: PathBuf,
    /// Fetches packages of PyPI, as its module `pip`.
    pub python: PathBuf,
    /// Fetches crates.
    pub cargo: PathBuf,
    /// Fetches files from addresses.
    pub curl: PathBuf,
    /// Says where Debian comes from.
    pub apt_get: PathBuf,
    /// Says how to get there.
    pub apt_config: PathBuf,
    /// Says whether programs of another architecture run here.
    pub arch_test: PathBuf,
    /// Debian's archive keys; they are named to apt if the file exists.
    pub keyring: PathBuf,
}

impl Default for Programs {
    fn default() -> Self {
        Self {
            mmdebstrap: "mmdebstrap".into(),
            npm: "npm".into(),
            python: "python3".into(),
            cargo: "cargo".into(),
            curl: "curl".into(),
            apt_get: "apt-get".into(),
            apt_config: "apt-config".into(),
            arch_test: "arch-test".into(),
            keyring: "/usr/share/keyrings/debian-archive-keyring.gpg".into(),
        }
    }
}
