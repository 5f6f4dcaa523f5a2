//! What a container sees of the host's storage.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// One mounted place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum Mount {
    /// A named volume of the engine.
    Volume {
        /// Name of the volume.
        name: String,
        /// Absolute path inside.
        target: String,
        /// Whether writing is refused.
        read_only: bool,
    },
    /// A folder of the host.
    Bind {
        /// Absolute path on the engine's host; it must exist.
        source: PathBuf,
        /// Absolute path inside.
        target: String,
        /// Whether writing is refused.
        read_only: bool,
    },
    /// Memory, gone when the container stops. Mounted `exec,nosuid,nodev`: opencode's terminal
    /// loads a library from `/tmp`.
    Tmpfs {
        /// Absolute path inside.
        target: String,
        /// Size in bytes.
        size: u64,
        /// User and group who own it; as in the image when `None`. Not told of a container that is there.
        owner: Option<(u32, u32)>,
    },
}

impl Mount {
    /// Returns the absolute path inside the container.
    pub fn target(&self) -> &str {
        match self {
            Self::Volume { target, .. }
            | Self::Bind { target, .. }
            | Self::Tmpfs { target, .. } => target,
        }
    }
}
