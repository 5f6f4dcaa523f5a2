//! A container's wish in the words of the engine.

use std::collections::HashMap;

use bollard::models::{
    ContainerCreateBody, HostConfig, HostConfigLogConfig, Mount as WireMount, MountType,
    PortBinding, PortMap, RestartPolicy as WirePolicy, RestartPolicyNameEnum,
};

use crate::container::{ContainerSpec, LogRotation, Network, Publish, RestartPolicy};
use crate::isolation::Isolation;
use crate::mount::Mount;

/// Returns the body of a request to create the container.
pub(super) fn body(spec: &ContainerSpec) -> ContainerCreateBody {
    ContainerCreateBody {
        image: Some(spec.image.0.clone()),
        hostname: Some(spec.hostname.clone()),
        user: spec.user.clone(),
        entrypoint: spec.entrypoint.clone(),
        cmd: spec.command.clone(),
        env: Some(spec.env.iter().map(|(name, value)| format!("{name}={value}")).collect()),
        labels: Some(spec.labels.clone().into_iter().collect()),
        exposed_ports: Some(spec.publish.iter().map(port_key).collect()),
        host_config: Some(host_config(spec)),
        ..Default::default()
    }
}

fn host_config(spec: &ContainerSpec) -> HostConfig {
    let (cap_add, security_opt) = match &spec.isolation {
        Isolation::Strict => (Vec::new(), vec!["no-new-privileges:true".to_owned()]),
        Isolation::Capabilities(kept) => {
            (kept.iter().map(|capability| capability.name().to_owned()).collect(), Vec::new())
        }
    };
    let memory = spec.limits.memory.map(signed);
    HostConfig {
        privileged: Some(false),
        cap_drop: Some(vec!["ALL".to_owned()]),
        cap_add: Some(cap_add),
        security_opt: Some(security_opt),
        memory,
        // Equal to the memory: nothing is swapped beyond the limit.
        memory_swap: memory,
        nano_cpus: spec.limits.cpu_millis.map(|millis| signed(millis.saturating_mul(1_000_000))),
        pids_limit: spec.limits.pids.map(i64::from),
        mounts: Some(spec.mounts.iter().filter_map(mount).collect()),
        tmpfs: Some(spec.mounts.iter().filter_map(tmpfs).collect()),
        port_bindings: Some(port_bindings(&spec.publish)),
        network_mode: match spec.network {
            Network::Default => None,
            Network::None => Some("none".to_owned()),
        },
        restart_policy: Some(restart_policy(spec.restart)),
        log_config: Some(log_config(spec.logs)),
        // The image brings its own.
        init: Some(false),
        ..Default::default()
    }
}

fn mount(mount: &Mount) -> Option<WireMount> {
    let (typ, source, target, read_only) = match mount {
        Mount::Volume { name, target, read_only } => {
            (MountType::VOLUME, name.clone(), target, read_only)
        }
        // Unlike the older form, this one does not create a missing source, owned by root.
        Mount::Bind { source, target, read_only } => {
            (MountType::BIND, source.display().to_string(), target, read_only)
        }
        Mount::Tmpfs { .. } => return None,
    };
    Some(WireMount {
        typ: Some(typ),
        source: Some(source),
        target: Some(target.clone()),
        read_only: Some(*read_only),
        ..Default::default()
    })
}

/// The newer form of a memory mount cannot say `exec` before API 1.46.
fn tmpfs(mount: &Mount) -> Option<(String, String)> {
    match mount {
        Mount::Tmpfs { target, size, owner } => {
            // Docker takes the mode of the image's folder, whatever is said here, but not its owner.
            let owner = owner.map(|(uid, gid)| format!(",uid={uid},gid={gid}")).unwrap_or_default();
            let options = format!("rw,exec,nosuid,nodev,size={size},mode=1777{owner}");
            Some((target.clone(), options))
        }
        _ => None,
    }
}

fn port_key(publish: &Publish) -> String {
    format!("{}/tcp", publish.container_port)
}

