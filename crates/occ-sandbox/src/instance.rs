//! The name of one sandbox, from which every other name derives.

use std::fmt;
use std::str::FromStr;

use occ_image::guest;

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
    /// It would collide with names derived from another instance.
    #[error("{0:?} is taken: other names are made from it")]
    Reserved(String),
}

/// Suffixes of names derived from an instance; an instance named like one would collide with the
/// first instance's resources.
const RESERVED: [&str; 6] = ["data", "state", "config", "cache", "workspace", "probe"];

impl Instance {
    /// Returns the first instance.
    pub fn first() -> Self {
        Self("default".to_owned())
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

    /// Returns the name of the container that tries an image beside the sandbox.
    pub fn trial(&self) -> String {
        format!("{}.trial", self.container())
    }
}

impl FromStr for Instance {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        if text.is_empty() || text.len() > 32 {
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
        if RESERVED.contains(&tail) {
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
        for text in ["", "-a", "a-", "A", "a b", "../x", "ä", "data", "x-workspace", "probe"] {
            assert!(text.parse::<Instance>().is_err(), "{text:?} was accepted");
        }
        assert!("a".repeat(33).parse::<Instance>().is_err());
    }
}
