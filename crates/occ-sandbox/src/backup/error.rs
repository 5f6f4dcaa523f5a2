//! Why a backup was not made, or not taken.

use std::path::PathBuf;

use occ_image::Size;

use crate::error::ApplyError;

/// Why a backup was not made, or not taken.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is a file of that name.
    #[error("there is a file already, and it is not overwritten: {path}")]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// It might not fit.
    #[error("there may be too little room: up to {} are needed, {} are free: {path}", Size(*needed), Size(*free))]
    NoRoom {
        /// The folder.
        path: PathBuf,
        /// Bytes needed at most.
        needed: u64,
        /// Bytes free.
        free: u64,
    },
    /// The file could not be read or written.
    #[error("cannot {doing} the backup: {path}")]
    File {
        /// What was going on.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is something else.
    #[error("this is no backup of a sandbox: {path}")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// It was made by a newer program.
    #[error("this backup has form {format}, and this occ reads up to {known}: {path}")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its form.
        format: u32,
        /// The newest form known here.
        known: u32,
    },
    /// It is not what was written.
    #[error("this backup is damaged ({why}): {path}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// There is something in it that no backup has.
    #[error("this backup has something in it that does not belong there ({why}): {path}")]
    Refused {
        /// The file.
        path: PathBuf,
        /// What.
        why: String,
    },
    /// There is nothing to keep.
    #[error("there is nothing to back up: this sandbox has no volumes")]
    Nothing,
    /// Volumes are reached through a container, and a container needs an image.
    #[error("volumes cannot be read without an image")]
    NoImage,
    /// What keeps restarting cannot be frozen.
    #[error("the sandbox keeps restarting and cannot be frozen")]
    Restarting,
    /// The engine failed, or it was interrupted.
    #[error(transparent)]
    Apply(#[from] ApplyError),
}
