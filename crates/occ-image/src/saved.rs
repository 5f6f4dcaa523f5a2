//! What an engine exports of an image (`docker save`), on its way into a layout.
//!
//! The archive is a stream, and only at its end does `manifest.json` say which of its files are layers. So
//! whatever is not small is compressed while it passes, into a file that is thrown away where it turns out
//! to be something else. No path of the archive becomes a path here.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::num::NonZeroUsize;

use occ_layer::compress::Compressor;
use occ_layer::{Compression, decompress};
use occ_oci::{Descriptor, Digest, ImageConfig, Manifest, MediaType, Sha256Writer};
use serde::Deserialize;
use tar::{Archive, EntryType};
use tempfile::NamedTempFile;

use crate::image::json;
use crate::layout::{Filling, LayoutError};

/// Largest file that is kept in memory, in bytes: documents, and small layers.
const SMALL: u64 = 1 << 20;
/// Most bytes of all of them.
const IN_MEMORY: u64 = 64 << 20;
/// Most files of one archive.
const FILES: usize = 20_000;
/// Most steps from a link to a file.
const LINKS: usize = 8;

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

/// `manifest.json`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SavedImage {
    config: String,
    layers: Vec<String>,
}

/// A file of the archive.
enum Kept {
    Bytes(Vec<u8>),
    Layer(Box<Layer>),
    /// Another name of the file with this path.
    Link(String),
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
        let mut files = taking.files(archive)?;
        let mut saved: Vec<SavedImage> = parse(document(&files, "manifest.json")?)?;
        let (Some(saved), true) = (saved.pop(), saved.is_empty()) else {
            return Err(SavedError::Shape("it does not have exactly one image".to_owned()));
        };
        let config = document(&files, &saved.config)?.to_vec();
        let read: ImageConfig = parse(&config)?;
        let diffs = read.rootfs.diff_ids;
        if diffs.len() != saved.layers.len() {
            let (layers, named) = (saved.layers.len(), diffs.len());
            let message = format!("it has {layers} layers, and {named} by its configuration");
            return Err(SavedError::Shape(message));
        }
        let mut done = BTreeMap::new();
        let mut layers = Vec::new();
        for (path, expected) in saved.layers.iter().zip(&diffs) {
            let path = behind(&files, path)?;
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
        let config = self.document(MediaType::ImageConfig, &config)?;
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
    /// Reads the archive to its end.
    fn files(&self, archive: impl Read) -> Result<BTreeMap<String, Kept>, SavedError> {
        let mut files = BTreeMap::new();
        let mut room = IN_MEMORY;
        let mut archive = Archive::new(archive);
        for entry in archive.entries().map_err(SavedError::Read)? {
            let mut entry = entry.map_err(SavedError::Read)?;
            let path = name(&entry.path_bytes())?;
            let kept = match entry.header().entry_type() {
                EntryType::Regular | EntryType::Continuous if entry.size() <= SMALL.min(room) => {
                    let mut bytes = Vec::new();
                    entry.read_to_end(&mut bytes).map_err(SavedError::Read)?;
                    room -= bytes.len() as u64;
                    Kept::Bytes(bytes)
                }
                EntryType::Regular | EntryType::Continuous => {
                    Kept::Layer(Box::new(self.layer(entry)?))
                }
                kind @ (EntryType::Symlink | EntryType::Link) => {
                    let target = entry.link_name_bytes().unwrap_or_default();
                    let beside = if kind == EntryType::Symlink { &path } else { "" };
                    Kept::Link(joined(beside, &name(&target)?))
                }
                _ => continue,
            };
            if files.insert(path.clone(), kept).is_some() {
                return Err(SavedError::Shape(format!("it has {path:?} twice")));
            }
            if files.len() > FILES {
                return Err(SavedError::Shape(format!("it has more than {FILES} files")));
            }
        }
        Ok(files)
    }

    /// Puts a layer where it belongs; returns it with the digest of what it is unpacked.
    fn publish(
        &self,
        files: &mut BTreeMap<String, Kept>,
        path: &str,
    ) -> Result<(Descriptor, Digest), SavedError> {
        let Layer { half, described, diff } = match files.remove(path) {
            Some(Kept::Bytes(bytes)) => self.layer(bytes.as_slice())?,
            Some(Kept::Layer(layer)) => *layer,
            Some(Kept::Link(_)) | None => return Err(lacks(path)),
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

/// Returns a name of the archive without what means nothing in it.
fn name(bytes: &[u8]) -> Result<String, SavedError> {
    let text = std::str::from_utf8(bytes)
        .map_err(|_| SavedError::Shape("a file's name is no text".to_owned()))?;
    let parts = text.split('/').filter(|part| !matches!(*part, "" | "."));
    Ok(parts.collect::<Vec<_>>().join("/"))
}

/// Returns where a link beside a file leads to.
fn joined(beside: &str, target: &str) -> String {
    let mut parts: Vec<&str> = beside.split('/').filter(|part| !part.is_empty()).collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Follows links to the file that is meant.
fn behind(files: &BTreeMap<String, Kept>, path: &str) -> Result<String, SavedError> {
    let mut path = name(path.as_bytes())?;
    for _ in 0..LINKS {
        match files.get(&path) {
            Some(Kept::Link(target)) => path.clone_from(target),
            _ => return Ok(path),
        }
    }
    Err(lacks(&path))
}

fn document<'a>(files: &'a BTreeMap<String, Kept>, path: &str) -> Result<&'a [u8], SavedError> {
    match files.get(&behind(files, path)?) {
        Some(Kept::Bytes(bytes)) => Ok(bytes),
        _ => Err(lacks(path)),
    }
}

fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, SavedError> {
    serde_json::from_slice(bytes).map_err(|error| SavedError::Shape(error.to_string()))
}

fn lacks(path: &str) -> SavedError {
    SavedError::Shape(format!("it has no {path:?}"))
}
