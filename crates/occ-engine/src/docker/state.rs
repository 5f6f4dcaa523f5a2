//! What an engine says about a container, in our words.

use std::collections::BTreeMap;
use std::net::IpAddr;

use bollard::models::{
    ContainerInspectResponse, ContainerState as WireState, HealthStatusEnum, MountPoint, PortMap,
};
use serde_json::Value;

use super::failure::broken;
use crate::container::{ContainerId, ContainerState, ExitStatus, HealthCheck, Phase, Publish};
use crate::error::Error;
use crate::image::ImageId;
use crate::mount::Mount;

/// Date that the engine gives to what has not happened.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// Returns the state of a container, and the host ports asked for when it was made, without those
/// left to the engine.
///
/// # Errors
/// [`Error::Broken`] when the answer lacks what every answer has.
pub(super) fn container_state(
    mut found: Value,
) -> Result<(ContainerState, Vec<(IpAddr, u16)>), Error> {
    const DOING: &str = "looking at a container";
    let lacks = |what: &str| broken(DOING, format!("the answer has no {what}"));
    // Taken out: the library refuses an answer with a word that is not Docker's.
    let status = found.pointer_mut("/State/Status").map(Value::take);
    let phase = phase(status.as_ref().and_then(Value::as_str).unwrap_or_default());
    let found: ContainerInspectResponse =
        serde_json::from_value(found).map_err(|error| broken(DOING, error))?;
    let wished = wished_ports(&found);
    let state = found.state.ok_or_else(|| lacks("state"))?;
    let config = found.config.unwrap_or_default();
    let host = found.host_config.unwrap_or_default();
    let ports = found.network_settings.and_then(|network| network.ports).unwrap_or_default();
    let mut mounts: Vec<Mount> =
        found.mounts.into_iter().flatten().filter_map(mount_point).collect();
    mounts
        .extend(host.tmpfs.into_iter().flatten().map(|(target, options)| tmpfs(target, &options)));
    mounts.sort_by(|one, other| one.target().cmp(other.target()));
    mounts.dedup_by(|one, other| one.target() == other.target());
    let env = config.env.into_iter().flatten().filter_map(|pair| {
        pair.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()))
    });
    // Podman goes on telling what was bound.
    let bound =
        if matches!(phase, Phase::Running | Phase::Paused) { publish(&ports) } else { vec![] };
    let state = ContainerState {
        id: ContainerId(found.id.ok_or_else(|| lacks("id"))?),
        name: found.name.ok_or_else(|| lacks("name"))?.trim_start_matches('/').to_owned(),
        image: ImageId(found.image.unwrap_or_default()),
        exit: exit(&state, &phase),
        phase,
        health: health(&state),
        started_at: happened(state.started_at),
        finished_at: happened(state.finished_at),
        created_at: happened(found.created),
        restarts: found.restart_count.unwrap_or_default().try_into().unwrap_or_default(),
        labels: BTreeMap::from_iter(config.labels.unwrap_or_default()),
        env: env.collect(),
        publish: bound,
        mounts,
        privileged: host.privileged.unwrap_or_default(),
    };
    Ok((state, wished))
}

fn wished_ports(found: &ContainerInspectResponse) -> Vec<(IpAddr, u16)> {
    let wished = found.host_config.as_ref().and_then(|host| host.port_bindings.as_ref());
    let wished = wished.map(publish).unwrap_or_default();
    wished
        .into_iter()
        .filter(|wish| wish.host_port != 0)
        .map(|wish| (wish.address, wish.host_port))
        .collect()
}

/// Docker's words, and Podman's for what comes between them.
fn phase(status: &str) -> Phase {
    match status {
        "created" | "configured" | "initialized" => Phase::Created,
        "running" => Phase::Running,
        "paused" => Phase::Paused,
        "restarting" => Phase::Restarting,
        "exited" | "stopped" => Phase::Exited,
        other => Phase::Other(other.to_owned()),
    }
}

/// A container that never ran has an end only when the engine says why it could not start it.
fn exit(state: &WireState, phase: &Phase) -> Option<ExitStatus> {
    let error = state.error.clone().filter(|error| !error.is_empty());
    let ended = match phase {
        Phase::Running | Phase::Paused => false,
        Phase::Created => error.is_some(),
        Phase::Restarting | Phase::Exited | Phase::Other(_) => true,
    };
    ended.then(|| ExitStatus {
        code: state.exit_code.unwrap_or_default(),
        oom_killed: state.oom_killed.unwrap_or_default(),
        error,
    })
}

fn health(state: &WireState) -> HealthCheck {
    match state.health.as_ref().and_then(|health| health.status) {
        Some(HealthStatusEnum::STARTING) => HealthCheck::Starting,
        Some(HealthStatusEnum::HEALTHY) => HealthCheck::Healthy,
        Some(HealthStatusEnum::UNHEALTHY) => HealthCheck::Unhealthy,
        Some(HealthStatusEnum::NONE | HealthStatusEnum::EMPTY) | None => HealthCheck::None,
    }
}

