//! What a release is called: `vX.Y.Z`, and a letter behind it for one more build of the same opencode.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Version of a release: that of opencode in it, and which build of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// First number of opencode's version.
    pub major: u64,
    /// Second number.
    pub minor: u64,
    /// Third number.
    pub patch: u64,
    /// The letter, as its byte; 0 for the first build of a version.
    build: u8,
}

/// Why a text is no version of a release.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no version of a release: vX.Y.Z, with a letter from b on for a further build")]
pub struct ParseVersionError {
    /// The text.
    pub text: String,
}

impl Version {
    /// Returns the first build of a version of opencode.
    ///
    /// # Errors
    /// [`ParseVersionError`]; versions before a release are not released (`1.2.3-rc.1`).
    pub fn first(opencode: &str) -> Result<Self, ParseVersionError> {
        let wrong = || ParseVersionError { text: opencode.to_owned() };
        let version = semver::Version::parse(opencode).map_err(|_| wrong())?;
        if !version.pre.is_empty() || !version.build.is_empty() {
            return Err(wrong());
        }
        Ok(Self { major: version.major, minor: version.minor, patch: version.patch, build: 0 })
    }

    /// Returns the next build of the same opencode; none after `z`.
    pub fn next(self) -> Option<Self> {
        let build = match self.build {
            0 => b'b',
            b'z' => return None,
            letter => letter + 1,
        };
        Some(Self { build, ..self })
    }

    /// Returns the version of opencode in it.
    pub fn opencode(&self) -> String {
        format!("{}.{}.{}", self.major, self.minor, self.patch)
    }

    /// Returns the version without its `v`.
    pub fn bare(&self) -> String {
        let letter = (self.build != 0).then_some(char::from(self.build));
        self.opencode() + &letter.map(String::from).unwrap_or_default()
    }
}

impl FromStr for Version {
    type Err = ParseVersionError;

    fn from_str(text: &str) -> Result<Self, ParseVersionError> {
        let wrong = || ParseVersionError { text: text.to_owned() };
        let bare = text.strip_prefix('v').ok_or_else(wrong)?;
        let (numbers, build) = match bare.strip_suffix(|c: char| c.is_ascii_lowercase()) {
            Some(numbers) => (numbers, bare.as_bytes()[numbers.len()]),
            None => (bare, 0),
        };
        // The first build has none, so that `a` would be a second name of it.
        if build == b'a' {
            return Err(wrong());
        }
        Ok(Self { build, ..Self::first(numbers).map_err(|_| wrong())? })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("v{}", self.bare()))
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        text.parse().expect("a version")
    }

    #[test]
    fn a_version_is_that_of_opencode_with_a_letter_from_b_on() {
        for text in ["v1.14.44", "v1.14.44b", "v0.0.1z"] {
            assert_eq!(version(text).to_string(), text);
        }
        assert_eq!(version("v1.14.44b").opencode(), "1.14.44");
        assert_eq!(version("v1.14.44b").bare(), "1.14.44b");
        for text in [
            "1.14.44",
            "v1.14",
            "v1.14.44a",
            "v1.14.44bb",
            "v1.14.44-rc.1",
            "v1.14.44B",
            "v01.1.1",
            "",
        ] {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_further_build_comes_after_the_first_and_before_the_next_opencode() {
        let first = version("v1.14.44");
        let second = first.next().expect("there are letters");
        assert_eq!(second.to_string(), "v1.14.44b");
        assert_eq!(second.next().expect("more").to_string(), "v1.14.44c");
        assert!(first < second && second < version("v1.14.45"));
        assert_eq!(version("v1.14.44z").next(), None);
    }
}
