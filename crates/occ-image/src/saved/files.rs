//! The files of an archive that an engine exports: small ones are kept, of large ones what was made of them.
//!
//! The archive is a stream, and only at its end does `manifest.json` say which of its files are layers. No path
//! of the archive becomes a path here.

use std::collections::BTreeMap;
use std::io::Read;

use occ_oci::{DiffId, ImageConfig};
use serde::Deserialize;
use tar::{Archive, EntryType};

use super::SavedError;

/// Largest file that is kept in memory, in bytes: documents, and small layers.
const SMALL: u64 = 1 << 20;
/// Most bytes of all of them.
const IN_MEMORY: u64 = 64 << 20;
/// Most files of one archive.
const FILES: usize = 20_000;
/// Most steps from a link to a file.
const LINKS: usize = 8;

/// `manifest.json`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SavedImage {
    config: String,
    layers: Vec<String>,
}

/// A file of the archive.
pub(crate) enum Kept<L> {
    Bytes(Vec<u8>),
    Large(L),
    /// Another name of the file with this path.
    Link(String),
}

/// The files of an archive by their paths.
pub(crate) struct Files<L>(BTreeMap<String, Kept<L>>);

/// The one image of an archive.
pub(crate) struct Image {
    /// Its configuration.
    pub(crate) config: Vec<u8>,
    /// Its layers, lowest first: the path of the file, and the digest of what it is unpacked.
    pub(crate) layers: Vec<(String, DiffId)>,
}

impl<L> Files<L> {
    /// Reads an archive to its end, and has something made of every file that is not small.
    pub(crate) fn read(
        archive: impl Read,
        mut large: impl FnMut(&mut dyn Read) -> Result<L, SavedError>,
    ) -> Result<Self, SavedError> {
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
                EntryType::Regular | EntryType::Continuous => Kept::Large(large(&mut entry)?),
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
        Ok(Self(files))
    }

    /// Returns the one image that is in the archive.
    pub(crate) fn image(&self) -> Result<Image, SavedError> {
        let mut saved: Vec<SavedImage> = parse(self.document("manifest.json")?)?;
        let (Some(saved), true) = (saved.pop(), saved.is_empty()) else {
            return Err(SavedError::Shape("it does not have exactly one image".to_owned()));
        };
        let config = self.document(&saved.config)?.to_vec();
        let read: ImageConfig = parse(&config)?;
        let diffs = read.rootfs.diff_ids;
        if diffs.len() != saved.layers.len() {
            let (layers, named) = (saved.layers.len(), diffs.len());
            let message = format!("it has {layers} layers, and {named} by its configuration");
            return Err(SavedError::Shape(message));
        }
        let paths = saved.layers.iter().map(|path| self.behind(path));
        let layers = paths.zip(diffs).map(|(path, diff)| Ok((path?, diff)));
        Ok(Image { config, layers: layers.collect::<Result<_, SavedError>>()? })
    }

    /// Takes a file out.
    pub(crate) fn take(&mut self, path: &str) -> Result<Kept<L>, SavedError> {
        self.0.remove(path).ok_or_else(|| lacks(path))
    }

    /// Follows links to the file that is meant.
    fn behind(&self, path: &str) -> Result<String, SavedError> {
        let mut path = name(path.as_bytes())?;
        for _ in 0..LINKS {
            match self.0.get(&path) {
                Some(Kept::Link(target)) => path.clone_from(target),
                _ => return Ok(path),
            }
        }
        Err(lacks(&path))
    }

    fn document(&self, path: &str) -> Result<&[u8], SavedError> {
        match self.0.get(&self.behind(path)?) {
            Some(Kept::Bytes(bytes)) => Ok(bytes),
            _ => Err(lacks(path)),
        }
    }
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

fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, SavedError> {
    serde_json::from_slice(bytes).map_err(|error| SavedError::Shape(error.to_string()))
}

pub(crate) fn lacks(path: &str) -> SavedError {
    SavedError::Shape(format!("it has no {path:?}"))
}