fn happened(date: Option<String>) -> Option<String> {
    date.filter(|date| !date.is_empty() && date != NEVER)
}

/// Returns the TCP ports of the map, sorted; what is not bound is left out.
fn publish(ports: &PortMap) -> Vec<Publish> {
    let mut published: Vec<Publish> = ports
        .iter()
        .filter_map(|(key, bindings)| {
            let container_port: u16 = key.strip_suffix("/tcp")?.parse().ok()?;
            Some((container_port, bindings.as_ref()?))
        })
        .flat_map(|(container_port, bindings)| {
            bindings.iter().filter_map(move |binding| {
                let address = binding.host_ip.as_deref().unwrap_or_default();
                Some(Publish {
                    // Nothing said means every address.
                    address: if address.is_empty() { "0.0.0.0" } else { address }.parse().ok()?,
                    host_port: binding.host_port.as_deref()?.parse().ok()?,
                    container_port,
                })
            })
        })
        .collect();
    published.sort_by_key(|one| (one.container_port, one.address, one.host_port));
    published
}

fn mount_point(mount: MountPoint) -> Option<Mount> {
    let (target, read_only) = (mount.destination?, !mount.rw.unwrap_or(true));
    match mount.typ.as_deref() {
        Some("volume") => Some(Mount::Volume { name: mount.name?, target, read_only }),
        Some("bind") => Some(Mount::Bind { source: mount.source?.into(), target, read_only }),
        Some("tmpfs") => Some(Mount::Tmpfs { target, size: 0, owner: None }),
        _ => None,
    }
}

fn tmpfs(target: String, options: &str) -> Mount {
    let size = options.split(',').find_map(|option| option.strip_prefix("size=")?.parse().ok());
    Mount::Tmpfs { target, size: size.unwrap_or_default(), owner: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(text: &str) -> ContainerState {
        let found = serde_json::from_str(text).expect("an inspected container");
        container_state(found).expect("a state").0
    }

    #[test]
    fn a_container_that_could_not_be_started_tells_why() {
        let state = state(
            r#"{"Id":"1","Name":"/a","State":{"Status":"created","ExitCode":128,"OOMKilled":false,
                "Error":"port is allocated","StartedAt":"0001-01-01T00:00:00Z"}}"#,
        );
        let error = Some("port is allocated".to_owned());
        assert_eq!(state.phase, Phase::Created);
        assert_eq!(state.exit, Some(ExitStatus { code: 128, oom_killed: false, error }));
        assert_eq!(state.started_at, None);
    }

    #[test]
    fn a_running_container_has_no_end_even_when_an_older_run_had_one() {
        let state = state(
            r#"{"Id":"1","Name":"/a","State":{"Status":"running","ExitCode":3,
                "FinishedAt":"2026-01-02T03:04:05Z"}}"#,
        );
        assert_eq!(state.exit, None);
        assert_eq!(state.finished_at.as_deref(), Some("2026-01-02T03:04:05Z"));
    }

    #[test]
    fn ports_are_sorted_and_only_those_bound_are_told() {
        let state = state(
            r#"{"Id":"1","Name":"/a","State":{"Status":"running"},"NetworkSettings":{"Ports":{
                "4096/tcp":[{"HostIp":"::","HostPort":"9"},{"HostIp":"","HostPort":"9"}],
                "53/udp":[{"HostIp":"0.0.0.0","HostPort":"53"}],"80/tcp":null}}}"#,
        );
        let told: Vec<_> = state.publish.iter().map(|one| one.address.to_string()).collect();
        assert_eq!(told, ["0.0.0.0", "::"]);
    }

    #[test]
    fn a_container_killed_for_want_of_memory_is_known_as_such() {
        let state = state(
            r#"{"Id":"1","Name":"/a","State":{"Status":"exited","ExitCode":137,"OOMKilled":true}}"#,
        );
        assert_eq!(state.exit, Some(ExitStatus { code: 137, oom_killed: true, error: None }));
    }

    #[test]
    fn what_is_bound_is_told_only_while_it_is() {
        let state = state(
            r#"{"Id":"1","Name":"/a","State":{"Status":"stopped"},"NetworkSettings":{"Ports":{
                "4096/tcp":[{"HostIp":"127.0.0.1","HostPort":"9"}]}}}"#,
        );
        assert_eq!((state.phase, state.publish), (Phase::Exited, vec![]));
    }

    #[test]
    fn a_phase_unknown_here_keeps_the_engines_word() {
        let state = state(r#"{"Id":"1","Name":"/a","State":{"Status":"removing"}}"#);
        assert_eq!(state.phase, Phase::Other("removing".to_owned()));
    }
}
