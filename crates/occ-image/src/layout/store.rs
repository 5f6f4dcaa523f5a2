//! Putting blobs into a layout.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use occ_oci::{Descriptor, Digest, MediaType, Verifying};
use serde::Serialize;

use super::LayoutError;
use super::change::{Change, publish};
use crate::cache::Layer;
use crate::event::Part;
use crate::image::json;
use crate::pulse::Pulse;

/// Puts blobs into the layout that is being changed, each once.
pub(super) struct Store<'a> {
    change: &'a Change<'a>,
    done: BTreeSet<Digest>,
}

impl<'a> Store<'a> {
    pub(super) fn new(change: &'a Change<'a>) -> Self {
        Self { change, done: BTreeSet::new() }
    }

    /// Puts a document in and describes it.
    pub(super) fn document(
        &mut self,
        media_type: MediaType,
        document: &impl Serialize,
    ) -> Result<Descriptor, LayoutError> {
        self.bytes(media_type, &json(document))
    }

    /// Puts bytes in and describes them.
    pub(super) fn bytes(
        &mut self,
        media_type: MediaType,
        bytes: &[u8],
    ) -> Result<Descriptor, LayoutError> {
        let descriptor = Descriptor::of(media_type, bytes);
        if self.done.insert(descriptor.digest.clone()) && !self.has(&descriptor)? {
            let mut half = self.change.half_made()?;
            half.write_all(bytes).map_err(LayoutError::at(half.path()))?;
            publish(half, &self.change.layout.blob_path(&descriptor.digest))?;
        }
        Ok(descriptor)
    }

    /// Puts a layer in that `descriptor` describes: as another name of the cache's file where the disk is
    /// the same, as a copy where it is not.
    pub(super) fn layer(
        &mut self,
        layer: &Layer,
        descriptor: &Descriptor,
    ) -> Result<(), LayoutError> {
        if !self.done.insert(descriptor.digest.clone()) {
            return Ok(());
        }
        let path = self.change.layout.blob_path(&descriptor.digest);
        if is_same_file(&layer.blob.path, &path) || self.has(descriptor)? {
            return Ok(());
        }
        remove(&path)?;
        match link(layer, &path) {
            Ok(()) => Ok(()),
            // Another disk, somebody else's file, a file system without links: a copy says what is wrong, if
            // anything is.
            Err(_) => self.copy(layer, &path),
        }
    }

    /// Whether the layout has a blob that is what it should be. A damaged one is replaced.
    pub(super) fn has(&self, descriptor: &Descriptor) -> Result<bool, LayoutError> {
        let verified =
            self.change.layout.blob(descriptor).and_then(|blob| {
                self.pass_on(blob, io::sink(), descriptor.size, &descriptor.digest)
            });
        match verified {
            Ok(()) => Ok(true),
            Err(LayoutError::Missing { .. } | LayoutError::Damaged { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn copy(&self, layer: &Layer, path: &Path) -> Result<(), LayoutError> {
        let digest = layer.blob.digest.digest();
        let blob = layer.blob.open().map_err(LayoutError::at(&layer.blob.path))?;
        let mut half = self.change.half_made()?;
        self.pass_on(blob, half.as_file_mut(), layer.blob.size, digest)?;
        publish(half, path)
    }

    fn pass_on(
        &self,
        mut blob: Verifying<fs::File>,
        out: impl io::Write,
        size: u64,
        digest: &Digest,
    ) -> Result<(), LayoutError> {
        let Change { observer, cancel, .. } = self.change;
        let mut out = BufWriter::with_capacity(
            1 << 18,
            Pulse::new(out, Part::Layout, size, (*observer, cancel)),
        );
        io::copy(&mut blob, &mut out)
            .and_then(|_| out.flush())
            .map_err(LayoutError::blob(digest, &self.change.layout.folder))
    }
}

fn link(layer: &Layer, path: &Path) -> io::Result<()> {
    let source = &layer.blob.path;
    if fs::metadata(source)?.len() != layer.blob.size {
        return Err(io::ErrorKind::InvalidData.into());
    }
    fs::hard_link(source, path)
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    let identity = |path| fs::metadata(path).ok().map(|it| (it.dev(), it.ino()));
    identity(one).is_some_and(|one| identity(other) == Some(one))
}

fn remove(path: &Path) -> Result<(), LayoutError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(LayoutError::at(path)(error)),
        _ => Ok(()),
    }
}
