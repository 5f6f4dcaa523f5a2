//! Ready and locked: what a start must prove.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use occ_engine::{ContainerId, ContainerState, Engine, ImageId, Phase};
use occ_image::guest;

use crate::error::ApplyError;
use crate::event::Event;
use crate::password::Password;
use crate::ports::Server;
use crate::probe::last_lines;
use crate::spec::SandboxSpec;
use crate::world::World;

/// Lines of the container's log that go into an error.
const LOG_LINES: u64 = 20;
/// How long the door may take to answer.
const DOOR: Duration = Duration::from_secs(10);

/// What was proved to be ready.
pub(crate) struct Ready {
    pub(crate) container: ContainerId,
    pub(crate) image: ImageId,
    pub(crate) version: String,
}

/// Waits until the server is ready; a container that stops meanwhile is noticed at once.
pub(crate) async fn await_ready<E: Engine, S: Server>(
    world: &World<'_, E, S>,
    spec: &SandboxSpec,
    password: &Password,
    timeout: Duration,
) -> Result<Ready, ApplyError> {
    let name = spec.instance.container();
    let state = state(world, &name).await?;
    let version = state.labels.get(guest::LABEL_OPENCODE).cloned();
    let address = dial(&state, spec);
    let observer = |elapsed, for_what| (world.observer)(Event::Waiting { elapsed, for_what });
    let ready = world.server.ready(address, password, version.as_deref(), timeout, &observer);
    let ended = world.engine.wait_container(&name);
    tokio::select! {
        ready = ready => match ready {
            Ok(version) => Ok(Ready { container: state.id, image: state.image, version }),
            Err(source) => Err(not_ready(world, &name, source).await),
        },
        ended = ended => {
            let status = ended.map_err(ApplyError::engine("wait for the container"))?;
            let log = last_lines(world.engine, &name, LOG_LINES).await;
            Err(ApplyError::Exited { status, log })
        }
        () = world.cancel.cancelled() => Err(ApplyError::Interrupted),
    }
}

async fn not_ready<E: Engine, S>(
    world: &World<'_, E, S>,
    name: &str,
    source: occ_opencode::NotReady,
) -> ApplyError {
    let log = last_lines(world.engine, name, LOG_LINES).await;
    ApplyError::NotReady { source, log }
}

async fn state<E: Engine, S>(
    world: &World<'_, E, S>,
    name: &str,
) -> Result<ContainerState, ApplyError> {
    let looked = world.engine.container(name).await;
    let looked = looked.map_err(ApplyError::engine("look at the container"))?;
    let state = looked.ok_or_else(|| ApplyError::Engine {
        step: "look at the container".to_owned(),
        source: occ_engine::Error::NotFound { message: format!("{name} was removed meanwhile") },
    })?;
    if let (Phase::Exited | Phase::Restarting, Some(status)) = (&state.phase, &state.exit) {
        let log = last_lines(world.engine, name, LOG_LINES).await;
        return Err(ApplyError::Exited { status: status.clone(), log });
    }
    Ok(state)
}

/// Returns the address to reach a running sandbox at.
fn dial(state: &ContainerState, spec: &SandboxSpec) -> SocketAddr {
    let bound = state.publish.first();
    let port = bound.map_or(spec.port, |publish| publish.host_port);
    let address = bound.map_or(spec.bind, |publish| publish.address);
    SocketAddr::new(reachable(address), port)
}

/// Returns the address to reach a bound one at: what listens everywhere is reached through loopback.
pub fn reachable(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(v4) if v4.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(v6) if v6.is_unspecified() => std::net::Ipv6Addr::LOCALHOST.into(),
        other => other,
    }
}

/// Proves that nobody gets in without the password, on every published address.
pub(crate) async fn prove_locked<E: Engine, S: Server>(
    world: &World<'_, E, S>,
    spec: &SandboxSpec,
) -> Result<(), ApplyError> {
    let state = state(world, &spec.instance.container()).await?;
    let host_addresses = (world.host_addresses)();
    let published = state.publish.iter().flat_map(|publish| {
        let everywhere = publish.address.is_unspecified();
        let same_family = |a: &&IpAddr| a.is_ipv4() == publish.address.is_ipv4();
        let others = host_addresses.iter().filter(same_family);
        let all = if everywhere { others.copied().collect() } else { vec![] };
        std::iter::once(reachable(publish.address))
            .chain(all)
            .map(|address| SocketAddr::new(address, publish.host_port))
            .collect::<Vec<_>>()
    });
    for address in published {
        if let Err(error) = world.server.locked(address, DOOR).await {
            // An address that this host has lost meanwhile leads to a door of somebody else's.
            let lost = host_addresses.contains(&address.ip())
                && !(world.host_addresses)().contains(&address.ip());
            if !lost {
                return Err(ApplyError::DoorOpen(error));
            }
        }
    }
    Ok(())
}
