//! Folders for half-made things, each locked by the build that works in it.

use std::fs::{self, File};
use std::path::Path;
use std::sync::atomic::AtomicBool;

use tempfile::TempDir;

use super::{Cache, hold};
use crate::error::BuildError;

/// A folder that vanishes with this value; should its maker be killed, the next build removes it.
pub struct WorkFolder {
    folder: TempDir,
    _lock: File,
}

impl WorkFolder {
    /// Returns its path.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Makes a folder in the workshop's, for a build that uses nothing of what is kept there.
///
/// # Errors
/// When the workshop's folder cannot be used.
pub fn work_folder(cache_dir: &Path) -> Result<WorkFolder, BuildError> {
    let cancel = AtomicBool::new(false);
    Cache::open(&super::folder(cache_dir), &|_| {}, &cancel)?.work_folder()
}

/// Name of the lock in every folder.
const LOCK: &str = ".lock";

impl Cache<'_> {
    /// Makes a folder on the disk of the cache, so that what is finished there can be renamed into it.
    pub(crate) fn work_folder(&self) -> Result<WorkFolder, BuildError> {
        let parent = self.folder.join("work");
        // Held while a folder has no lock yet, against the sweep of another build.
        let _making = self.hold_briefly("work")?;
        let folder = TempDir::new_in(&parent).map_err(BuildError::at(&parent))?;
        let path = folder.path().join(LOCK);
        let lock = hold::open(&path)?;
        hold::try_hold(&lock).map_err(|error| BuildError::at(&path)(error.into()))?;
        Ok(WorkFolder { folder, _lock: lock })
    }

    /// Removes folders whose makers are gone.
    pub(super) fn sweep(&self) -> Result<(), BuildError> {
        let parent = self.folder.join("work");
        let _making = self.hold_briefly("work")?;
        for entry in fs::read_dir(&parent).map_err(BuildError::at(&parent))? {
            let path = entry.map_err(BuildError::at(&parent))?.path();
            let lock = hold::open(&path.join(LOCK));
            // One that cannot be opened belongs to nobody, or is being removed by its maker right now.
            let abandoned = lock.as_ref().map_or(true, |lock| hold::try_hold(lock) == Ok(true));
            if abandoned {
                match fs::remove_dir_all(&path) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                        return Err(BuildError::at(&path)(error));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }
}
