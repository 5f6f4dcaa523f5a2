//! Copying an image to another place, byte for byte, with everything that refers to it.

mod send;
mod whole;

use occ_oci::{Descriptor, Digest, ManifestDigest, Tag};

use crate::client::Client;
use crate::error::{Cause, Error, Reason};
use crate::push::{Pushed, Source, StreamSource};

pub use send::send;
pub use whole::{Kind, Part, Whole};

/// Something that a copy has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A blob is at the new place.
    Blob {
        /// Its digest.
        digest: Digest,
        /// Its size in bytes.
        size: u64,
        /// How it came there.
        how: Pushed,
    },
    /// A manifest is at the new place.
    Manifest(ManifestDigest),
    /// A tag stands for the image.
    Tag(Tag),
}

/// What a copy has done.
#[derive(Debug, Default)]
pub struct Copied {
    /// Manifests of the image itself, its platforms' included.
    pub manifests: usize,
    /// Manifests that refer to one of those, or to one of these.
    pub referrers: usize,
    /// Blobs that were there.
    pub already_there: usize,
    /// Blobs that the registry took over from a repository of its own.
    pub mounted: usize,
    /// Blobs that were sent.
    pub uploaded: usize,
    /// What was listed as referring to something and does not, or is not there: why, one each.
    pub skipped: Vec<Error>,
}

/// Where the blobs of an image are, for whoever sends them on.
pub trait Shelf: Sync {
    /// One blob's bytes.
    type Blob: Source + 'static;

    /// Opens a blob.
    ///
    /// # Errors
    /// Why it cannot be opened.
    fn open(&self, blob: &Descriptor) -> Result<Self::Blob, Cause>;
}

impl Shelf for Client {
    type Blob = StreamSource;

    fn open(&self, blob: &Descriptor) -> Result<StreamSource, Cause> {
        Ok(StreamSource::new(self, self.blob(blob)))
    }
}

/// Copies a manifest, everything that it lists and needs, and everything that refers to any of it; then
/// lets the tags stand for it.
///
/// The tags come last: whatever cuts a copy off, no tag stands for half of one, and a second copy goes on.
///
/// # Errors
/// [`Error`] of either side.
pub async fn copy(
    from: &Client,
    to: &Client,
    digest: &ManifestDigest,
    tags: &[Tag],
    observer: &(dyn Fn(Event) + Send + Sync),
) -> Result<Copied, Error> {
    let root = from.manifest(digest).await?;
    let whole = from.whole(&root).await?;
    let mut copied = send(&whole, from, to, Some(from.repository()), observer).await?;
    copied.skipped = whole.skipped;
    for tag in tags {
        to.tag(&root, tag).await?;
        observer(Event::Tag(tag.clone()));
    }
    Ok(copied)
}

/// Where reading failed, returns the reader's error: it names the registry that is to blame.
fn of_source(error: Error) -> Error {
    match error.reason {
        Reason::Source(cause) => match cause.downcast::<Error>() {
            Ok(reading) => *reading,
            Err(cause) => Error { reason: Reason::Source(cause), ..error },
        },
        reason => Error { reason, ..error },
    }
}
