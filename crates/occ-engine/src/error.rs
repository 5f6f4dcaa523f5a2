//! Ways an engine can fail, told apart by structure (socket errno, HTTP status), never by text.

use std::path::PathBuf;

/// Why the engine did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No engine is installed: the socket does not exist and no `dockerd` is on the PATH.
    #[error("no container engine is installed ({endpoint} does not exist)")]
    NotInstalled {
        /// Where it was expected.
        endpoint: String,
    },
    /// An engine is installed and nothing answers.
    #[error("the container engine is not running: nothing answers at {endpoint}")]
    NotRunning {
        /// Where it was expected.
        endpoint: String,
        /// The socket's error.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The socket may not be used by this user.
    #[error("no permission to use the container engine at {endpoint}")]
    NoPermission {
        /// The socket.
        endpoint: String,
        /// Group that may use it, when the file system tells.
        group: Option<String>,
    },
    /// The engine speaks only versions that this program does not.
    #[error("the container engine's API {engine} is outside {oldest} to {newest}")]
    Version {
        /// What the engine offers.
        engine: String,
        /// Oldest version understood here.
        oldest: String,
        /// Newest version understood here.
        newest: String,
    },
    /// `DOCKER_HOST` or a context names something that cannot be used.
    #[error("{origin} names {value}, which cannot be used: {why}")]
    Endpoint {
        /// Who named it: `DOCKER_HOST` or `context NAME`.
        origin: String,
        /// What it named.
        value: String,
        /// Why not.
        why: String,
    },
    /// A file of the Docker client's configuration cannot be read.
    #[error("cannot read {path}")]
    ClientConfig {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// 404: what was named is not there.
    #[error("not found: {message}")]
    NotFound {
        /// The engine's words.
        message: String,
    },
    /// 409: the name is taken or the state does not allow it.
    #[error("conflict: {message}")]
    Conflict {
        /// The engine's words.
        message: String,
    },
    /// A published port cannot be bound.
    #[error("port {port} cannot be bound: {message}")]
    PortTaken {
        /// The port on the host.
        port: u16,
        /// The engine's words.
        message: String,
    },
    /// Any other answer that is a refusal.
    #[error("the container engine refused ({status}): {message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// The engine's words.
        message: String,
    },
    /// The conversation broke, or an answer was not understood.
    #[error("the conversation with the container engine broke while {doing}")]
    Broken {
        /// What was going on.
        doing: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Reading what should be sent, or writing what was received, failed on our side.
    #[error("cannot {doing}")]
    Local {
        /// What was going on.
        doing: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}
