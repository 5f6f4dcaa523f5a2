//! One container: the complete wish, and what is.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::image::ImageId;
use crate::isolation::Isolation;
use crate::mount::Mount;

/// The engine's id of a container (64 hexadecimal digits on Docker).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ContainerId(pub String);

/// Complete description of one container: nothing about it is decided elsewhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ContainerSpec {
    /// Name, unique in the engine.
    pub name: String,
    /// Image to run, by id: a tag could move between plan and apply.
    pub image: ImageId,
    /// Host name inside the container.
    pub hostname: String,
    /// User to run as; the image's own when `None`.
    pub user: Option<String>,
    /// Replaces the image's entrypoint when set.
    pub entrypoint: Option<Vec<String>>,
    /// Replaces the image's command when set.
    pub command: Option<Vec<String>>,
    /// Environment, visible to `docker inspect`: never a secret.
    pub env: BTreeMap<String, String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Volumes and folders.
    pub mounts: Vec<Mount>,
    /// Ports reachable from the host.
    pub publish: Vec<Publish>,
    /// Network, `bridge` of the engine when `Network::Default`.
    pub network: Network,
    /// Walls around the processes.
    pub isolation: Isolation,
    /// Limits of memory, processor time and processes.
    pub limits: Limits,
    /// What the engine does when the container stops by itself.
    pub restart: RestartPolicy,
    /// Size and number of log files kept.
    pub logs: LogRotation,
}

/// How a container is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Network {
    /// The engine's default network.
    Default,
    /// No network but loopback.
    None,
}

/// One published TCP port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publish {
    /// Address on the host that accepts connections.
    pub address: IpAddr,
    /// Port on the host; 0 lets the engine choose.
    pub host_port: u16,
    /// Port inside the container.
    pub container_port: u16,
}

/// Limits of one container.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Memory in bytes, swap included; `None` means no limit.
    pub memory: Option<u64>,
    /// Processor time in thousandths of one processor; `None` means no limit.
    pub cpu_millis: Option<u64>,
    /// Number of processes and threads; `None` means no limit.
    pub pids: Option<u32>,
}

/// What the engine does when a container stops by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestartPolicy {
    /// Nothing.
    No,
    /// Starts it again after a failure, at most this often (0: for ever).
    OnFailure(u32),
    /// Starts it again unless a person stopped it.
    UnlessStopped,
}

/// Size and number of log files kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogRotation {
    /// Bytes per file.
    pub max_size: u64,
    /// Number of files.
    pub max_files: u32,
}

/// Life phase of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Created and never started.
    Created,
    /// Running.
    Running,
    /// Frozen by `docker pause`.
    Paused,
    /// Being started again by its restart policy.
    Restarting,
    /// Not running any more.
    Exited,
    /// Anything else the engine says, such as `removing` or `dead`.
    Other(String),
}

impl Phase {
    /// Returns whether there are processes, now or again in a moment: what must be stopped before it is
    /// replaced.
    pub fn is_up(&self) -> bool {
        matches!(self, Self::Running | Self::Paused | Self::Restarting)
    }
}

/// How a container ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitStatus {
    /// Exit code of its first process.
    pub code: i64,
    /// Whether the kernel killed it for want of memory.
    pub oom_killed: bool,
    /// The engine's own words when it could not start it.
    pub error: Option<String>,
}

/// The verdict of the image's own HEALTHCHECK.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HealthCheck {
    /// The image has none.
    None,
    /// Not decided yet.
    Starting,
    /// Passing.
    Healthy,
    /// Failing.
    Unhealthy,
}

/// A container as the engine sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ContainerState {
    /// Id.
    pub id: ContainerId,
    /// Name, without the leading slash of Docker's API.
    pub name: String,
    /// Id of the image it was made from.
    pub image: ImageId,
    /// Life phase.
    pub phase: Phase,
    /// How it ended, when it did.
    pub exit: Option<ExitStatus>,
    /// Start of the current or last run, RFC 3339, UTC.
    pub started_at: Option<String>,
    /// End of the last run, RFC 3339, UTC.
    pub finished_at: Option<String>,
    /// Creation, RFC 3339, UTC.
    pub created_at: Option<String>,
    /// How often the restart policy acted.
    pub restarts: u64,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Environment as anyone who may ask the engine can see it.
    pub env: BTreeMap<String, String>,
    /// Ports as really bound; empty when it does not run.
    pub publish: Vec<Publish>,
    /// Volumes and folders in use.
    pub mounts: Vec<Mount>,
    /// Verdict of the image's HEALTHCHECK.
    pub health: HealthCheck,
    /// Whether it runs privileged.
    pub privileged: bool,
}
