//! Layers kept from one build to the next, by key.
//!
//! `layers-v1/KEY.tar` is a layer, `layers-v1/KEY.json` says what it should be and is written last: a layer
//! without it does not count. All of it can be deleted at any time.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use occ_oci::{DiffId, Verifying, VerifyingError};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::error::BuildError;
use crate::event::{Event, Observer, Phase};
use crate::key::LayerKey;
use crate::pulse::Pulse;
use occ_layer::Written;

/// Name of the folder inside the workshop's; another form of it would have another.
const FOLDER: &str = "layers-v1";
/// How folders for half-made things begin.
const WORK: &str = "work-";

/// A finished layer on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// What it was made from.
    pub key: LayerKey,
    /// Digest of the archive.
    pub diff_id: DiffId,
    /// Its size in bytes.
    pub size: u64,
    /// The archive.
    pub path: PathBuf,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    diff_id: DiffId,
    size: u64,
}

/// The cache, held by this build alone until dropped.
pub(crate) struct Cache<'a> {
    folder: PathBuf,
    observer: Observer<'a>,
    cancel: &'a AtomicBool,
    _lock: File,
}

impl<'a> Cache<'a> {
    /// Opens the cache, waiting for another build to end, and sweeps up what a killed one left.
    pub(crate) fn open(
        cache_dir: &Path,
        observer: Observer<'a>,
        cancel: &'a AtomicBool,
    ) -> Result<Self, BuildError> {
        let folder = cache_dir.join(FOLDER);
        fs::create_dir_all(&folder).map_err(BuildError::at(&folder))?;
        let lock_path = folder.join("lock");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path)
            .map_err(BuildError::at(&lock_path))?;
        let mut told = false;
        while let Err(error) = flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            if error != rustix::io::Errno::WOULDBLOCK && error != rustix::io::Errno::INTR {
                return Err(BuildError::at(&lock_path)(error.into()));
            }
            if !std::mem::replace(&mut told, true) {
                observer(Event::WaitingForOtherBuild);
            }
            if cancel.load(Ordering::Relaxed) {
                return Err(BuildError::Cancelled);
            }
            thread::sleep(Duration::from_millis(100));
        }
        let cache = Self { folder, observer, cancel, _lock: lock };
        cache.sweep().map_err(BuildError::at(&cache.folder))?;
        Ok(cache)
    }

    fn sweep(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(WORK) {
                fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(())
    }

    /// Returns a folder for half-made things; it vanishes with the returned value.
    pub(crate) fn work_folder(&self) -> Result<TempDir, BuildError> {
        tempfile::Builder::new()
            .prefix(WORK)
            .tempdir_in(&self.folder)
            .map_err(BuildError::at(&self.folder))
    }

    /// Returns the kept layer if it is there and still is what it was.
    pub(crate) fn get(&self, key: &LayerKey, phase: Phase) -> Result<Option<Layer>, BuildError> {
        let Some(layer) = self.noted(key) else { return Ok(None) };
        (self.observer)(Event::Checking(phase));
        let whole = self.check(&layer, phase);
        match whole {
            Ok(()) => {
                (self.observer)(Event::Reused(phase));
                Ok(Some(layer))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) if VerifyingError::of(&error).is_some() => {
                (self.observer)(Event::Damaged(phase));
                Ok(None)
            }
            Err(error) => Err(BuildError::at(&layer.path)(error)),
        }
    }

    fn noted(&self, key: &LayerKey) -> Option<Layer> {
        // A note that cannot be read or understood is no note: the layer is made again.
        let note = fs::read(self.path(key, "json")).ok()?;
        let Note { diff_id, size } = serde_json::from_slice(&note).ok()?;
        Some(Layer { key: key.clone(), diff_id, size, path: self.path(key, "tar") })
    }

    fn check(&self, layer: &Layer, phase: Phase) -> io::Result<()> {
        let mut reader = BufReader::with_capacity(1 << 20, layer.open()?);
        let mut nowhere = Pulse::new(io::sink(), phase, layer.size, (self.observer, self.cancel));
        io::copy(&mut reader, &mut nowhere)?;
        Ok(())
    }

    /// Makes a layer with `write` and keeps it; nothing is kept of one that fails.
    pub(crate) fn put(
        &self,
        key: &LayerKey,
        write: impl FnOnce(&mut File) -> Result<Written, BuildError>,
    ) -> Result<Layer, BuildError> {
        let work = self.work_folder()?;
        let (half, path) = (work.path().join("layer"), self.path(key, "tar"));
        let mut file = File::create(&half).map_err(BuildError::at(&half))?;
        let Written { diff_id, size } = write(&mut file)?;
        file.sync_all().map_err(BuildError::at(&half))?;
        fs::rename(&half, &path).map_err(BuildError::at(&path))?;

        let note = Note { diff_id, size };
        let (half, noted) = (work.path().join("note"), self.path(key, "json"));
        let mut file = File::create(&half).map_err(BuildError::at(&half))?;
        serde_json::to_writer(&mut file, &note)
            .map_err(|error| BuildError::at(&half)(error.into()))?;
        file.flush().and_then(|()| file.sync_all()).map_err(BuildError::at(&half))?;
        fs::rename(&half, &noted).map_err(BuildError::at(&noted))?;
        Ok(Layer { key: key.clone(), diff_id: note.diff_id, size, path })
    }

    fn path(&self, key: &LayerKey, extension: &str) -> PathBuf {
        self.folder.join(format!("{}.{extension}", key.hex()))
    }
}

impl Layer {
    /// Opens the archive; reading it to the end verifies it.
    pub(crate) fn open(&self) -> io::Result<Verifying<File>> {
        let file = File::open(&self.path)?;
        Ok(Verifying::new(file, self.diff_id.digest().clone(), self.size))
    }
}
