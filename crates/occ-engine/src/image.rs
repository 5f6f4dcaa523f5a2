//! Images as the engine names them, and the news while one arrives.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The engine's id of an image, `sha256:` and 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ImageId(pub String);

impl fmt::Display for ImageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// News of a transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Bytes of an archive handed to the engine so far, of `total`.
    Sent {
        /// Bytes so far.
        bytes: u64,
        /// Bytes in all.
        total: u64,
    },
    /// Everything was sent and the engine is unpacking.
    Unpacking,
}

/// Receives events; it must not block.
pub type Observer<'a> = &'a (dyn Fn(Event) + Send + Sync);
