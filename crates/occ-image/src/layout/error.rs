//! Ways in which a layout can be unreadable or unwritable.

use std::io;
use std::path::{Path, PathBuf};

use occ_layer::read::ReadError;
use occ_oci::{Digest, MediaType, VerifyingError};

use crate::error::BuildError;

/// Why a layout, or something in it, cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    /// The folder is no layout.
    #[error("{path} is not an OCI image layout: {reason}")]
    NotALayout {
        /// The folder.
        path: PathBuf,
        /// What it lacks.
        reason: String,
    },
    /// Nothing in it is called so.
    #[error("the layout has no {wanted}; it has {}", list(known))]
    Unknown {
        /// What was asked for.
        wanted: String,
        /// What there is.
        known: Vec<String>,
    },
    /// An entry has no image for a platform.
    #[error("{entry} is not for {platform}; it is for {}", list(known))]
    Platform {
        /// The entry.
        entry: String,
        /// What was asked for.
        platform: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A blob that something refers to is not there.
    #[error("the layout lacks the blob {digest}")]
    Missing {
        /// The blob.
        digest: Digest,
    },
    /// A blob is not what its name says.
    #[error("the blob {digest} is damaged")]
    Damaged {
        /// The blob.
        digest: Digest,
        /// Expected and got.
        #[source]
        source: VerifyingError,
    },
    /// A blob is something else than it has to be.
    #[error("{digest} is {found}, not {expected}")]
    MediaType {
        /// The blob.
        digest: Digest,
        /// What it is.
        found: MediaType,
        /// What it has to be.
        expected: &'static str,
    },
    /// A document is larger than any of its kind has to be.
    #[error("{what} has {size} bytes, and no more than {limit} are read")]
    TooLarge {
        /// The document.
        what: String,
        /// Its size.
        size: u64,
        /// The largest one that is read.
        limit: u64,
    },
    /// A document is not what the specification says.
    #[error("cannot understand {what}")]
    Document {
        /// The document.
        what: String,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
    /// A layer is no archive of files, or holds what no layer can.
    #[error("cannot understand the layer {digest}")]
    Layer {
        /// Its blob.
        digest: Digest,
        /// What is wrong.
        #[source]
        source: ReadError,
    },
    /// Manifest and configuration of an image contradict each other.
    #[error("the image {digest} has {layers} layers, and {diff_ids} by its configuration")]
    Layers {
        /// The image's manifest.
        digest: Digest,
        /// Layers in the manifest.
        layers: usize,
        /// Layers in the configuration.
        diff_ids: usize,
    },
    /// Two images would have one place.
    #[error("there are two images of {variant} for {platform}")]
    Twice {
        /// The variant.
        variant: String,
        /// The platform.
        platform: String,
    },
    /// It was asked to stop.
    #[error("reading or writing images was interrupted")]
    Cancelled,
    /// There is no room left.
    #[error("no space left on the disk of {path}")]
    StorageFull {
        /// A file or folder on the full disk.
        path: PathBuf,
    },
    /// A file could not be read or written.
    #[error("cannot use {path}")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl LayoutError {
    /// Returns a conversion of I/O errors on `path`.
    pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |error| match BuildError::at(&path)(error) {
            BuildError::Cancelled => Self::Cancelled,
            BuildError::StorageFull { path } => Self::StorageFull { path },
            BuildError::File { path, source } => Self::File { path, source },
            other => Self::File { path, source: io::Error::other(other) },
        }
    }

    /// Returns a conversion of I/O errors on a blob in the file `path`.
    pub(super) fn blob(digest: &Digest, path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let (digest, at) = (digest.clone(), Self::at(path));
        move |error| match VerifyingError::of(&error) {
            Some(source) => Self::Damaged { digest, source: source.clone() },
            None if super::is_absent(&error) => Self::Missing { digest },
            None => at(error),
        }
    }
}

fn list(known: &[String]) -> String {
    if known.is_empty() { "nothing".to_owned() } else { known.join(", ") }
}
