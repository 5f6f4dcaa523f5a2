//! The image's configuration: how a container of it starts (OCI image spec, config, with the engine's
//! `Healthcheck`, which the specification leaves to it).

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;

use crate::environment::{PATH, variables};
use crate::guest::{ENTRYPOINT, HEALTHCHECK, MANAGED_CONFIG, PORT, USER, WORKSPACE};
use crate::plan::BuildPlan;

const SECOND: u64 = 1_000_000_000;

/// A whole configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ImageConfig {
    created: String,
    architecture: &'static str,
    os: &'static str,
    config: Start,
    rootfs: RootFs,
    history: Vec<History>,
}

/// How a container starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Start {
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    working_dir: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entrypoint: Option<[&'static str; 3]>,
    cmd: [&'static str; 1],
    env: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exposed_ports: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_signal: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    healthcheck: Option<Healthcheck>,
    labels: BTreeMap<String, String>,
}

/// Times in nanoseconds. An engine before 25 does not know `StartInterval` and waits a whole `Interval`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Healthcheck {
    test: [&'static str; 2],
    interval: u64,
    timeout: u64,
    start_period: u64,
    start_interval: u64,
    retries: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct RootFs {
    #[serde(rename = "type")]
    kind: &'static str,
    diff_ids: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct History {
    created: String,
    created_by: String,
}

impl Start {
    fn of(plan: &BuildPlan, labels: BTreeMap<String, String>) -> Self {
        let variables = variables(&plan.system, &plan.tools);
        Self {
            user: Some(USER),
            working_dir: Some(WORKSPACE),
            entrypoint: Some(["/usr/bin/tini", "--", ENTRYPOINT]),
            cmd: ["serve"],
            env: variables.into_iter().map(|(name, value)| format!("{name}={value}")).collect(),
            exposed_ports: Some(json!({ format!("{PORT}/tcp"): {} })),
            stop_signal: Some("SIGTERM"),
            healthcheck: Some(Healthcheck {
                test: ["CMD", HEALTHCHECK],
                interval: 15 * SECOND,
                timeout: 5 * SECOND,
                start_period: 30 * SECOND,
                start_interval: SECOND,
                retries: 3,
            }),
            labels,
        }
    }

    /// A Debian with a shell: whoever builds on it says the rest.
    fn of_base(labels: BTreeMap<String, String>) -> Self {
        Self {
            user: None,
            working_dir: None,
            entrypoint: None,
            cmd: ["/bin/sh"],
            env: vec![format!("PATH={}", PATH.join(":"))],
            exposed_ports: None,
            stop_signal: None,
            healthcheck: None,
            labels,
        }
    }
}

impl ImageConfig {
    /// Describes the image of a plan with these labels and, so far, no layers.
    pub(crate) fn new(plan: &BuildPlan, labels: BTreeMap<String, String>) -> Self {
        let platform = plan.platform;
        let config = if plan.is_base() { Start::of_base(labels) } else { Start::of(plan, labels) };
        Self {
            created: plan.release.created.clone(),
            architecture: platform.architecture(),
            os: platform.os(),
            config,
            rootfs: RootFs { kind: "layers", diff_ids: Vec::new() },
            history: Vec::new(),
        }
    }

    /// Adds a layer on top; `created_by` is for people who look at the image's history.
    pub(crate) fn push_layer(&mut self, diff_id: &occ_oci::DiffId, created_by: String) {
        self.rootfs.diff_ids.push(diff_id.to_string());
        self.history.push(History { created: self.created.clone(), created_by });
    }

    /// Returns the bytes; the image's id is their digest.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("maps of text become JSON")
    }
}

/// Returns the text for the history of the guest's layer.
pub(crate) fn guest_history() -> String {
    format!("guest: {ENTRYPOINT}, {HEALTHCHECK}, {MANAGED_CONFIG}")
}
