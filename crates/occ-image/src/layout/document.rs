//! Blobs of a layout, and the documents among them: read with a limit, and never without verifying.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::PathBuf;

use occ_oci::{Descriptor, Digest, Index, Manifest, MediaType, Verifying};
use serde::de::DeserializeOwned;

use super::{INDEX, Layout, LayoutError};
use crate::image::blob;

/// The largest index, manifest or configuration that is read, in bytes.
const LIMIT: u64 = 4 << 20;

impl Layout {
    /// Opens a blob; reading it to the end verifies it.
    ///
    /// # Errors
    /// [`LayoutError::Missing`], or when it cannot be read.
    pub fn blob(&self, descriptor: &Descriptor) -> Result<Verifying<File>, LayoutError> {
        let (digest, size) = (descriptor.digest.clone(), descriptor.size);
        Ok(Verifying::new(self.blob_file(descriptor)?, digest, size))
    }

    /// Opens the file of a blob; whoever reads it has to verify it.
    ///
    /// # Errors
    /// [`LayoutError::Missing`], or when it cannot be read.
    pub fn blob_file(&self, descriptor: &Descriptor) -> Result<File, LayoutError> {
        let digest = &descriptor.digest;
        let path = self.blob_path(digest);
        let open = || {
            // Whoever opens a named pipe waits for its writer.
            if !fs::metadata(&path)?.is_file() {
                return Err(io::ErrorKind::NotFound.into());
            }
            File::open(&path)
        };
        open().map_err(LayoutError::blob(digest, &path))
    }

    /// Returns where a blob is or would be.
    pub(super) fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(blob(digest))
    }

    /// Returns the bytes of a blob that is no larger than `limit`.
    pub(super) fn bytes(
        &self,
        descriptor: &Descriptor,
        limit: u64,
    ) -> Result<Vec<u8>, LayoutError> {
        let Descriptor { digest, size, .. } = descriptor;
        if *size > limit {
            return Err(LayoutError::TooLarge { what: digest.to_string(), size: *size, limit });
        }
        let mut bytes = Vec::new();
        let mut blob = self.blob(descriptor)?;
        blob.read_to_end(&mut bytes).map_err(LayoutError::blob(digest, &self.blob_path(digest)))?;
        Ok(bytes)
    }

    /// Returns the bytes of `index.json`.
    pub(super) fn index_bytes(&self) -> Result<Vec<u8>, LayoutError> {
        let path = self.folder.join(INDEX);
        let mut bytes = Vec::new();
        let file = File::open(&path).map_err(LayoutError::at(&path))?;
        let size = file.metadata().map_err(LayoutError::at(&path))?.len();
        if size > LIMIT {
            return Err(LayoutError::TooLarge { what: INDEX.to_owned(), size, limit: LIMIT });
        }
        file.take(LIMIT).read_to_end(&mut bytes).map_err(LayoutError::at(&path))?;
        Ok(bytes)
    }

    /// Reads a document.
    pub(super) fn document<T: DeserializeOwned>(
        &self,
        descriptor: &Descriptor,
    ) -> Result<T, LayoutError> {
        parse(descriptor.digest.hex(), &self.bytes(descriptor, LIMIT)?)
    }

    /// Reads an index.
    pub(super) fn index(&self, descriptor: &Descriptor) -> Result<Index, LayoutError> {
        let index: Index = self.document(descriptor)?;
        is_what_it_says(descriptor, index.media_type.as_ref(), "an image index")?;
        Ok(index)
    }

    /// Reads a manifest.
    pub(super) fn manifest(&self, descriptor: &Descriptor) -> Result<Manifest, LayoutError> {
        let manifest: Manifest = self.document(descriptor)?;
        is_what_it_says(descriptor, manifest.media_type.as_ref(), "an image manifest")?;
        Ok(manifest)
    }
}

/// Reads a document; `what` is its name in messages.
pub(super) fn parse<T: DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T, LayoutError> {
    serde_json::from_slice(bytes)
        .map_err(|source| LayoutError::Document { what: what.to_owned(), source })
}

/// SPEC: a document that is called one thing and calls itself another is to be refused: readers that look at
/// either name would see two different images (image manifest, "mediaType").
fn is_what_it_says(
    descriptor: &Descriptor,
    says: Option<&MediaType>,
    expected: &'static str,
) -> Result<(), LayoutError> {
    match says {
        Some(says) if *says != descriptor.media_type => Err(LayoutError::MediaType {
            digest: descriptor.digest.clone(),
            found: says.clone(),
            expected,
        }),
        _ => Ok(()),
    }
}
