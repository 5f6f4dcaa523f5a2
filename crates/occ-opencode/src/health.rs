//! What the server says of itself.

use std::path::PathBuf;

use hyper::Method;
use serde::Deserialize;

use crate::{Client, Error};

/// The answer of `/global/health`.
///
/// It is a sign of life and no more: it stays green with a broken configuration and a full disk.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Health {
    /// What the server thinks of itself.
    pub healthy: bool,
    /// The server's version, as it says it; not checked to be one.
    pub version: String,
}

/// The folders of the server's default instance, as paths on the server's side (`/path`).
///
/// Asking for them makes the server set the instance up, configuration included; this is why
/// they tell more about its health than [`Health`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Paths {
    /// The user's home.
    pub home: PathBuf,
    /// Where opencode keeps its state.
    pub state: PathBuf,
    /// Where opencode keeps its configuration.
    pub config: PathBuf,
    /// Root of the version-controlled tree; `/` where there is none.
    pub worktree: PathBuf,
    /// The folder the instance works in.
    pub directory: PathBuf,
}

impl Client {
    /// Asks the server for its health and version.
    ///
    /// # Errors
    /// Every kind of [`Error`] a JSON request has; a server that reports itself unhealthy is an
    /// answer, not an error.
    pub async fn health(&self) -> Result<Health, Error> {
        self.json(Method::GET, "/global/health", None).await
    }

    /// Asks for the folders of the default instance; the first call sets the instance up and
    /// takes up to half a second.
    ///
    /// # Errors
    /// Every kind of [`Error`] a JSON request has; [`Error::Status`] where the instance cannot be
    /// set up.
    pub async fn path(&self) -> Result<Paths, Error> {
        self.json(Method::GET, "/path", None).await
    }
}
