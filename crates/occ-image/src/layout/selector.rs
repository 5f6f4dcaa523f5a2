//! Which image of a layout is meant.

use std::fmt;
use std::str::FromStr;

use occ_oci::{Digest, Platform};

/// Which image of a layout is meant: `NAME`, `sha256:…`, and either of them with `@PLATFORM`.
///
/// ```
/// # use occ_image::Selector;
/// let selector: Selector = "base@linux/arm64".parse().unwrap();
/// assert_eq!(selector.to_string(), "base@linux/arm64");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    /// Which entry.
    pub entry: EntryName,
    /// Which of its images; none if that goes without saying.
    pub platform: Option<Platform>,
}

/// Which entry of a layout is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryName {
    /// The one with this name, such as a variant.
    Name(String),
    /// The index or manifest with this digest.
    Digest(Digest),
}

/// The text selects no image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} selects no image: NAME, NAME@linux/ARCHITECTURE and sha256:DIGITS do")]
pub struct ParseSelectorError(pub String);

impl FromStr for Selector {
    type Err = ParseSelectorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseSelectorError(text.to_owned());
        let (entry, platform) = match text.rsplit_once('@') {
            None => (text, None),
            Some((entry, platform)) => {
                let named = |known: &Platform| known.architecture() == platform;
                let short = Platform::ALL.into_iter().find(named);
                let platform = short.map_or_else(|| platform.parse(), Ok).map_err(|_| wrong())?;
                (entry, Some(platform))
            }
        };
        let entry = match entry.parse() {
            Ok(digest) => EntryName::Digest(digest),
            Err(_) if is_name(entry) => EntryName::Name(entry.to_owned()),
            Err(_) => return Err(wrong()),
        };
        Ok(Self { entry, platform })
    }
}

/// SPEC: annotations, "org.opencontainers.image.ref.name": letters and digits, single separators between.
fn is_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric();
    text.starts_with(plain)
        && text.ends_with(plain)
        && text.chars().all(|c| plain(c) || "-._:@/+".contains(c))
}

impl fmt::Display for EntryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Digest(digest) => fmt::Display::fmt(digest, f),
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.entry, f)?;
        self.platform.map_or(Ok(()), |platform| write!(f, "@{platform}"))
    }
}
