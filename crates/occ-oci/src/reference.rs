//! Names of images: tagged ones that may move, pinned ones that cannot.

use std::fmt;
use std::str::FromStr;

use crate::digest::{ManifestDigest, ParseDigestError};
use crate::name::{ParseNameError, Repository, Tag};

/// A name that may move: a question we ask a registry, never something we run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tagged {
    /// Where.
    pub repository: Repository,
    /// Which.
    pub tag: Tag,
}

/// A name that cannot move: what is run, signed, shipped or remembered.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pinned {
    /// Where.
    pub repository: Repository,
    /// Which, for good.
    pub digest: ManifestDigest,
}

/// Either of the two.
///
/// ```
/// use occ_oci::Reference;
/// let reference: Reference = "debian".parse().unwrap();
/// assert_eq!(reference.to_string(), "docker.io/library/debian:latest");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reference {
    /// It may move.
    Tagged(Tagged),
    /// It cannot.
    Pinned(Pinned),
}

impl Reference {
    /// Returns the repository of either.
    pub fn repository(&self) -> &Repository {
        match self {
            Self::Tagged(tagged) => &tagged.repository,
            Self::Pinned(pinned) => &pinned.repository,
        }
    }
}

/// Why a text is not a reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseReferenceError {
    /// The host, repository or tag is wrong.
    #[error(transparent)]
    Name(#[from] ParseNameError),
    /// What follows the `@` is wrong.
    #[error(transparent)]
    Digest(#[from] ParseDigestError),
    /// A pinned name was needed.
    #[error("{0} may move: a name with a digest is needed")]
    NotPinned(Tagged),
    /// A tagged name was needed.
    #[error("{0} is pinned: a name with a tag is needed")]
    NotTagged(Pinned),
}

impl FromStr for Reference {
    type Err = ParseReferenceError;

    /// Reads `[HOST/]PATH[:TAG][@DIGEST]`. Where a digest follows a tag the digest decides and the tag
    /// is dropped, as engines do when they pull.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest.parse()?)),
            None => (text, None),
        };
        // A colon before the last slash belongs to the host's port.
        let tag_at = name.rfind(':').filter(|colon| !name[*colon..].contains('/'));
        let (repository, tag) = match tag_at {
            Some(colon) => (name[..colon].parse()?, name[colon + 1..].parse()?),
            None => (name.parse()?, Tag::latest()),
        };
        Ok(match digest {
            Some(digest) => Self::Pinned(Pinned { repository, digest }),
            None => Self::Tagged(Tagged { repository, tag }),
        })
    }
}

impl FromStr for Tagged {
    type Err = ParseReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse()? {
            Reference::Tagged(tagged) => Ok(tagged),
            Reference::Pinned(pinned) => Err(ParseReferenceError::NotTagged(pinned)),
        }
    }
}

impl FromStr for Pinned {
    type Err = ParseReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse()? {
            Reference::Pinned(pinned) => Ok(pinned),
            Reference::Tagged(tagged) => Err(ParseReferenceError::NotPinned(tagged)),
        }
    }
}

impl fmt::Display for Tagged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.repository, self.tag)
    }
}

impl fmt::Display for Pinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.repository, self.digest)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tagged(tagged) => fmt::Display::fmt(tagged, f),
            Self::Pinned(pinned) => fmt::Display::fmt(pinned, f),
        }
    }
}
