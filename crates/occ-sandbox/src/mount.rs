//! A folder of the host that the sandbox sees: how it is written down, and where it may go.

use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

use occ_image::guest;
use serde::Serialize;

use crate::spec::Owner;

/// Whether the sandbox may write to a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Access {
    /// It may.
    #[serde(rename = "rw")]
    ReadWrite,
    /// It may not.
    #[serde(rename = "ro")]
    ReadOnly,
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::ReadOnly { "ro" } else { "rw" })
    }
}

/// A mount as a person writes it: `HOST[:CONTAINER][:ro|rw]`. Whether there is such a folder is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountWish {
    /// The folder of the host, absolute.
    pub source: PathBuf,
    /// Where it is inside, absolute, without `..` and a `/` at its end.
    pub target: String,
    /// Whether it can be written to.
    pub access: Access,
}

/// A folder of the host as it is, links followed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FolderMount {
    /// The folder.
    pub source: PathBuf,
    /// Where it is inside.
    pub target: String,
    /// Whether it can be written to.
    pub access: Access,
    /// Whose it is.
    pub owner: Owner,
}

impl fmt::Display for FolderMount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.source.display(), self.target, self.access)
    }
}

/// Why a mount cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MountError {
    /// The host's side is no absolute path.
    #[error("Mount paths must be absolute. Use: /full/path/to/dir")]
    NotAbsolute {
        /// What was written.
        path: PathBuf,
    },
    /// It has another form.
    #[error("a mount is written HOST:CONTAINER[:ro|rw], not {0:?}")]
    Form(String),
    /// The container's side is no plain absolute path.
    #[error("the place inside must be an absolute path without \"..\": {0}")]
    Target(String),
    /// The place inside is the sandbox's own.
    #[error("this place inside belongs to the sandbox itself: {0}")]
    Reserved(String),
    /// Two folders at one place.
    #[error("two folders cannot be at one place inside: {0}")]
    Taken(String),
    /// With that folder the sandbox would have the machine.
    #[error("this folder would give the sandbox the whole machine: {}", .0.display())]
    Machine(PathBuf),
}

impl FromStr for MountWish {
    type Err = MountError;

    fn from_str(text: &str) -> Result<Self, MountError> {
        let form = || MountError::Form(text.to_owned());
        let parts: Vec<&str> = text.split(':').collect();
        let (source, target, access) = match parts[..] {
            [source] | [source, "rw"] => (source, None, Access::ReadWrite),
            [source, "ro"] => (source, None, Access::ReadOnly),
            [source, target] | [source, target, "rw"] => (source, Some(target), Access::ReadWrite),
            [source, target, "ro"] => (source, Some(target), Access::ReadOnly),
            _ => return Err(form()),
        };
        if source.is_empty() || source.chars().any(char::is_control) {
            return Err(form());
        }
        let source = PathBuf::from(source);
        if !source.is_absolute() {
            return Err(MountError::NotAbsolute { path: source });
        }
        let target = match target {
            Some(target) => plain_target(target)?,
            None => default_target(&source).ok_or_else(form)?,
        };
        Ok(Self { source, target, access })
    }
}

impl fmt::Display for MountWish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.source.display(), self.target, self.access)
    }
}

/// Returns the folder's place in the workspace, by its own name.
fn default_target(source: &Path) -> Option<String> {
    let name = source.file_name()?.to_str()?;
    Some(format!("{}/{name}", guest::WORKSPACE))
}

/// Folders inside that are no place for a mount, and everything in them.
const CLOSED: [&str; 7] = [
    "/dev",
    "/etc/opencode",
    "/etc/opencode-cloud",
    "/proc",
    guest::PROGRAMS,
    guest::RUNTIME_FOLDER,
    "/sys",
];

fn plain_target(text: &str) -> Result<String, MountError> {
    let wrong = || MountError::Target(text.to_owned());
    if text.chars().any(char::is_control) {
        return Err(wrong());
    }
    let mut plain = String::new();
    let mut parts = Path::new(text).components();
    if parts.next() != Some(Component::RootDir) {
        return Err(wrong());
    }
    for part in parts {
        let Component::Normal(name) = part else { return Err(wrong()) };
        plain.push('/');
        plain.push_str(&name.to_string_lossy());
    }
    let path = Path::new(&plain);
    let closed = CLOSED.iter().any(|closed| path.starts_with(closed));
    // On top of a place of ours, or of the way there: what is below would be hidden.
    let ours = guest::PLACES.iter().map(|place| place.path);
    let hides =
        ours.chain(CLOSED).chain([guest::OPENCODE]).any(|ours| Path::new(ours).starts_with(path));
    if plain.is_empty() || closed || hides {
        return Err(MountError::Reserved(text.to_owned()));
    }
    Ok(plain)
}

/// Folders inside whose contents the system needs.
const SYSTEM: [&str; 5] = ["/etc", "/usr", "/bin", "/sbin", "/lib"];

/// Returns the system's folder in which a place inside is, if it is in one.
pub fn system_folder(target: &str) -> Option<&'static str> {
    let target = Path::new(target);
    SYSTEM.into_iter().chain(["/var"]).find(|folder| target.starts_with(folder))
}

/// Folders of the host through which its processes, devices or its engine are reached.
const MACHINE: [&str; 7] =
    ["/boot", "/dev", "/proc", "/run", "/sys", "/var/lib/containers", "/var/lib/docker"];

