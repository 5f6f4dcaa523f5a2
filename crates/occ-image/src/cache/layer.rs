//! Finished layers, by the key of what they were made from.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write as _};
use std::path::{Path, PathBuf};

use occ_layer::tree::{Kind, LayerTree};
use occ_layer::{Compression, Packed, WriteError, compress, decompress, pack};
use occ_oci::{Algorithm, Descriptor, DiffId, Digest, Hasher, LayerDigest, Verifying};
use serde::{Deserialize, Serialize};

use super::Cache;
use super::stamp::Stamp;
use crate::error::BuildError;
use crate::event::{Event, Part};
use crate::key::LayerKey;
use crate::pulse::Pulse;
use crate::survey::LayerState;

/// A finished layer on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// What it was made from.
    pub key: LayerKey,
    /// Digest of the uncompressed archive.
    pub diff_id: DiffId,
    /// Its size in bytes.
    pub size: u64,
    /// The form in which it is kept.
    pub blob: Blob,
}

/// One form of a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// How it is compressed.
    pub compression: Compression,
    /// Digest of its bytes.
    pub digest: LayerDigest,
    /// Their number.
    pub size: u64,
    /// The file.
    pub path: PathBuf,
}

/// What is written beside a layer.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    diff_id: DiffId,
    size: u64,
    forms: BTreeMap<String, Form>,
    /// SHA-256 of files in it by path inside, of those that somebody asked for; none for what is no plain file.
    #[serde(default)]
    files: BTreeMap<String, Option<Digest>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    digest: LayerDigest,
    size: u64,
    stamp: Stamp,
}

impl Layer {
    /// Describes a layer that is elsewhere, as a manifest and a configuration have it: it has no file here, and
    /// the size of its archive is not known (0).
    pub fn elsewhere(
        key: LayerKey,
        diff_id: DiffId,
        compression: Compression,
        blob: &Descriptor,
    ) -> Self {
        let (digest, size) = (LayerDigest::new(blob.digest.clone()), blob.size);
        let blob = Blob { compression, digest, size, path: PathBuf::new() };
        Self { key, diff_id, size: 0, blob }
    }

    /// Returns whether its bytes are here.
    pub fn is_here(&self) -> bool {
        !self.blob.path.as_os_str().is_empty()
    }

    /// Opens the uncompressed archive; reading it to the end verifies it.
    pub(crate) fn open(&self) -> io::Result<Verifying<impl Read + Send + use<>>> {
        let file = BufReader::with_capacity(1 << 18, File::open(&self.blob.path)?);
        let archive = decompress(file, self.blob.compression)?;
        Ok(Verifying::new(Box::new(archive), self.diff_id.digest().clone(), self.size))
    }
}

impl Layer {
    /// Returns the SHA-256 of a plain file in the layer by its absolute path inside; `None` when the layer has no
    /// such file.
    ///
    /// # Errors
    /// When the layer cannot be read or is not what it was.
    fn digest_of(&self, path: &str) -> io::Result<Option<Digest>> {
        let mut archive = tar::Archive::new(self.open()?);
        let mut found = None;
        for entry in archive.entries()? {
            let entry = entry?;
            let here = entry.path()?.to_string_lossy().trim_start_matches("./").to_owned();
            if here == path.trim_start_matches('/') {
                found = Some(digest(entry)?);
                break;
            }
        }
        // What was read counts only once the layer is known to be what it was.
        io::copy(&mut archive.into_inner(), &mut io::sink())?;
        Ok(found)
    }
}

fn digest(mut file: impl Read) -> io::Result<Digest> {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    let mut piece = vec![0; 1 << 16];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(hasher.finish()),
            read => hasher.update(&piece[..read]),
        }
    }
}

impl Blob {
    /// Opens the blob; reading it to the end verifies it.
    pub(crate) fn open(&self) -> io::Result<Verifying<File>> {
        let file = File::open(&self.path)?;
        Ok(Verifying::new(file, self.digest.digest().clone(), self.size))
    }
}

