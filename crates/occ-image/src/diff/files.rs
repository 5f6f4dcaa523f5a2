//! Files, folders and links that are different.

use std::collections::BTreeMap;

use occ_layer::read::{EntryKind, LayerEntry};
use occ_oci::Digest;
use serde::Serialize;

use crate::seen::Seen;

/// A path that is not the same in two images.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileChange {
    /// The path, without a leading `/`.
    pub path: String,
    /// What it was; none if it was not there.
    pub before: Option<FileState>,
    /// What it is; none if it is not there.
    pub after: Option<FileState>,
}

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileState {
    /// `file`, `folder`, `link`, `device` or `pipe`.
    pub kind: &'static str,
    /// Size in bytes, 0 for what is no file.
    pub size: u64,
    /// Permission bits in octal digits.
    pub mode: String,
    /// Owner and group by number.
    pub owner: String,
    /// Digest of a file's bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Text of a link, numbers of a device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

impl FileState {
    fn of(entry: &LayerEntry) -> Self {
        let (kind, size, digest, target) = match &entry.kind {
            EntryKind::File { size, digest } => ("file", *size, Some(digest.clone()), None),
            EntryKind::Symlink(target) => ("link", 0, None, Some(target.clone())),
            EntryKind::Hardlink(target) => ("file", 0, None, Some(target.clone())),
            EntryKind::Device { block, major, minor } => {
                let letter = if *block { 'b' } else { 'c' };
                ("device", 0, None, Some(format!("{letter} {major}:{minor}")))
            }
            EntryKind::Fifo => ("pipe", 0, None, None),
            EntryKind::Folder | EntryKind::Whiteout | EntryKind::Opaque => {
                ("folder", 0, None, None)
            }
        };
        let (mode, owner) = (format!("{:04o}", entry.mode), format!("{}:{}", entry.uid, entry.gid));
        Self { kind, size, mode, owner, digest, target }
    }
}

pub(super) fn compare(before: &Seen, after: &Seen) -> Vec<FileChange> {
    let mut paths: BTreeMap<&str, [Option<FileState>; 2]> = BTreeMap::new();
    for (side, seen) in [before, after].into_iter().enumerate() {
        for (path, entry) in seen.entries() {
            paths.entry(path).or_default()[side] = Some(FileState::of(entry));
        }
    }
    paths
        .into_iter()
        .filter(|(_, [before, after])| before != after)
        .map(|(path, [before, after])| FileChange { path: path.to_owned(), before, after })
        .collect()
}
