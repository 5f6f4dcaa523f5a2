//! What the engine, its images and its volumes are.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::image::ImageId;

/// What the engine is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct EngineFacts {
    /// Product name, such as `Docker Engine`, `Docker Desktop` or `Podman`.
    pub product: String,
    /// Product version, such as `20.10.24`.
    pub version: String,
    /// API version agreed on, such as `1.41`.
    pub api_version: String,
    /// Where it listens, such as `unix:///var/run/docker.sock`.
    pub endpoint: String,
    /// Who said so: `default`, `DOCKER_HOST`, `context NAME`.
    pub chosen_by: String,
    /// Operating system of containers, `linux`.
    pub os: String,
    /// Architecture in OCI words, such as `amd64`.
    pub architecture: String,
    /// `1` or `2`.
    pub cgroup_version: String,
    /// Whether the engine itself runs without root.
    pub rootless: bool,
    /// Whether the engine maps container root to another user (`userns-remap`).
    pub userns_remap: bool,
    /// Whether limits can be enforced: memory, processor, processes.
    pub can_limit: CanLimit,
    /// Memory of the engine's host, bytes.
    pub memory: u64,
    /// Processors of the engine's host.
    pub cpus: u64,
    /// Whether the engine runs on this very machine and sees its files.
    pub local: bool,
    /// Whether an archive that is loaded may lack layers which the engine has.
    #[serde(default)]
    pub skips_layers: bool,
    /// Where the engine keeps images and volumes, on its own machine.
    #[serde(default)]
    pub data_root: Option<PathBuf>,
}

/// Which limits the engine can enforce.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CanLimit {
    /// Memory.
    pub memory: bool,
    /// Processor time.
    pub cpu: bool,
    /// Number of processes.
    pub pids: bool,
}

/// An image the engine holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageFacts {
    /// Id.
    pub id: ImageId,
    /// Names, `repository:tag`.
    pub tags: Vec<String>,
    /// Names by digest, `repository@sha256:…`, for what came from a registry.
    pub digests: Vec<String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Architecture in OCI words.
    pub architecture: String,
    /// Bytes on disk as the engine counts them.
    pub size: u64,
    /// Creation, RFC 3339.
    pub created: Option<String>,
    /// Digests of its layers' uncompressed archives, lowest first.
    #[serde(default)]
    pub layers: Vec<String>,
}

/// A volume the engine holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeFacts {
    /// Name.
    pub name: String,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}
