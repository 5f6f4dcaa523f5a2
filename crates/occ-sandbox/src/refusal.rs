//! Wishes that are not granted, and why.

use std::path::PathBuf;

/// Why a wish is not granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The port belongs to something else.
    PortTaken {
        /// The port wished.
        port: u16,
        /// The process that holds it, when the system tells.
        by: Option<(String, u32)>,
        /// The next free port.
        next_free: Option<u16>,
    },
    /// A container under our name was made by something else.
    ForeignContainer {
        /// The name.
        name: String,
    },
    /// Files of the folder could never belong to its owner.
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        why: FolderProblem,
    },
}

/// Why a folder of the host cannot be the workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FolderProblem {
    /// It belongs to root, and the sandbox never runs as root.
    OwnedByRoot,
    /// The engine runs without root, so users inside are other users outside.
    RootlessEngine,
    /// The engine maps users (`userns-remap`).
    RemappedUsers,
    /// The engine runs on another machine.
    RemoteEngine,
}
