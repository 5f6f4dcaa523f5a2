//! What became of a container's files since it was made.

use serde::{Deserialize, Serialize};

/// A path that is not in a container as it is in its image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FileChange {
    /// Absolute path inside.
    pub path: String,
    /// What became of it.
    pub kind: FileChangeKind,
}

/// What became of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileChangeKind {
    /// It is another one; of a folder, that something in it changed.
    Changed,
    /// The image has none.
    Added,
    /// The image has one.
    Removed,
}
