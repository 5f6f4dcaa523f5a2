//! What an engine exports of an image (`docker save`), on its way into a layout.
//!
//! Which of its files are layers is known only at the end. So whatever is not small is compressed while it
//! passes, into a file that is thrown away where it turns out to be something else.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::num::NonZeroUsize;

use occ_layer::compress::Compressor;
use occ_layer::{Compression, decompress};
use occ_oci::{Descriptor, Digest, Manifest, MediaType, Sha256Writer};
use tempfile::NamedTempFile;

use crate::image::json;
use crate::layout::{Filling, LayoutError};

mod files;

pub(crate) use files::{Files, Kept, lacks};

/// Why an archive does not become an image.
#[derive(Debug, thiserror::Error)]
pub enum SavedError {
    /// It cannot be read: it is no archive, or it broke off.
    #[error("cannot read the image archive")]
    Read(#[source] io::Error),
    /// It is not what an engine exports.
    #[error("the image archive is not what an engine exports: {0}")]
    Shape(String),
    /// A layer is not the one that the configuration names.
    #[error("the image archive has another layer than {expected}: {got}")]
    OtherLayer {
        /// What the configuration names.
        expected: Digest,
        /// What is there.
        got: Digest,
    },
    /// The layout cannot take it.
    #[error(transparent)]
    Layout(#[from] LayoutError),
}

/// A layer, compressed and not yet where it belongs.
struct Layer {
    half: NamedTempFile,
    described: Descriptor,
    diff: Digest,
}

impl Filling<'_> {
    /// Takes the one image of an archive that an engine exports. Its layers are compressed so, unless they come
    /// compressed; equal layers become equal bytes. The configuration stays as it is, and with it the image's id.
    /// Returns the manifest, described, and lists nothing.
    ///
    /// # Errors
    /// [`SavedError`].
    pub fn saved(
        &self,
        archive: impl Read,
        compression: Compression,
        threads: NonZeroUsize,
    ) -> Result<Descriptor, SavedError> {
        let taking = Taking { filling: self, compression, threads };
        let mut files = Files::read(archive, |content| taking.layer(content).map(Box::new))?;
        let image = files.image()?;
        let mut done = BTreeMap::new();
        let mut layers = Vec::new();
        for (path, expected) in image.layers {
            let (described, got) = match done.get(&path) {
                Some(done) => Clone::clone(done),
                None => taking.publish(&mut files, &path)?,
            };
            if got != *expected.digest() {
                return Err(SavedError::OtherLayer { expected: expected.digest().clone(), got });
            }
            layers.push(described.clone());
            done.insert(path, (described, got));
        }
        let config = self.document(MediaType::ImageConfig, &image.config)?;
        let manifest = Manifest::new(config, layers);
        Ok(self.document(MediaType::ImageManifest, &json(&manifest))?)
    }
}

struct Taking<'a> {
    filling: &'a Filling<'a>,
    compression: Compression,
    threads: NonZeroUsize,
}

impl Taking<'_> {
    /// Puts a layer where it belongs; returns it with the digest of what it is unpacked.
    fn publish(
        &self,
        files: &mut Files<Box<Layer>>,
        path: &str,
    ) -> Result<(Descriptor, Digest), SavedError> {
        let Layer { half, described, diff } = match files.take(path)? {
            Kept::Bytes(bytes) => self.layer(bytes.as_slice())?,
            Kept::Large(layer) => *layer,
            Kept::Link(_) => return Err(lacks(path)),
        };
        self.filling.publish(half, &described)?;
        Ok((described, diff))
    }

    /// Compresses a layer that is not compressed, and hashes it on both sides.
    fn layer(&self, mut content: impl Read) -> Result<Layer, SavedError> {
        let mut start = Vec::new();
        content.by_ref().take(4).read_to_end(&mut start).map_err(SavedError::Read)?;
        let came = Compression::of_start(&start);
        let content = start.as_slice().chain(content);
        let half = self.filling.half_made()?;
        if came == Compression::None {
            self.compressed(content, half)
        } else {
            kept(content, half, came)
        }
    }

    fn compressed(&self, mut content: impl Read, half: NamedTempFile) -> Result<Layer, SavedError> {
        let compressor = Compressor::new(half.as_file(), self.compression, self.threads);
        let mut hashing = Sha256Writer::new(compressor);
        copy(&mut content, &mut hashing, &half)?;
        let (compressor, diff, _) = hashing.finish();
        let blob = compressor.finish().map_err(LayoutError::at(half.path()))?;
        let described = describe(self.compression, blob.digest.digest().clone(), blob.size);
        Ok(Layer { half, described, diff })
    }
}

/// Keeps a layer that came compressed as it is.
fn kept(
    mut content: impl Read,
    half: NamedTempFile,
    came: Compression,
) -> Result<Layer, SavedError> {
    let mut hashing = Sha256Writer::new(half.as_file());
    copy(&mut content, &mut hashing, &half)?;
    let (_, digest, size) = hashing.finish();
    let again = File::open(half.path()).map_err(LayoutError::at(half.path()))?;
    let mut unpacked = Sha256Writer::new(io::sink());
    decompress(io::BufReader::new(again), came)
        .and_then(|mut layer| io::copy(&mut layer, &mut unpacked))
        .map_err(SavedError::Read)?;
    let described = describe(came, digest, size);
    Ok(Layer { half, described, diff: unpacked.finish().1 })
}

/// Copies from the archive to the layout, and tells apart which of the two failed.
fn copy(
    from: &mut impl Read,
    to: &mut impl io::Write,
    half: &NamedTempFile,
) -> Result<(), SavedError> {
    let mut piece = vec![0; 256 * 1024];
    loop {
        let read = match from.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(SavedError::Read(error)),
        };
        to.write_all(&piece[..read]).map_err(LayoutError::at(half.path()))?;
    }
    Ok(to.flush().map_err(LayoutError::at(half.path()))?)
}

fn describe(compression: Compression, digest: Digest, size: u64) -> Descriptor {
    let media_type = match compression {
        Compression::None => MediaType::LayerTar,
        Compression::Gzip => MediaType::LayerGzip,
        Compression::Zstd => MediaType::LayerZstd,
    };
    Descriptor::new(media_type, digest, size)
}
