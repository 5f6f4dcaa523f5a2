//! The engine room: the only crate that knows a container engine.
//!
//! [`Engine`] is the port; `Docker` speaks the Docker Engine API; `FakeEngine` (feature `fake`)
//! keeps state and computes, so that the crates above can be tested without a daemon.

mod change;
mod container;
mod context;
mod details;
mod docker;
mod endpoint;
mod engine;
mod error;
mod exec;
mod facts;
#[cfg(feature = "fake")]
mod fake;
mod image;
mod isolation;
mod logs;
mod mount;
mod stats;

pub use change::{FileChange, FileChangeKind};
pub use container::{
    ContainerId, ContainerSpec, ContainerState, ExitStatus, HealthCheck, Limits, LogRotation,
    Network, Phase, Publish, RestartPolicy,
};
pub use context::{Choice, ClientSettings};
pub use details::{ImageDetails, ImageStep};
pub use docker::Docker;
pub use endpoint::{DEFAULT_SOCKET, Endpoint, TlsFiles};
pub use engine::{ArchiveStream, Engine, GuestFile, silent};
pub use error::Error;
pub use exec::{ExecIo, ExecSpec, TerminalSize};
pub use facts::{CanLimit, EngineFacts, ImageFacts, VolumeFacts};
#[cfg(feature = "fake")]
pub use fake::{Blow, FakeEngine, FakeImage, Files, Killed, Life, Op, Ran, Volumes, World};
pub use image::{Event, ImageId, Observer};
pub use isolation::{Capability, Isolation};
pub use logs::{Chunk, LogStream, LogsQuery, Source, read_log};
pub use mount::Mount;
pub use stats::Stats;