/// Checks a folder of the host, links followed.
///
/// # Errors
/// When the sandbox would have the whole machine with it.
pub fn check_source(path: &Path) -> Result<(), MountError> {
    // Where desktops mount removable disks.
    let disk = path.starts_with("/run/media") && path != Path::new("/run/media");
    let inside = MACHINE.iter().any(|folder| path.starts_with(folder)) && !disk;
    let around = MACHINE.iter().any(|folder| Path::new(folder).starts_with(path));
    if inside || around { Err(MountError::Machine(path.to_owned())) } else { Ok(()) }
}

/// Checks that no two mounts are at one place.
///
/// # Errors
/// The first place that two want.
pub fn check_places(mounts: &[MountWish]) -> Result<(), MountError> {
    for (index, mount) in mounts.iter().enumerate() {
        if mounts[..index].iter().any(|other| other.target == mount.target) {
            return Err(MountError::Taken(mount.target.clone()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<MountWish, MountError> {
        text.parse()
    }

    #[test]
    fn pm_001_a_mount_is_written_with_a_place_inside_and_an_access_or_without() {
        for (text, full) in [
            ("/src:/data", "/src:/data:rw"),
            ("/src:/data:rw", "/src:/data:rw"),
            ("/src:/data/:ro", "/src:/data:ro"),
            ("/src:/data//x/./y", "/src:/data/x/y:rw"),
            ("/a/project", "/a/project:/home/opencode/workspace/project:rw"),
            ("/a/project:ro", "/a/project:/home/opencode/workspace/project:ro"),
            ("/a/b c/:rw", "/a/b c/:/home/opencode/workspace/b c:rw"),
        ] {
            assert_eq!(parse(text).expect(text).to_string(), full);
        }
    }

    #[test]
    fn pm_002_a_relative_path_is_refused_with_the_agreed_words() {
        for text in ["project", "./project:/data", "~/project:/data"] {
            let error = parse(text).expect_err(text).to_string();
            assert_eq!(error, "Mount paths must be absolute. Use: /full/path/to/dir");
        }
        assert!(matches!(parse("/src:data"), Err(MountError::Target(_))));
    }

    #[test]
    fn what_is_no_mount_is_refused() {
        for text in ["", ":/x", "/a:/b:/c", "/a:/b:rx", "/a:/b:ro:ro", "/", "/a\n:/b"] {
            assert!(matches!(parse(text), Err(MountError::Form(_))), "{text:?}: {:?}", parse(text));
        }
        for target in ["/a/../etc", "", "x"] {
            let error = parse(&format!("/a:{target}")).expect_err(target);
            assert!(matches!(error, MountError::Target(_)), "{target:?}: {error:?}");
        }
    }

    #[test]
    fn no_mount_hides_what_the_sandbox_needs() {
        let ours = guest::PLACES.map(|place| place.path);
        let more = [
            "/",
            "/home",
            guest::HOME,
            "/run",
            "/run/opencode-cloud/x",
            "/proc/1",
            "/usr",
            "/usr/bin",
        ];
        for target in ours.into_iter().chain(more) {
            let parsed = parse(&format!("/a:{target}"));
            assert!(matches!(parsed, Err(MountError::Reserved(_))), "{target}: {parsed:?}");
        }
        for target in
            ["/data", "/home/opencode/workspace/x", "/home/opencode/.config/opencode/agent"]
        {
            assert!(parse(&format!("/a:{target}")).is_ok(), "{target}");
        }
    }

    #[test]
    fn pm_003_a_place_in_a_folder_of_the_system_is_known() {
        let cases = [
            ("/etc/x", Some("/etc")),
            ("/var/lib/x", Some("/var")),
            ("/usrx", None),
            ("/data", None),
        ];
        for (target, folder) in cases {
            assert_eq!(system_folder(target), folder, "{target}");
        }
    }

    #[test]
    fn a_folder_that_reaches_the_machine_is_refused() {
        for path in
            ["/", "/run", "/run/user/1000", "/proc/1", "/var", "/var/lib", "/dev/shm", "/sys"]
        {
            assert!(check_source(Path::new(path)).is_err(), "{path}");
        }
        for path in [
            "/home",
            "/home/ann/x",
            "/srv",
            "/tmp/x",
            "/run/media/ann/disk",
            "/var/www",
            "/running",
        ] {
            assert!(check_source(Path::new(path)).is_ok(), "{path}");
        }
    }

    #[test]
    fn two_folders_at_one_place_are_refused_and_one_folder_at_two_places_is_not() {
        let wishes = |texts: [&str; 2]| texts.map(|text| parse(text).expect(text));
        let taken = check_places(&wishes(["/a:/data", "/b:/data/"]));
        assert_eq!(taken, Err(MountError::Taken("/data".to_owned())));
        assert_eq!(check_places(&wishes(["/a:/x", "/a:/y"])), Ok(()));
    }

    proptest! {
        /// What is written down is read back as the same.
        #[test]
        fn a_mount_survives_being_written_down(
            source in "/[a-z .]{1,8}(/[a-z]{1,4}){0,2}", target in "(/[a-z]{3,6}){1,3}", read_only: bool,
        ) {
            let access = if read_only { "ro" } else { "rw" };
            if let Ok(wish) = parse(&format!("{source}:{target}:{access}")) {
                prop_assert_eq!(parse(&wish.to_string()), Ok(wish));
            }
        }

        #[test]
        fn no_text_makes_a_place_inside_that_climbs_or_is_ours(text in "[/.:a-z]{0,24}") {
            if let Ok(wish) = parse(&text) {
                prop_assert!(wish.target.starts_with('/') && !wish.target.ends_with('/'));
                prop_assert!(!wish.target.split('/').any(|part| part == ".."));
                prop_assert!(!guest::PLACES.iter().any(|place| place.path == wish.target));
            }
        }
    }
}
