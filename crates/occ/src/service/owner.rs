//! The person a service runs for.

use std::path::PathBuf;

use crate::env::Environment;

/// A user of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Person {
    /// Number.
    pub(crate) uid: u32,
    /// Home folder.
    pub(crate) home: PathBuf,
}

impl Person {
    /// Returns the user this process runs as.
    pub(crate) fn present(env: &Environment) -> Self {
        Self { uid: rustix::process::getuid().as_raw(), home: env.home().to_owned() }
    }
}
