//! The configuration of an image, as far as people ask about it (OCI image spec, config).

use std::collections::{BTreeMap, BTreeSet};

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use crate::digest::DiffId;
use crate::manifest::{DescribedPlatform, or_default};

/// The configuration of an image. Fields that are not known here are left out.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ImageConfig {
    /// When it was made, as RFC 3339.
    #[serde(default)]
    pub created: Option<String>,
    /// What it runs on.
    #[serde(flatten)]
    pub platform: DescribedPlatform,
    /// How a container of it starts.
    #[serde(default, deserialize_with = "or_default")]
    pub config: RunConfig,
    /// Its layers.
    pub rootfs: RootFs,
    /// How it came to be: one line for each layer, and lines without a layer.
    #[serde(default, deserialize_with = "or_default")]
    pub history: Vec<History>,
}

/// How a container starts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RunConfig {
    /// As whom, by name or number; empty for root.
    #[serde(deserialize_with = "or_default")]
    pub user: String,
    /// Where.
    #[serde(deserialize_with = "or_default")]
    pub working_dir: String,
    /// With which program.
    #[serde(deserialize_with = "or_default")]
    pub entrypoint: Vec<String>,
    /// With which arguments, if nobody gives others.
    #[serde(deserialize_with = "or_default")]
    pub cmd: Vec<String>,
    /// In which environment, as `NAME=VALUE`.
    #[serde(deserialize_with = "or_default")]
    pub env: Vec<String>,
    /// Ports that it listens on, such as `4096/tcp`.
    #[serde(deserialize_with = "names")]
    pub exposed_ports: BTreeSet<String>,
    /// Paths that outlive a container.
    #[serde(deserialize_with = "names")]
    pub volumes: BTreeSet<String>,
    /// How it is asked to stop.
    #[serde(deserialize_with = "or_default")]
    pub stop_signal: String,
    /// Labels.
    #[serde(deserialize_with = "or_default")]
    pub labels: BTreeMap<String, String>,
}

/// The layers of an image.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RootFs {
    /// Digests of the uncompressed archives, lowest first.
    pub diff_ids: Vec<DiffId>,
}

/// A line of an image's history.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct History {
    /// When, as RFC 3339.
    pub created: Option<String>,
    /// By which command, or in other words of whoever made it.
    #[serde(deserialize_with = "or_default")]
    pub created_by: String,
    /// Whether it made no layer.
    pub empty_layer: bool,
}

impl ImageConfig {
    /// Returns the line of history of every layer, lowest first; empty where there is none.
    pub fn layer_history(&self) -> Vec<&str> {
        let made = self.history.iter().filter(|line| !line.empty_layer);
        let mut lines: Vec<&str> = made.map(|line| line.created_by.as_str()).collect();
        lines.resize(self.rootfs.diff_ids.len(), "");
        lines
    }
}

/// Reads a set, which the specification writes as a map to empty objects.
#[expect(clippy::zero_sized_map_values, reason = "the values are read over")]
fn names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeSet<String>, D::Error> {
    let map: BTreeMap<String, IgnoredAny> = or_default(deserializer)?;
    Ok(map.into_keys().collect())
}
