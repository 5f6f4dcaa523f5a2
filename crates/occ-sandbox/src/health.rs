//! Ready and locked: what a start must prove.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use occ_engine::{ContainerId, ContainerState, Engine, ImageId, LogsQuery, Phase, read_log};
use occ_image::guest;

use crate::error::ApplyError;
use crate::event::Event;
use crate::password::Password;
use crate::ports::Server;
use crate::world::World;

/// Lines of the container's log that go into an error.
const LOG_LINES: u64 = 20;
/// How long the door may take to answer.
const DOOR: Duration = Duration::from_secs(30);

/// How long a server may take to list its sessions.
const LISTING: Duration = Duration::from_secs(30);

/// What was proved to be ready.
pub(crate) struct Ready {
    pub(crate) container: ContainerId,
    pub(crate) image: ImageId,
    pub(crate) version: String,
}

/// Waits until the server is ready; a container that stops meanwhile is noticed at once.
pub(crate) async fn await_ready<E: Engine, S: Server>(
    world: &World<'_, E, S>,
    name: &str,
    password: &Password,
    timeout: Duration,
) -> Result<Ready, ApplyError> {
    let state = state(world, name).await?;
    let version = state.labels.get(guest::LABEL_OPENCODE).cloned();
    let address = dial(&state)?;
    let observer = |elapsed, for_what| (world.observer)(Event::Waiting { elapsed, for_what });
    let ready = world.server.ready(address, password, version.as_deref(), timeout, &observer);
    let ended = world.engine.wait_container(name);
    tokio::select! {
        ready = ready => match ready {
            Ok(version) => Ok(Ready { container: state.id, image: state.image, version }),
            Err(source) => Err(not_ready(world, name, source).await),
        },
        ended = ended => {
            let status = ended.map_err(ApplyError::engine("wait for the container"))?;
            let log = last_lines(world.engine, name).await;
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
    let log = last_lines(world.engine, name).await;
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
        let log = last_lines(world.engine, name).await;
        return Err(ApplyError::Exited { status: status.clone(), log });
    }
    Ok(state)
}

/// Returns the address to reach a running sandbox at.
pub(crate) fn dial(state: &ContainerState) -> Result<SocketAddr, ApplyError> {
    let bound = state.publish.first().ok_or_else(|| ApplyError::Engine {
        step: "reach the sandbox".to_owned(),
        source: occ_engine::Error::NotFound { message: format!("{} has no port", state.name) },
    })?;
    Ok(SocketAddr::new(reachable(bound.address), bound.host_port))
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
    name: &str,
) -> Result<(), ApplyError> {
    let state = state(world, name).await?;
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

/// Names of the sessions that a running sandbox lists, or none when it does not run or cannot say.
pub(crate) async fn sessions<E: Engine, S: Server>(
    world: &World<'_, E, S>,
    name: &str,
    password: &Password,
) -> Result<Option<BTreeSet<String>>, ApplyError> {
    let looked = world.engine.container(name).await;
    let looked = looked.map_err(ApplyError::engine("look at the container"))?;
    let Some(state) = looked.filter(|state| state.phase == Phase::Running) else { return Ok(None) };
    let Ok(address) = dial(&state) else { return Ok(None) };
    Ok(world.server.sessions(address, password, LISTING).await)
}

/// Proves that every session of `before` is still listed.
pub(crate) async fn keeps_sessions<E: Engine, S: Server>(
    world: &World<'_, E, S>,
    name: &str,
    password: &Password,
    before: &BTreeSet<String>,
) -> Result<(), ApplyError> {
    let now = sessions(world, name, password).await?.unwrap_or_default();
    let missing: Vec<String> = before.difference(&now).cloned().collect();
    if missing.is_empty() { Ok(()) } else { Err(ApplyError::SessionsMissing { missing }) }
}

/// Returns the last lines of a container's log, or none when there is no log to be had.
async fn last_lines<E: Engine>(engine: &E, name: &str) -> Vec<String> {
    let log = read_log(engine, name, &LogsQuery::last(LOG_LINES)).await;
    log.unwrap_or_default().lines().map(str::to_owned).collect()
}
