//! What is kept from one build to the next: files of others by digest, finished layers by key.
//!
//! ```text
//! workshop-v3/files/ALGORITHM-HEX      a file of somebody else
//! workshop-v3/layers/KEY.json          what a layer is, written last: without it the layer does not count
//! workshop-v3/layers/KEY.tar[.gz|.zst] the layer in the forms that were asked for
//! workshop-v3/locks/NAME               held while NAME is being made
//! workshop-v3/work/NAME                half-made things, swept up when their maker is gone
//! ```
//!
//! Everything appears by a rename of something finished, so a build that is killed leaves nothing wrong
//! behind, and all of it can be deleted at any time. Builds side by side wait for each other only where
//! they make the same thing.

mod file;
mod hold;
mod layer;
mod prune;
mod stamp;
#[cfg(test)]
mod tests;
mod work;

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use crate::error::BuildError;
use crate::event::Observer;

pub use layer::{Blob, Layer};
pub use prune::{CacheEntry, EntryKind, Pruned, list, prune};
pub use work::{WorkFolder, work_folder};

/// Name of the folder inside the workshop's. What is kept in another form, or compressed otherwise, has another.
const FOLDER: &str = "workshop-v3";

/// The cache of one build.
#[derive(Clone, Copy)]
pub(crate) struct Cache<'a> {
    folder: &'a Path,
    observer: Observer<'a>,
    cancel: &'a AtomicBool,
    jobs: NonZeroUsize,
}

/// Returns the folder of the cache in a workshop's folder.
pub(crate) fn folder(cache_dir: &Path) -> PathBuf {
    cache_dir.join(FOLDER)
}

impl<'a> Cache<'a> {
    /// Opens the cache in `folder`, as [`folder`] names it, and sweeps up what killed builds left.
    pub(crate) fn open(
        folder: &'a Path,
        observer: Observer<'a>,
        cancel: &'a AtomicBool,
    ) -> Result<Self, BuildError> {
        for part in ["files", "layers", "locks", "work"] {
            let path = folder.join(part);
            fs::create_dir_all(&path).map_err(BuildError::at(&path))?;
        }
        let cache = Self { folder, observer, cancel, jobs: NonZeroUsize::MIN };
        cache.sweep()?;
        Ok(cache)
    }

    /// Sets how many threads compress a layer.
    pub(crate) fn with_jobs(self, jobs: NonZeroUsize) -> Self {
        Self { jobs, ..self }
    }

    /// Returns who listens and who may stop it.
    pub(crate) fn context(&self) -> (Observer<'a>, &'a AtomicBool) {
        (self.observer, self.cancel)
    }
}
