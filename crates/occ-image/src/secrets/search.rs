//! The search: from an archive that an engine exports to what was found in the layers of its image.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{self, Cursor, Read};
use std::ops::ControlFlow;

use occ_layer::contents::Contents;
use occ_layer::read::{EntryKind, LayerEntry, ReadError, entries_with_starts};
use occ_layer::tree::TreeError;
use occ_layer::{Compression, decompress};
use occ_oci::{Algorithm, Digest, Hasher};
use serde::Serialize;

use super::sample::is_sample;
use super::sight::{LIMIT, Sight, look};
use crate::saved::{Files, Kept, SavedError, lacks};

/// Most bytes of memory for the paths of an image; half a million files take a third of it.
const ROOM: usize = 512 << 20;
/// About what an entry takes beside its texts.
const ENTRY: usize = 256;
/// Most secrets that are listed.
const LISTED: usize = 1000;

/// What was found in the layers of an image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LayerSearch {
    /// Layers, all of which were read.
    pub layers: usize,
    /// Files in them that were looked into.
    pub files: u64,
    /// Files that are larger than 1 MiB, which were not looked into.
    pub larger: u64,
    /// What looks like a secret in tests, examples and documentation of installed packages, and is not listed.
    pub samples: u64,
    /// The secrets, in the order of the layers.
    pub found: Vec<Found>,
    /// How many more there are than are listed.
    pub more: usize,
}

/// A secret in a layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    /// The layer's number, the lowest being 1.
    pub number: usize,
    /// Digest of the layer's uncompressed archive.
    pub layer: Digest,
    /// Path of the file.
    pub path: String,
    /// What it is, such as `private-key` or `github-token`.
    pub kind: &'static str,
    /// What tells it from others and is no secret: a host, a name, how all tokens of the kind begin.
    pub hint: String,
    /// Whether a later layer removes or replaces the file, which is in the image all the same.
    pub removed_later: bool,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, path, kind, hint, .. } = self;
        write!(f, "layer {number}, {path}: {kind} ({hint})")?;
        if self.removed_later {
            f.write_str(", removed by a later layer and still in the image")?;
        }
        Ok(())
    }
}

/// Why layers cannot be searched.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// The archive is not what an engine exports.
    #[error(transparent)]
    Saved(#[from] SavedError),
    /// A layer cannot be read, or has what cannot be in one.
    #[error("the layer {layer} cannot be searched")]
    Layer {
        /// The layer, by the digest that the configuration gives it.
        layer: Digest,
        /// What is wrong with it.
        #[source]
        source: ReadError,
    },
    /// It has more files than can be kept in mind.
    #[error("the image has too many files to be searched")]
    TooMany,
}

/// Searches the layers of the one image of an archive in `docker save` form, which is read once and to its end.
/// In memory are one file of at most 1 MiB, small files of the archive, and the paths of all files.
///
/// # Errors
/// [`SearchError`].
pub fn search(archive: impl Read) -> Result<LayerSearch, SearchError> {
    let mut reader = Reader { room: ROOM };
    let mut files = Files::read(archive, |content| Ok(reader.layer(content)))?;
    let image = files.image()?;
    let mut layers: BTreeMap<String, Layer> = BTreeMap::new();
    let mut stack = Stack::default();
    for (path, diff_id) in image.layers {
        let expected = diff_id.digest();
        if !layers.contains_key(&path) {
            let read = match files.take(&path)? {
                Kept::Bytes(bytes) => reader.layer(&mut bytes.as_slice()),
                Kept::Large(read) => read,
                Kept::Link(_) => return Err(lacks(&path).into()),
            };
            layers.insert(path.clone(), read.map_err(|fault| fault.of(expected))?);
        }
        let layer = &layers[&path];
        if layer.digest != *expected {
            let (expected, got) = (expected.clone(), layer.digest.clone());
            return Err(SavedError::OtherLayer { expected, got }.into());
        }
        stack.lay(layer).map_err(|error| Fault::Broken(error.into()).of(expected))?;
    }
    Ok(stack.finish())
}

/// Why a layer is not read.
#[derive(Debug)]
enum Fault {
    /// It is broken, or none.
    Broken(ReadError),
    /// There is no room for more paths.
    TooMany,
}

