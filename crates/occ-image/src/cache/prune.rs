//! What is in the cache, and making room.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// What an entry of the cache is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryKind {
    /// A file of somebody else.
    File,
    /// A finished layer.
    Layer,
    /// A folder that a build works in, or that a killed one left.
    Work,
}

/// One entry of the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheEntry {
    /// What it is.
    pub kind: EntryKind,
    /// Digest of a file, key of a layer, name of a folder.
    pub name: String,
    /// The file or folder.
    pub path: PathBuf,
    /// Bytes on disk.
    pub size: u64,
    /// When it was written.
    pub written: SystemTime,
}

/// What pruning did, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pruned {
    /// What went.
    pub removed: Vec<CacheEntry>,
    /// Bytes of what stayed.
    pub kept: u64,
}

impl Pruned {
    /// Returns how many bytes went.
    pub fn freed(&self) -> u64 {
        self.removed.iter().map(|entry| entry.size).sum()
    }
}

/// Lists the cache of a workshop's folder; one that is not there is empty.
///
/// # Errors
/// When it cannot be read.
pub fn list(cache_dir: &Path) -> io::Result<Vec<CacheEntry>> {
    let folder = super::folder(cache_dir);
    let mut entries = Vec::new();
    for (part, kind) in
        [("files", EntryKind::File), ("layers", EntryKind::Layer), ("work", EntryKind::Work)]
    {
        let listing = match fs::read_dir(folder.join(part)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            listing => listing?,
        };
        for entry in listing {
            let entry = entry?;
            let path = entry.path();
            // A build beside us may just have taken it away.
            let Ok(metadata) = entry.metadata() else { continue };
            let name = entry.file_name().to_string_lossy().into_owned();
            let size = if metadata.is_dir() { size_of(&path) } else { metadata.len() };
            let written = metadata.modified()?;
            entries.push(CacheEntry { kind, name, path, size, written });
        }
    }
    entries.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
    Ok(entries)
}

fn size_of(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => size_of(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}

/// Removes what is not needed: all but the layers whose keys are in `keep`, and the files whose digests are.
///
/// Names in `keep` are those of [`CacheEntry`] up to the first dot. With `dry_run` nothing is removed. Work
/// folders are left to the next build, which knows whether their makers are gone.
///
/// # Errors
/// When something cannot be removed.
pub fn prune(cache_dir: &Path, keep: &BTreeSet<String>, dry_run: bool) -> io::Result<Pruned> {
    let mut pruned = Pruned::default();
    for entry in list(cache_dir)? {
        let stem = entry.name.split('.').next().unwrap_or(&entry.name);
        if entry.kind == EntryKind::Work || keep.contains(stem) {
            pruned.kept += entry.size;
            continue;
        }
        if !dry_run {
            match fs::remove_file(&entry.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        pruned.removed.push(entry);
    }
    Ok(pruned)
}
