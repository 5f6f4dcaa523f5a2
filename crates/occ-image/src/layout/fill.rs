//! A layout that takes what others have made: blobs as they come, documents byte for byte.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use occ_oci::{Descriptor, Hasher, MediaType, VerifyingError};
use tempfile::NamedTempFile;

use super::change::{Change, publish};
use super::listing::Listing;
use super::store::Store;
use super::{Layout, LayoutError};
use crate::event::Observer;

/// The right to fill a layout, held until dropped. What it lists changes with [`Filling::finish`].
pub struct Filling<'a> {
    change: Change<'a>,
    listing: Listing,
}

impl Layout {
    /// Waits until nobody else changes a layout, which is made if the folder is empty or not there.
    ///
    /// # Errors
    /// [`LayoutError`].
    pub fn fill<'a>(
        folder: &Path,
        observer: Observer<'a>,
        cancel: &'a AtomicBool,
    ) -> Result<Filling<'a>, LayoutError> {
        let change = Change::begin(folder, observer, cancel)?;
        let listing = Listing::read(&change.layout)?;
        Ok(Filling { change, listing })
    }
}

impl Filling<'_> {
    /// Returns whether a blob is there and is what it should be; reading it to its end says so.
    ///
    /// # Errors
    /// [`LayoutError`].
    pub fn has(&self, blob: &Descriptor) -> Result<bool, LayoutError> {
        Store::new(&self.change).has(blob)
    }

    /// Begins to take a blob.
    ///
    /// # Errors
    /// [`LayoutError`].
    pub fn blob(&self, blob: &Descriptor) -> Result<Arriving, LayoutError> {
        let path = self.change.layout.blob_path(&blob.digest);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(LayoutError::at(folder))?;
        }
        let hasher = Hasher::new(blob.digest.algorithm());
        Ok(Arriving { half: self.change.half_made()?, hasher, got: 0, blob: blob.clone(), path })
    }

    /// Puts a document in as it is, and describes it.
    ///
    /// # Errors
    /// [`LayoutError`].
    pub fn document(&self, media_type: MediaType, bytes: &[u8]) -> Result<Descriptor, LayoutError> {
        Store::new(&self.change).bytes(media_type, bytes)
    }

    /// Makes a file on the layout's disk, for a blob whose digest is not known yet.
    pub(crate) fn half_made(&self) -> Result<NamedTempFile, LayoutError> {
        self.change.half_made()
    }

    /// Lets a blob be there that was verified.
    pub(crate) fn publish(
        &self,
        half: NamedTempFile,
        blob: &Descriptor,
    ) -> Result<(), LayoutError> {
        publish(half, &self.change.layout.blob_path(&blob.digest))
    }

    /// Lists something that is there, in place of what has its name or, without a name, of itself.
    pub fn list(&mut self, entry: Descriptor) {
        self.listing.put(entry);
    }

    /// Lets the layout list what was put in.
    ///
    /// # Errors
    /// [`LayoutError`]; the layout then lists what it did before.
    pub fn finish(self) -> Result<Layout, LayoutError> {
        self.change.publish_index(&self.listing.to_json())?;
        Ok(self.change.layout.clone())
    }
}

/// A blob on its way into a layout. It appears there when all of it came and was found right.
pub struct Arriving {
    half: NamedTempFile,
    hasher: Hasher,
    got: u64,
    blob: Descriptor,
    path: PathBuf,
}

impl Write for Arriving {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.half.write(bytes)?;
        self.hasher.update(&bytes[..taken]);
        self.got += taken as u64;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.half.flush()
    }
}

impl Arriving {
    /// Compares what came with what was promised, and lets it be there.
    ///
    /// # Errors
    /// [`LayoutError::Damaged`], or when it cannot be written.
    pub fn finish(self) -> Result<(), LayoutError> {
        let Self { half, hasher, got, blob, path } = self;
        let (digest, expected) = (blob.digest, blob.size);
        let sum = hasher.finish();
        let wrong = match got.cmp(&expected) {
            std::cmp::Ordering::Less => Some(VerifyingError::TooShort { expected, got }),
            std::cmp::Ordering::Greater => Some(VerifyingError::TooLong { expected }),
            std::cmp::Ordering::Equal if sum != digest => {
                Some(VerifyingError::Digest { expected: digest.clone(), got: sum })
            }
            std::cmp::Ordering::Equal => None,
        };
        match wrong {
            Some(source) => Err(LayoutError::Damaged { digest, source }),
            None => publish(half, &path),
        }
    }
}