fn port_bindings(publish: &[Publish]) -> PortMap {
    let mut bindings = PortMap::new();
    for wish in publish {
        let binding = PortBinding {
            host_ip: Some(wish.address.to_string()),
            host_port: Some(wish.host_port.to_string()),
        };
        bindings.entry(port_key(wish)).or_default().get_or_insert_default().push(binding);
    }
    bindings
}

fn restart_policy(policy: RestartPolicy) -> WirePolicy {
    let (name, maximum_retry_count) = match policy {
        RestartPolicy::No => (RestartPolicyNameEnum::NO, None),
        RestartPolicy::OnFailure(times) => {
            (RestartPolicyNameEnum::ON_FAILURE, Some(i64::from(times)))
        }
        RestartPolicy::UnlessStopped => (RestartPolicyNameEnum::UNLESS_STOPPED, None),
    };
    WirePolicy { name: Some(name), maximum_retry_count }
}

/// The kind is named because the engine's default may be one whose log cannot be read again.
fn log_config(rotation: LogRotation) -> HostConfigLogConfig {
    HostConfigLogConfig {
        typ: Some("json-file".to_owned()),
        config: Some(HashMap::from([
            ("max-size".to_owned(), rotation.max_size.to_string()),
            ("max-file".to_owned(), rotation.max_files.to_string()),
        ])),
    }
}

fn signed(value: u64) -> i64 {
    value.try_into().unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::container::Limits;
    use crate::image::ImageId;
    use crate::isolation::Capability;

    fn spec() -> ContainerSpec {
        ContainerSpec {
            name: "box".to_owned(),
            image: ImageId("sha256:00".to_owned()),
            hostname: "box".to_owned(),
            user: None,
            entrypoint: None,
            command: None,
            env: BTreeMap::new(),
            labels: BTreeMap::new(),
            mounts: vec![
                Mount::Bind { source: "/src".into(), target: "/w".into(), read_only: true },
                Mount::Tmpfs { target: "/tmp".into(), size: 4096, owner: None },
            ],
            publish: vec![],
            network: Network::None,
            isolation: Isolation::Strict,
            limits: Limits { memory: Some(1 << 20), cpu_millis: Some(1500), pids: None },
            restart: RestartPolicy::OnFailure(2),
            logs: LogRotation { max_size: 1000, max_files: 3 },
        }
    }

    #[test]
    fn strict_isolation_drops_everything_and_forbids_to_gain_anything() {
        let config = host_config(&spec());
        assert_eq!(config.cap_drop, Some(vec!["ALL".to_owned()]));
        assert_eq!(config.cap_add, Some(vec![]));
        assert_eq!(config.security_opt, Some(vec!["no-new-privileges:true".to_owned()]));
        assert_eq!(config.privileged, Some(false));
    }

    #[test]
    fn only_the_named_capabilities_are_kept() {
        let kept = BTreeSet::from([Capability::Setuid, Capability::Chown]);
        let config =
            host_config(&ContainerSpec { isolation: Isolation::Capabilities(kept), ..spec() });
        assert_eq!(config.cap_drop, Some(vec!["ALL".to_owned()]));
        assert_eq!(config.cap_add, Some(vec!["CHOWN".to_owned(), "SETUID".to_owned()]));
    }

    #[test]
    fn limits_are_translated_and_swap_is_not_a_way_around_them() {
        let config = host_config(&spec());
        assert_eq!((config.memory, config.memory_swap), (Some(1 << 20), Some(1 << 20)));
        assert_eq!((config.nano_cpus, config.pids_limit), (Some(1_500_000_000), None));
    }

    #[test]
    fn a_bound_folder_is_never_created_and_memory_allows_programs() {
        let config = host_config(&spec());
        let mounts = config.mounts.expect("mounts");
        assert_eq!(mounts.len(), 1);
        assert_eq!((mounts[0].typ, mounts[0].read_only), (Some(MountType::BIND), Some(true)));
        assert_eq!(mounts[0].bind_options, None);
        let options = "rw,exec,nosuid,nodev,size=4096,mode=1777".to_owned();
        assert_eq!(config.tmpfs, Some(HashMap::from([("/tmp".to_owned(), options)])));
    }
}