impl Cache<'_> {
    /// Returns whether a layer is kept, without making anything.
    pub(crate) fn state(&self, key: &LayerKey) -> Result<LayerState, BuildError> {
        let Some(note) = self.note(key) else { return Ok(LayerState::Missing) };
        let mut forms = Vec::new();
        let mut damaged = false;
        for (name, form) in &note.forms {
            let Ok(compression) = name.parse() else { continue };
            let path = self.form_path(key, compression);
            match fs::metadata(&path) {
                Ok(metadata) if Stamp::of(&metadata) == form.stamp => {
                    forms.push((compression, form.size));
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(BuildError::at(&path)(error)),
                Ok(_) => damaged = true,
            }
        }
        Ok(match (forms.is_empty(), damaged) {
            (false, _) => LayerState::Kept { size: note.size, forms },
            (true, true) => LayerState::Damaged,
            (true, false) => LayerState::Missing,
        })
    }

    /// Returns a kept layer in a form, made from another form of it if need be; `None` asks for any form.
    pub(crate) fn layer(
        &self,
        key: &LayerKey,
        part: &Part,
        form: Option<Compression>,
    ) -> Result<Option<Layer>, BuildError> {
        let Some(note) = self.note(key) else { return Ok(None) };
        let mut kept = Vec::new();
        for (name, form) in &note.forms {
            let Ok(compression) = name.parse() else { continue };
            let path = self.form_path(key, compression);
            match fs::metadata(&path) {
                Ok(metadata) if Stamp::of(&metadata) == form.stamp => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(BuildError::at(&path)(error)),
                Ok(_) => {
                    (self.observer)(Event::Damaged(part.clone()));
                    continue;
                }
            }
            let blob = Blob { compression, digest: form.digest.clone(), size: form.size, path };
            let (diff_id, size) = (note.diff_id.clone(), note.size);
            kept.push(Layer { key: key.clone(), diff_id, size, blob });
        }
        let fits = |layer: &&Layer| form.is_none_or(|form| form == layer.blob.compression);
        match (kept.iter().find(fits).or(kept.first()), form) {
            (None, _) => Ok(None),
            (Some(layer), Some(form)) if form != layer.blob.compression => {
                self.convert(layer, form, part).map(Some)
            }
            (Some(layer), _) => Ok(Some(layer.clone())),
        }
    }

    /// Makes another form of a layer.
    fn convert(
        &self,
        layer: &Layer,
        compression: Compression,
        part: &Part,
    ) -> Result<Layer, BuildError> {
        let source = &layer.blob.path;
        let archive = layer.open().map_err(BuildError::at(source))?;
        self.keep_form(&layer.key, compression, part, layer.size, |out| {
            let done =
                compress(archive, out, compression, self.jobs).map_err(BuildError::at(source))?;
            Ok(Packed { diff_id: layer.diff_id.clone(), size: layer.size, blob: done })
        })
    }

    /// Makes a layer of a tree and keeps it; nothing is kept of one that fails.
    pub(crate) fn put(
        &self,
        key: &LayerKey,
        part: &Part,
        compression: Compression,
        tree: LayerTree,
    ) -> Result<Layer, BuildError> {
        let total = tree.content_size();
        self.keep_form(key, compression, part, total, |out| {
            pack(tree, out, compression, self.jobs).map_err(|error| match error {
                WriteError::Tree(error) => error.into(),
                WriteError::Io(error) => BuildError::at(&self.form_path(key, compression))(error),
            })
        })
    }

    /// Makes a layer as [`Self::put`] does, and notes the digest of a plain file in it while that is at hand: to read
    /// it from the layer, all of it is unpacked again.
    pub(crate) fn put_noting(
        &self,
        key: &LayerKey,
        part: &Part,
        compression: Compression,
        tree: LayerTree,
        path: &str,
    ) -> Result<Layer, BuildError> {
        let entry = tree.get(path.trim_start_matches('/'));
        let found = match entry.map(|entry| &entry.kind) {
            Some(Kind::File(content)) => {
                Some(digest(content.reader()).map_err(BuildError::at(path.as_ref()))?)
            }
            _ => None,
        };
        let layer = self.put(key, part, compression, tree)?;
        if found.is_some() {
            self.note_file(&layer, path, found)?;
        }
        Ok(layer)
    }

    fn keep_form(
        &self,
        key: &LayerKey,
        compression: Compression,
        part: &Part,
        total: u64,
        write: impl FnOnce(Pulse<'_, BufWriter<&mut File>>) -> Result<Packed, BuildError>,
    ) -> Result<Layer, BuildError> {
        let work = self.work_folder()?;
        let (half, path) = (work.path().join("layer"), self.form_path(key, compression));
        let mut file = File::create(&half).map_err(BuildError::at(&half))?;
        let out = BufWriter::with_capacity(1 << 18, &mut file);
        let packed = write(Pulse::new(out, part.clone(), total, self.context()))?;
        file.sync_all().map_err(BuildError::at(&half))?;
        fs::rename(&half, &path).map_err(BuildError::at(&path))?;

        let metadata = fs::metadata(&path).map_err(BuildError::at(&path))?;
        let Packed { diff_id, size, blob } = packed;
        let mut note = self.note(key).filter(|note| note.diff_id == diff_id).unwrap_or(Note {
            diff_id: diff_id.clone(),
            size,
            forms: BTreeMap::new(),
            files: BTreeMap::new(),
        });
        let form =
            Form { digest: blob.digest.clone(), size: blob.size, stamp: Stamp::of(&metadata) };
        note.forms.insert(compression.to_string(), form);
        self.write_note(key, &note, work.path())?;
        let blob = Blob { compression, digest: blob.digest, size: blob.size, path };
        Ok(Layer { key: key.clone(), diff_id, size, blob })
    }

    /// Returns the SHA-256 of a plain file in a layer by its absolute path inside; `None` when the layer has no such
    /// file. The layer is read for it once, and then it stands in the note.
    pub(crate) fn digest_in(
        &self,
        layer: &Layer,
        path: &str,
    ) -> Result<Option<Digest>, BuildError> {
        let note = self.note(&layer.key).filter(|note| note.diff_id == layer.diff_id);
        if let Some(known) = note.and_then(|note| note.files.get(path).cloned()) {
            return Ok(known);
        }
        let found = layer.digest_of(path).map_err(BuildError::at(&layer.blob.path))?;
        self.note_file(layer, path, found.clone())?;
        Ok(found)
    }

    fn note_file(
        &self,
        layer: &Layer,
        path: &str,
        found: Option<Digest>,
    ) -> Result<(), BuildError> {
        let note = self.note(&layer.key).filter(|note| note.diff_id == layer.diff_id);
        if let Some(mut note) = note {
            note.files.insert(path.to_owned(), found);
            self.write_note(&layer.key, &note, self.work_folder()?.path())?;
        }
        Ok(())
    }

    fn note(&self, key: &LayerKey) -> Option<Note> {
        // A note that cannot be read or understood is no note: the layer is made again.
        serde_json::from_slice(&fs::read(self.note_path(key)).ok()?).ok()
    }

    fn write_note(&self, key: &LayerKey, note: &Note, work: &Path) -> Result<(), BuildError> {
        let (half, path) = (work.join("note"), self.note_path(key));
        let mut file = File::create(&half).map_err(BuildError::at(&half))?;
        serde_json::to_writer(&mut file, note)
            .map_err(|error| BuildError::at(&half)(error.into()))?;
        file.flush().and_then(|()| file.sync_all()).map_err(BuildError::at(&half))?;
        fs::rename(&half, &path).map_err(BuildError::at(&path))
    }

    fn note_path(&self, key: &LayerKey) -> PathBuf {
        self.folder.join("layers").join(format!("{}.json", key.hex()))
    }

    fn form_path(&self, key: &LayerKey, compression: Compression) -> PathBuf {
        let extension = match compression {
            Compression::None => "tar",
            Compression::Gzip => "tar.gz",
            Compression::Zstd => "tar.zst",
        };
        self.folder.join("layers").join(format!("{}.{extension}", key.hex()))
    }
}
