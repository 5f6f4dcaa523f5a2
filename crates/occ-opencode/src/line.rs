//! Lines of opencode: major versions whose interfaces have nothing in common.

use std::fmt;

/// A line of the opencode server that this crate can speak to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ServerLine {
    /// 1.x, measured with 1.18.
    V1,
}

/// A version of a line that is not spoken here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("opencode {version:?} is of a line that is not known here; 1.x is")]
pub struct UnknownLine {
    /// The version as the server reports it.
    pub version: String,
}

impl ServerLine {
    /// Tells the line of a version such as `1.18.33`.
    ///
    /// # Errors
    /// [`UnknownLine`] where the text is no version, or the major version is another.
    pub fn of(version: &str) -> Result<Self, UnknownLine> {
        let unknown = || UnknownLine { version: version.to_owned() };
        let (major, rest) = version.split_once('.').ok_or_else(unknown)?;
        let is_version = rest.chars().all(|c| c.is_ascii_alphanumeric() || "-+.".contains(c))
            && rest.starts_with(|c: char| c.is_ascii_digit());
        match major {
            "1" if is_version => Ok(Self::V1),
            _ => Err(unknown()),
        }
    }
}

impl fmt::Display for ServerLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V1 => f.write_str("1.x"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_major_version_is_spoken() {
        for version in ["1.18.33", "1.0.0", "1.19.0-rc.1+build"] {
            assert_eq!(ServerLine::of(version), Ok(ServerLine::V1), "{version}");
        }
    }

    #[test]
    fn another_major_version_or_no_version_is_refused_by_name() {
        for version in ["2.0.14", "0.9.1", "11.0.0", "1", "1.", "", "1.x y", "local"] {
            let refusal = ServerLine::of(version).expect_err(version);
            assert_eq!(refusal.version, version);
            assert!(refusal.to_string().contains(&format!("{version:?}")), "{refusal}");
        }
    }
}
