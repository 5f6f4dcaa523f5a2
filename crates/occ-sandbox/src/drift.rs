//! Differences between the wish and a container that is there.

use std::collections::BTreeMap;
use std::fmt;

use occ_engine::{ContainerState, ImageId, Phase};
use occ_image::guest;
use serde::Serialize;
use serde_json::Value;

use crate::choice::Acquire;
use crate::given::only_found;
use crate::observe::Observation;
use crate::refusal::stranger;
use crate::spec::SandboxSpec;

/// One difference.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Drift {
    /// A setting differs from the one the container was made with.
    Setting {
        /// The setting's name.
        name: String,
        /// What the container was made with; `null` when it did not say.
        from: Value,
        /// What is wished now.
        to: Value,
    },
    /// Another image is wished than the one the container was made from.
    Image {
        /// The container's.
        from: ImageId,
        /// The one wished.
        to: ImageId,
    },
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setting { name, from, to } => write!(f, "{name}: {from} -> {to}"),
            Self::Image { from, to } => write!(f, "image: {} -> {}", short(from), short(to)),
        }
    }
}

/// Returns the part of an id that people tell images apart by.
fn short(image: &ImageId) -> &str {
    match image.0.strip_prefix("sha256:") {
        Some(hex) => hex.get(..12).unwrap_or(hex),
        None => &image.0,
    }
}

/// Returns whether a container is this sandbox's own and differs in nothing.
pub(crate) fn serves(spec: &SandboxSpec, container: &ContainerState) -> bool {
    stranger(spec.claim(), &container.name, &container.labels).is_none()
        && !matches!(spec.acquire, Acquire::Anew(_))
        && drift(spec, container).is_empty()
}

/// Returns every difference: the image first, then settings in the order of their names.
pub fn drift(spec: &SandboxSpec, container: &ContainerState) -> Vec<Drift> {
    let made: BTreeMap<String, Value> = container
        .labels
        .get(guest::LABEL_SPEC)
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    let image = spec.acquire.this().filter(|image| **image != container.image);
    let image = image.map(|to| Drift::Image { from: container.image.clone(), to: to.clone() });
    let settings = spec.fixed().into_iter().filter_map(|(name, to)| {
        let from = made.get(&name).cloned().unwrap_or(Value::Null);
        let found_elsewhere = container.phase.is_up() && only_found(&from, &to);
        (from != to && !found_elsewhere).then_some(Drift::Setting { name, from, to })
    });
    image.into_iter().chain(settings).collect()
}

/// Returns whether a sandbox that runs and serves the wish would not do so any more once it is stopped: what
/// only the host says, such as a proxy, has changed, for which nothing that runs is replaced.
pub fn drifts_once_stopped(spec: &SandboxSpec, seen: &Observation) -> bool {
    let Some(container) = seen.container.as_ref().filter(|one| one.phase.is_up()) else {
        return false;
    };
    let stopped = ContainerState { phase: Phase::Exited, ..container.clone() };
    serves(spec, container) && !serves(spec, &stopped)
}
