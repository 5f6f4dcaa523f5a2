//! Differences between the wish and a container that is there.

use std::collections::BTreeMap;
use std::fmt;

use occ_engine::ContainerState;
use occ_image::guest;
use serde::Serialize;
use serde_json::Value;

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
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Setting { name, from, to } = self;
        write!(f, "{name}: {from} -> {to}")
    }
}

/// Returns whether a container is this sandbox's own and differs in nothing.
pub(crate) fn serves(spec: &SandboxSpec, container: &ContainerState) -> bool {
    stranger(spec.claim(), &container.name, &container.labels).is_none()
        && drift(spec, container).is_empty()
}

/// Returns every difference, in the order of the settings' names.
pub fn drift(spec: &SandboxSpec, container: &ContainerState) -> Vec<Drift> {
    let made: BTreeMap<String, Value> = container
        .labels
        .get(guest::LABEL_SPEC)
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    spec.fixed()
        .into_iter()
        .filter_map(|(name, to)| {
            let from = made.get(&name).cloned().unwrap_or(Value::Null);
            (from != to).then_some(Drift::Setting { name, from, to })
        })
        .collect()
}
