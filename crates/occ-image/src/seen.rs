//! What is seen in an image: every path with the layer that provides it.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, BufReader, Read};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

use occ_layer::contents::Contents;
use occ_layer::read::{EntryKind, LayerEntry, ReadError, entries};
use occ_layer::{Compression, decompress};
use occ_oci::{Algorithm, Descriptor, DiffId, Digest, Hasher, MediaType, VerifyingError};

use crate::error::Interrupted;
use crate::layout::{LayoutError, StoredImage};

/// What is seen through some of an image's layers, from the lowest.
#[derive(Clone, Default)]
pub(crate) struct Seen {
    /// Sizes of the uncompressed archives in bytes, lowest first.
    pub(crate) unpacked: Vec<u64>,
    /// What covers what.
    pub(crate) contents: Contents,
    /// Everything any layer has, with the layer that said it last.
    said: BTreeMap<String, (usize, LayerEntry)>,
}

impl Seen {
    /// Looks through all layers of an image.
    pub(crate) fn through(image: &StoredImage, cancel: &AtomicBool) -> Result<Self, LayoutError> {
        let mut seen = Self::default();
        seen.add(image, image.manifest.layers.len(), cancel)?;
        Ok(seen)
    }

    /// Goes on with the layers of an image up to a number of them. Those seen so far are its lowest.
    pub(crate) fn add(
        &mut self,
        image: &StoredImage,
        up_to: usize,
        cancel: &AtomicBool,
    ) -> Result<(), LayoutError> {
        for (layer, diff_id) in image.layers().take(up_to).skip(self.unpacked.len()) {
            let mut archive = Archive::open(image, layer, cancel)?;
            self.lay(&mut archive).map_err(in_layer(layer))?;
            self.unpacked.push(archive.finish(layer, diff_id)?);
        }
        Ok(())
    }

    /// Lays a layer on top.
    fn lay(&mut self, archive: &mut Archive<'_>) -> Result<(), ReadError> {
        let Self { unpacked, contents, said } = self;
        let mut top = contents.layer();
        let read = entries(archive, |mut entry| {
            if let Err(error) = top.add(&entry) {
                return ControlFlow::Break(error);
            }
            if let EntryKind::Hardlink(target) = &entry.kind
                && let Some((_, file)) = said.get(target)
            {
                // Which of its names came first is no difference to who sees it.
                entry.kind = file.kind.clone();
            }
            if !matches!(entry.kind, EntryKind::Whiteout | EntryKind::Opaque) {
                said.insert(entry.path.clone(), (unpacked.len(), entry));
            }
            ControlFlow::Continue(())
        })?;
        match read {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(error) => Err(error.into()),
        }
    }

    /// Returns everything that is seen, by path without a leading `/`.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&str, &LayerEntry)> {
        self.said
            .iter()
            .filter(|(path, (layer, _))| self.contents.provider(path) == Some(*layer))
            .map(|(path, (_, entry))| (path.as_str(), entry))
    }
}

/// A layer's archive, decompressed and hashed while it is read.
pub(crate) struct Archive<'a> {
    inner: Box<dyn Read + 'a>,
    hasher: Hasher,
    size: u64,
    cancel: &'a AtomicBool,
}

impl<'a> Archive<'a> {
    pub(crate) fn open(
        image: &StoredImage,
        layer: &Descriptor,
        cancel: &'a AtomicBool,
    ) -> Result<Self, LayoutError> {
        let compression = match &layer.media_type {
            MediaType::LayerTar | MediaType::DockerLayerTar => Compression::None,
            MediaType::LayerGzip | MediaType::DockerLayerGzip => Compression::Gzip,
            MediaType::LayerZstd => Compression::Zstd,
            other => {
                return Err(LayoutError::MediaType {
                    digest: layer.digest.clone(),
                    found: other.clone(),
                    expected: "a layer",
                });
            }
        };
        let blob = BufReader::with_capacity(1 << 18, image.blob(layer)?);
        let inner = decompress(blob, compression).map_err(|error| in_layer(layer)(error.into()))?;
        let hasher = Hasher::new(Algorithm::Sha256);
        Ok(Self { inner: Box::new(inner), hasher, size: 0, cancel })
    }

    /// Makes sure that it was the promised archive, and returns its size in bytes.
    fn finish(self, layer: &Descriptor, diff_id: &DiffId) -> Result<u64, LayoutError> {
        let (expected, got) = (diff_id.digest().clone(), self.hasher.finish());
        if got == expected {
            return Ok(self.size);
        }
        let source = VerifyingError::Digest { expected, got };
        Err(LayoutError::Damaged { digest: layer.digest.clone(), source })
    }
}

impl Read for Archive<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.cancel.load(Ordering::Relaxed) {
            return Err(io::Error::other(Interrupted));
        }
        let taken = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..taken]);
        self.size += taken as u64;
        Ok(taken)
    }
}

/// Returns a conversion of errors on a layer.
pub(crate) fn in_layer(layer: &Descriptor) -> impl FnOnce(ReadError) -> LayoutError + use<> {
    let digest: Digest = layer.digest.clone();
    move |error| {
        let ReadError::Io(inner) = &error else {
            return LayoutError::Layer { digest, source: error };
        };
        if let Some(source) = cause::<VerifyingError>(inner) {
            return LayoutError::Damaged { digest, source: source.clone() };
        }
        match cause::<Interrupted>(inner) {
            Some(_) => LayoutError::Cancelled,
            None => LayoutError::Layer { digest, source: error },
        }
    }
}

/// Readers of archives put errors of what they read into errors of their own.
fn cause<T: Error + 'static>(error: &io::Error) -> Option<&T> {
    let mut next = error.get_ref().map(|inner| inner as &(dyn Error + 'static));
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = match error.downcast_ref::<io::Error>() {
            Some(inner) => inner.get_ref().map(|inner| inner as &(dyn Error + 'static)),
            None => error.source(),
        };
    }
    None
}