impl From<ReadError> for Fault {
    fn from(error: ReadError) -> Self {
        Self::Broken(error)
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Broken(error.into())
    }
}

impl Fault {
    fn of(self, layer: &Digest) -> SearchError {
        match self {
            Self::Broken(source) => SearchError::Layer { layer: layer.clone(), source },
            Self::TooMany => SearchError::TooMany,
        }
    }
}

/// What was read of a layer.
struct Layer {
    digest: Digest,
    looking: Looking,
}

/// Reads layers, as long as there is room for their paths.
struct Reader {
    room: usize,
}

impl Reader {
    /// Reads what may be a layer. Whether it is one is known later, and so whether a fault matters.
    fn layer(&mut self, content: &mut dyn Read) -> Result<Layer, Fault> {
        let mut start = Vec::new();
        (&mut *content).take(4).read_to_end(&mut start)?;
        let compression = Compression::of_start(&start);
        let archive = decompress(Cursor::new(start).chain(content), compression)?;
        let mut archive = Hashed { inner: archive, hasher: Hasher::new(Algorithm::Sha256) };
        let mut looking = Looking::default();
        let wanted = |_: &str, size: u64| if size <= LIMIT { size } else { 0 };
        let read = entries_with_starts(&mut archive, wanted, |entry, start| {
            looking.look(&entry, start);
            let takes = ENTRY + entry.path.len() + target(&entry).len();
            let Some(left) = self.room.checked_sub(takes) else {
                return ControlFlow::Break(Fault::TooMany);
            };
            self.room = left;
            looking.entries.push(entry);
            ControlFlow::Continue(())
        })?;
        if let ControlFlow::Break(fault) = read {
            return Err(fault);
        }
        Ok(Layer { digest: archive.hasher.finish(), looking })
    }
}

fn target(entry: &LayerEntry) -> &str {
    match &entry.kind {
        EntryKind::Symlink(target) | EntryKind::Hardlink(target) => target,
        _ => "",
    }
}

/// What has been seen so far of a layer.
#[derive(Default)]
struct Looking {
    entries: Vec<LayerEntry>,
    seen: Vec<(String, Sight)>,
    files: u64,
    larger: u64,
    samples: u64,
}

impl Looking {
    fn look(&mut self, entry: &LayerEntry, start: &[u8]) {
        let EntryKind::File { size, .. } = entry.kind else { return };
        if size > LIMIT {
            self.larger += 1;
            return;
        }
        self.files += 1;
        let seen = look(&entry.path, start);
        if is_sample(&entry.path) {
            self.samples += u64::from(!seen.is_empty());
        } else {
            self.seen.extend(seen.into_iter().map(|sight| (entry.path.clone(), sight)));
        }
    }
}

/// Layers on top of each other, lowest first.
#[derive(Default)]
struct Stack {
    contents: Contents,
    search: LayerSearch,
    seen: Vec<(usize, Digest, String, Sight)>,
}

impl Stack {
    fn lay(&mut self, Layer { digest, looking }: &Layer) -> Result<(), TreeError> {
        let mut top = self.contents.layer();
        for entry in &looking.entries {
            top.add(entry)?;
        }
        let number = self.search.layers;
        self.search.layers += 1;
        self.search.files += looking.files;
        self.search.larger += looking.larger;
        self.search.samples += looking.samples;
        for (path, sight) in &looking.seen {
            self.seen.push((number, digest.clone(), path.clone(), sight.clone()));
        }
        Ok(())
    }

    fn finish(self) -> LayerSearch {
        let waste = self.contents.waste().iter();
        let hidden: BTreeSet<(usize, &str)> =
            waste.map(|waste| (waste.layer, waste.path.as_str())).collect();
        let more = self.seen.len().saturating_sub(LISTED);
        let found = self.seen.into_iter().take(LISTED).map(|(index, layer, path, sight)| Found {
            number: index + 1,
            layer,
            removed_later: hidden.contains(&(index, path.as_str())),
            path: format!("/{path}"),
            kind: sight.kind,
            hint: sight.hint,
        });
        LayerSearch { found: found.collect(), more, ..self.search }
    }
}

/// A reader that hashes what passes.
struct Hashed<R> {
    inner: R,
    hasher: Hasher,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..read]);
        Ok(read)
    }
}
