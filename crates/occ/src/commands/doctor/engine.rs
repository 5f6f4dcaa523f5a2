//! The container engine: reachable, new enough, able to limit.

use occ_engine::{Docker, EngineFacts};

use super::check::{Check, Verdict};
use crate::context::Context;

/// Asks the engine and checks what it says of itself.
pub(super) async fn ask(context: &Context) -> (Option<(Docker, EngineFacts)>, Vec<Check>) {
    match super::facts(context).await {
        Ok((engine, facts)) => {
            let checks = vec![version(&facts), limits(&facts), users(&facts)];
            (Some((engine, facts)), checks)
        }
        Err(failure) => (None, vec![Check::failure("engine", failure)]),
    }
}

fn version(facts: &EngineFacts) -> Check {
    let EngineFacts { product, version, api_version, endpoint, chosen_by, .. } = facts;
    let seen =
        format!("{product} {version}, API {api_version}, at {endpoint} (chosen by {chosen_by})");
    Check::ok("engine", seen)
}

fn limits(facts: &EngineFacts) -> Check {
    let limits = [
        ("memory", facts.can_limit.memory),
        ("cpus", facts.can_limit.cpu),
        ("processes", facts.can_limit.pids),
    ];
    let missing: Vec<&str> = limits.iter().filter(|(_, can)| !can).map(|(name, _)| *name).collect();
    if missing.is_empty() {
        let seen = format!("memory, cpus, processes (cgroup v{})", facts.cgroup_version);
        return Check::ok("limits", seen);
    }
    let seen = format!("the engine cannot limit: {}", missing.join(", "));
    let hint = "enable the cgroup controllers of this host, or accept a sandbox without them";
    Check::bad("limits", Verdict::Warn, seen, hint)
}

fn users(facts: &EngineFacts) -> Check {
    if !facts.rootless && !facts.userns_remap {
        return Check::ok("users", "users inside are users outside");
    }
    let seen = "the engine maps users: folders of this host cannot be the workspace";
    Check::bad("users", Verdict::Warn, seen, "keep the workspace in its volume (the default)")
}
