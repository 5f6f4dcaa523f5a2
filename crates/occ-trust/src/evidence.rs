//! What was found with an image, as it came: nothing of it is believed yet.

use std::fmt;

use bytes::Bytes;
use occ_oci::{Annotations, Digest, Host, ManifestDigest};
use serde::Serialize;

use crate::verdict::Reason;

/// Most things that are looked at.
pub const MOST_ENTRIES: usize = 100;
/// Largest one, in bytes.
pub const LARGEST_ENTRY: usize = 1024 * 1024;
/// Most bytes of all together.
pub const LARGEST_EVIDENCE: usize = 10 * 1024 * 1024;

/// A way in which a registry says what belongs to an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Channel {
    /// The API for referrers.
    ReferrersApi,
    /// The tag that lists them.
    ReferrersTag,
    /// The tag `….sig`.
    LegacySignatures,
    /// The tag `….att`.
    LegacyAttestations,
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ReferrersApi => "referrers API",
            Self::ReferrersTag => "referrers tag",
            Self::LegacySignatures => ".sig tag",
            Self::LegacyAttestations => ".att tag",
        })
    }
}

/// What a channel answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum Answer {
    /// There is nothing, definitely.
    Nothing,
    /// There are so many things.
    Listed {
        /// How many.
        count: usize,
    },
    /// It could not be found out.
    Failed {
        /// Why.
        why: String,
    },
}

/// A channel of a registry and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Asking {
    /// Which registry.
    pub registry: String,
    /// Which way.
    pub channel: Channel,
    /// What it said.
    #[serde(flatten)]
    pub answer: Answer,
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it was read.
    pub registry: Host,
    /// How it was found.
    pub channel: Channel,
    /// Digest of what is listed.
    pub digest: Digest,
    /// What it is.
    pub content: Content,
}

/// What something is, by its media type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A Sigstore bundle.
    Bundle(Bytes),
    /// A document that is signed by an annotation beside it (cosign's first form).
    SimpleSigning(Bytes, Annotations),
    /// An envelope, certified by annotations beside it (cosign's first form).
    Envelope(Bytes, Annotations),
    /// Something else.
    Other(String),
    /// It is there and cannot be a signature.
    Refused(Reason),
    /// It could not be read.
    Unfetched(String),
}

/// Everything that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// With what.
    pub subject: ManifestDigest,
    /// Who was asked, and what came.
    pub asked: Vec<Asking>,
    /// What was found, each digest once.
    pub entries: Vec<Entry>,
    /// Digests that one registry lists and another does not, though it answered.
    pub differing: Vec<(Host, Digest)>,
    /// How many things were not looked at, because there are too many.
    pub left: usize,
}

impl Evidence {
    /// Nothing, and nobody was asked.
    pub fn none(subject: ManifestDigest) -> Self {
        let (asked, entries, differing) = (Vec::new(), Vec::new(), Vec::new());
        Self { subject, asked, entries, differing, left: 0 }
    }
}
