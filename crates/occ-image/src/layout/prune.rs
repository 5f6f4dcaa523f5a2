//! Removing what no entry of a layout leads to.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use occ_oci::{Descriptor, Digest};

use super::change::Change;
use super::{Layout, LayoutError, is_absent};
use crate::event::Observer;

/// What pruning a layout did, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LayoutPruned {
    /// Blobs that went, by digest.
    pub removed: Vec<Digest>,
    /// Their bytes; a file that has another name elsewhere, as in the cache, still takes its room.
    pub freed: u64,
    /// Bytes of what stayed.
    pub kept: u64,
}

impl Layout {
    /// Removes blobs that no entry leads to. With `dry_run` nothing is removed.
    ///
    /// What a bill of materials or a signature is about does not stay for its sake.
    ///
    /// # Errors
    /// [`LayoutError`]; nothing was removed if it is about a document, for what that leads to is not known.
    pub fn prune(
        &self,
        dry_run: bool,
        observer: Observer<'_>,
        cancel: &AtomicBool,
    ) -> Result<LayoutPruned, LayoutError> {
        let _change = Change::begin(&self.folder, observer, cancel)?;
        let wanted = self.reachable()?;
        let mut pruned = LayoutPruned::default();
        for (digest, path) in self.blobs()? {
            let size = fs::metadata(&path).map_err(LayoutError::at(&path))?.len();
            if wanted.contains(&digest) {
                pruned.kept += size;
                continue;
            }
            if !dry_run {
                fs::remove_file(&path).map_err(LayoutError::at(&path))?;
            }
            pruned.removed.push(digest);
            pruned.freed += size;
        }
        Ok(pruned)
    }

    /// SPEC: a layout may lack blobs that somebody else has (image layout, "blobs"); they lead nowhere.
    fn reachable(&self) -> Result<BTreeSet<Digest>, LayoutError> {
        let mut reachable = BTreeSet::new();
        let mut open = self.entries()?;
        while let Some(descriptor) = open.pop() {
            if !reachable.insert(descriptor.digest.clone()) {
                continue;
            }
            match self.leads_to(&descriptor) {
                Ok(next) => open.extend(next),
                Err(LayoutError::Missing { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(reachable)
    }

    fn leads_to(&self, descriptor: &Descriptor) -> Result<Vec<Descriptor>, LayoutError> {
        if descriptor.media_type.is_index() {
            return Ok(self.index(descriptor)?.manifests);
        }
        if descriptor.media_type.is_manifest() {
            let manifest = self.manifest(descriptor)?;
            return Ok([vec![manifest.config], manifest.layers].concat());
        }
        Ok(Vec::new())
    }

    /// Returns all blobs by digest; what is called otherwise is not ours.
    fn blobs(&self) -> Result<Vec<(Digest, PathBuf)>, LayoutError> {
        let mut blobs = Vec::new();
        for algorithm in ["sha256", "sha512"] {
            let folder = self.folder.join("blobs").join(algorithm);
            let listing = match fs::read_dir(&folder) {
                Err(error) if is_absent(&error) => continue,
                listing => listing.map_err(LayoutError::at(&folder))?,
            };
            for entry in listing {
                let entry = entry.map_err(LayoutError::at(&folder))?;
                let name = entry.file_name();
                if let Ok(digest) = format!("{algorithm}:{}", name.to_string_lossy()).parse() {
                    blobs.push((digest, entry.path()));
                }
            }
        }
        blobs.sort();
        Ok(blobs)
    }
}
