//! The name of one sandbox, from which every other name derives.

use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::str::FromStr;

use occ_image::guest;
use sha2::{Digest as _, Sha256};

/// A validated instance name.
///
/// The first instance is called `default` and its resources carry the plain base name; every other
/// instance adds `-NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Instance(String);

/// Why a text is no instance name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// It is empty or longer than 32 characters.
    #[error("an instance name has 1 to 32 characters")]
    Length,
    /// It has a character other than `a-z`, `0-9` and `-`, or starts or ends with `-`.
    #[error("an instance name has only a-z, 0-9 and -, and starts and ends with a letter or digit")]
    Character,
    /// It would collide with names derived from another instance, or has a meaning of its own.
    #[error("{0:?} is taken: other names are made from it")]
    Reserved(String),
}

/// Longest name.
const MOST: usize = 32;

/// The word that asks for the instance of a folder; it names none.
pub const AUTO: &str = "auto";

/// Suffixes of names derived from an instance; an instance named like one would collide with the
/// first instance's resources.
const RESERVED: [&str; 6] = ["data", "state", "config", "cache", "workspace", "probe"];

impl Instance {
    /// Returns the first instance.
    pub fn first() -> Self {
        Self("default".to_owned())
    }

    /// Returns the instance of a folder, whose path must be absolute and without links.
    ///
    /// Its own name makes it readable; eight digits of the whole path's hash keep it apart from folders of
    /// the same name elsewhere.
    pub fn of_folder(folder: &Path) -> Self {
        let hash = Sha256::digest(folder.as_os_str().as_bytes());
        let hash: String = hash.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        let name = folder.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let name: String = name.chars().map(plain).collect();
        let words: Vec<&str> = name.split('-').filter(|word| !word.is_empty()).collect();
        let mut name = words.join("-");
        name.truncate(MOST - hash.len() - 1);
        let name = name.trim_end_matches('-');
        Self(if name.is_empty() { format!("w-{hash}") } else { format!("{name}-{hash}") })
    }

    /// Returns whether this is the first instance.
    pub fn is_first(&self) -> bool {
        self.0 == "default"
    }

    /// Returns the name as typed.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// Returns the container's name.
    pub fn container(&self) -> String {
        if self.is_first() { guest::NAME.to_owned() } else { format!("{}-{}", guest::NAME, self.0) }
    }

    /// Returns the name of the short-lived container that proves a mount.
    pub fn probe(&self) -> String {
        format!("{}-probe", self.container())
    }

    /// Returns the name of the volume for one of the guest's persistent places.
    pub fn volume(&self, place: &str) -> String {
        format!("{}-{place}", self.container())
    }

    /// Returns the name of the short-lived container that copies volumes.
    ///
    /// Names made for a change have a dot, which no instance's name has.
    pub fn copier(&self) -> String {
        format!("{}.copy", self.container())
    }

    /// Returns the name of the container through which volumes are read and filled.
    pub fn beside(&self) -> String {
        format!("{}.volumes", self.container())
    }

    /// Returns the name of the container that takes the sandbox's place, until it does.
    pub fn next(&self) -> String {
        format!("{}.next", self.container())
    }

    /// Returns the name of the container that tries an image beside the sandbox.
    pub fn trial(&self) -> String {
        format!("{}.trial", self.container())
    }
}

impl FromStr for Instance {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        if text.is_empty() || text.len() > MOST {
            return Err(ParseError::Length);
        }
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        if !text.chars().all(|c| plain(c) || c == '-')
            || !text.starts_with(plain)
            || !text.ends_with(plain)
        {
            return Err(ParseError::Character);
        }
        let tail = text.rsplit('-').next().unwrap_or(text);
        if RESERVED.contains(&tail) || text == AUTO {
            return Err(ParseError::Reserved(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_instance_has_the_plain_names() {
        assert_eq!(Instance::first().container(), "opencode-cloud-sandbox");
        assert_eq!(Instance::first().volume("data"), "opencode-cloud-sandbox-data");
    }

    #[test]
    fn every_other_instance_adds_its_name() {
        let instance: Instance = "blue".parse().expect("valid");
        assert_eq!(instance.container(), "opencode-cloud-sandbox-blue");
        assert_eq!(instance.volume("data"), "opencode-cloud-sandbox-blue-data");
    }

    #[test]
    fn names_that_would_collide_or_escape_are_refused() {
        for text in
            ["", "-a", "a-", "A", "a b", "../x", "ä", "data", "x-workspace", "probe", "auto"]
        {
            assert!(text.parse::<Instance>().is_err(), "{text:?} was accepted");
        }
        assert!("a".repeat(33).parse::<Instance>().is_err());
    }

    #[test]
    fn a_folder_has_one_instance_and_folders_of_one_name_have_two() {
        let of = |path: &str| Instance::of_folder(Path::new(path));
        assert_eq!(of("/home/a/My Project"), of("/home/a/My Project"));
        assert_ne!(of("/home/a/My Project"), of("/home/b/My Project"));
        assert!(of("/home/a/My Project").name().starts_with("my-project-"));
    }

    proptest::proptest! {
        #[test]
        fn whatever_a_folder_is_called_its_instance_has_a_valid_name(name in "\\PC{0,60}") {
            let instance = Instance::of_folder(Path::new(&format!("/x/{name}")));
            let again: Instance = instance.name().parse().expect("valid");
            assert_eq!(again, instance);
        }
    }
}
