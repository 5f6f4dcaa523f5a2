//! Why a step of a release does not succeed.

use occ_image::BuildError;
use occ_oci::Platform;
use occ_registry::{Cause, Error, ManifestError};
use occ_trust::{NotABill, ReleaseError};

use crate::journal::JournalError;
use crate::look::BaseError;
use crate::read_back::ReadBackError;

/// Why a step does not succeed.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// The images cannot be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The base of a registry cannot be built on.
    #[error(transparent)]
    Base(#[from] BaseError),
    /// What is made now is not what was made before: something changed under the release.
    #[error("{0} is made otherwise now than when this release began")]
    Changed(String),
    /// A document is larger than registries take.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A registry.
    #[error(transparent)]
    Registry(#[from] Error),
    /// A registry does not have what it should.
    #[error(transparent)]
    ReadBack(#[from] ReadBackError),
    /// An image does not do what it must.
    #[error("{variant} for {platform} does not do what it must: {}", findings.join("; "))]
    Smoke {
        /// Variant.
        variant: String,
        /// Platform.
        platform: Platform,
        /// What does not hold.
        findings: Vec<String>,
    },
    /// Weaknesses that no release may have.
    #[error("{variant} for {platform} has weaknesses that no release may have: {}", names.join(", "))]
    Weak {
        /// Variant.
        variant: String,
        /// Platform.
        platform: Platform,
        /// Their names, and in what they are.
        names: Vec<String>,
    },
    /// An image that a policy does not approve.
    #[error("{variant} for {platform} may not be used for {environment}: {}", reasons.join("; "))]
    Prohibited {
        /// Variant.
        variant: String,
        /// Platform.
        platform: Platform,
        /// For what it may not be used.
        environment: String,
        /// Why.
        reasons: Vec<String>,
    },
    /// An image cannot be run, or nobody knows of its weaknesses.
    #[error("{what} cannot be done")]
    Port {
        /// What.
        what: String,
        /// Why.
        #[source]
        source: Cause,
    },
    /// A bill of materials is none.
    #[error(transparent)]
    Bill(#[from] NotABill),
    /// Tags cannot be given.
    #[error(transparent)]
    Tags(#[from] ReleaseError),
    /// Tags moved, and were moved back as far as that could be.
    #[error("nothing has moved: {}", if back.is_empty() { "what had moved was moved back".to_owned() } else { format!("but {} could not be moved back", back.join(", ")) })]
    Promotion {
        /// What stays moved, because it could not be moved back.
        back: Vec<String>,
        /// Why not all could be moved.
        #[source]
        source: Box<Self>,
    },
    /// A tag that moves stands for something else than when this was planned.
    #[error("{tag} at {place} was moved by somebody else since this release was planned")]
    MovedMeanwhile {
        /// The tag.
        tag: String,
        /// Where.
        place: String,
    },
    /// What is done cannot be written down.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// It was to stop.
    #[error("interrupted")]
    Interrupted,
}

impl StepError {
    /// Returns whether doing it once more can help.
    pub(crate) fn may_pass(&self) -> bool {
        !matches!(
            self,
            Self::Interrupted
                | Self::Journal(_)
                | Self::Changed(_)
                | Self::MovedMeanwhile { .. }
                | Self::Weak { .. }
                | Self::Prohibited { .. }
                | Self::Tags(ReleaseError::Immutable { .. } | ReleaseError::Raced { .. })
        )
    }
}
