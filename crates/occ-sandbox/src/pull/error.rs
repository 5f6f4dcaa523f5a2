//! Why an image did not arrive.

use std::io;
use std::path::{Path, PathBuf};

use occ_engine::ImageId;
use occ_oci::{Digest, Platform, VerifyingError};
use occ_registry::{Exhausted, ResolveError};

use occ_trust::{Admission, NotListed};

use super::found::ParseWantedError;
use crate::foreign::ForeignImage;

/// Why an image did not arrive.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// The names are none of one image.
    #[error(transparent)]
    Wanted(#[from] ParseWantedError),
    /// The settings for registries are wrong.
    #[error("registries cannot be asked")]
    Settings(#[source] occ_registry::Cause),
    /// No registry said what the tag stands for, or they say different things.
    #[error(transparent)]
    Resolve(Box<ResolveError>),
    /// No registry gave something that was asked for by its digest.
    #[error(transparent)]
    Exhausted(#[from] Exhausted),
    /// A name cannot be asked for.
    #[error(transparent)]
    Registry(#[from] occ_registry::Error),
    /// There is no image for the engine's platform.
    #[error("{name} is not for {platform}; it is for {}", listed(there))]
    Platform {
        /// What was asked for.
        name: String,
        /// The engine's platform.
        platform: String,
        /// What there is.
        there: Vec<String>,
    },
    /// There are two images for the platform, and nothing says which is meant.
    #[error("{name} lists two images for {platform}")]
    TwoImages {
        /// What was asked for.
        name: String,
        /// The platform.
        platform: Platform,
    },
    /// The engine runs what there are no images for.
    #[error("there are no images for an engine of {0}")]
    Engineless(String),
    /// It may not be run, for who signed it or did not.
    #[error("{0}")]
    Refused(Box<Admission>),
    /// The platform's manifest is none of what was verified.
    #[error(transparent)]
    NotListed(#[from] NotListed),
    /// What was seen signed cannot be written down.
    #[error("what was seen signed cannot be written down: {}", path.display())]
    Memory {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Manifest and configuration do not make an image.
    #[error("{digest} is no image that can be loaded: {problem}")]
    NoImage {
        /// The manifest or the configuration.
        digest: Digest,
        /// What is wrong.
        problem: String,
    },
    /// The image is not one of ours.
    #[error(transparent)]
    Foreign(#[from] ForeignImage),
    /// A layer does not unpack to what the configuration says.
    #[error("the layer {digest} is not what the image says")]
    Layer {
        /// The layer's blob.
        digest: Digest,
        /// What is wrong.
        #[source]
        source: LayerProblem,
    },
    /// A file on the way could not be used.
    #[error("cannot use {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The engine failed.
    #[error("could not {step}")]
    Engine {
        /// What was being done.
        step: String,
        /// What the engine said.
        #[source]
        source: occ_engine::Error,
    },
    /// The engine has another image than the one that was loaded.
    #[error("the engine has {} in place of the image {expected}", found.as_ref().map_or("nothing", |id| &id.0))]
    OtherImage {
        /// The image that was meant.
        expected: ImageId,
        /// What the engine has.
        found: Option<ImageId>,
    },
}

/// What is wrong with a layer.
#[derive(Debug, thiserror::Error)]
pub enum LayerProblem {
    /// It cannot be unpacked.
    #[error("it cannot be unpacked")]
    Damaged(#[source] io::Error),
    /// It is another one.
    #[error(transparent)]
    Other(#[from] VerifyingError),
    /// It grows beyond any use.
    #[error("it unpacks to more than {0} times its size")]
    Bomb(u64),
}

impl PullError {
    pub(super) fn engine(step: &'static str) -> impl FnOnce(occ_engine::Error) -> Self {
        move |source| Self::Engine { step: step.to_owned(), source }
    }

    pub(super) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }

    /// Returns whether it is an alarm: something that no other registry and no second try makes good.
    pub fn is_alarm(&self) -> bool {
        match self {
            Self::Resolve(error) => matches!(**error, ResolveError::Disagreement { .. }),
            Self::OtherImage { .. }
            | Self::Refused(_)
            | Self::NotListed(_)
            | Self::Memory { .. } => true,
            _ => false,
        }
    }
}

impl From<ResolveError> for PullError {
    fn from(error: ResolveError) -> Self {
        Self::Resolve(Box::new(error))
    }
}

fn listed(there: &[String]) -> String {
    if there.is_empty() { "nothing".to_owned() } else { there.join(", ") }
}
