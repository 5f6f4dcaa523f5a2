//! An image in all its details: how a container of it starts, and how it came to be.

use serde::{Deserialize, Serialize};

use crate::facts::ImageFacts;

/// An image the engine holds, looked at closely.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageDetails {
    /// What every look at it shows.
    pub facts: ImageFacts,
    /// Operating system in OCI words.
    pub os: String,
    /// Variant of the architecture, such as `v8`.
    pub variant: Option<String>,
    /// Who it says made it.
    pub author: Option<String>,
    /// Program that a container starts with.
    pub entrypoint: Vec<String>,
    /// Arguments of that program.
    pub command: Vec<String>,
    /// Variables, `NAME=value`, as they are. Whoever shows them takes secrets out first.
    pub env: Vec<String>,
    /// User that the program runs as; none for root.
    pub user: Option<String>,
    /// Folder that the program starts in.
    pub working_dir: Option<String>,
    /// Ports that it says it listens on, such as `4096/tcp`, sorted.
    pub ports: Vec<String>,
    /// Folders that get a volume of their own, sorted.
    pub volumes: Vec<String>,
    /// Signal that asks the program to stop.
    pub stop_signal: Option<String>,
    /// Its health check, such as `CMD` and a program.
    pub health_check: Vec<String>,
    /// How it was made, the first step first.
    pub history: Vec<ImageStep>,
}

/// One step of an image's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageStep {
    /// When, in seconds since 1970.
    pub created: Option<i64>,
    /// What was done, as the builder wrote it down. It can have secrets in it.
    pub created_by: String,
    /// Bytes of the layer it made; 0 where it made none.
    pub size: u64,
    /// What the builder remarked.
    pub comment: Option<String>,
}
