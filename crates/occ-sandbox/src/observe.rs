//! Everything about one sandbox, seen once.

use std::net::{IpAddr, SocketAddr};

use occ_engine::{ContainerState, Engine, EngineFacts, Error, ImageFacts, ImageId};

use crate::record::Record;
use crate::spec::SandboxSpec;

/// Everything seen, at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// What the engine is.
    pub engine: EngineFacts,
    /// The container under the sandbox's name.
    pub container: Option<ContainerState>,
    /// The image that container was made from, when the engine still has it.
    pub container_image: Option<ImageFacts>,
    /// The image the record or the image state names, when the engine still has it.
    pub recorded_image: Option<ImageFacts>,
    /// The image a build on this machine would give, when the engine has it.
    pub built_image: Option<ImageFacts>,
    /// What the record says.
    pub record: Option<Record>,
    /// Volumes of the wish that exist already.
    pub volumes: Vec<String>,
    /// Whether the wished port can be bound.
    pub port: PortState,
}

/// Whether the wished port can be bound on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortState {
    /// It can, or the sandbox itself holds it.
    Free,
    /// Something else holds it.
    Taken {
        /// The process, when the system tells: name and id.
        by: Option<(String, u32)>,
        /// The next port that is free.
        next_free: Option<u16>,
    },
    /// This user may not bind it (below the host's first unprivileged port). The engine may.
    Unknown,
}

/// Looks at the host's ports; handed in so that tests need no sockets.
pub type PortLook<'a> = &'a (dyn Fn(SocketAddr) -> PortState + Send + Sync);

/// Sees everything at once: the engine's answers are asked for side by side.
///
/// `built_name` is the name a build here would give its image, `known` the image that arrived last.
///
/// # Errors
/// The engine's first error.
pub async fn observe<E: Engine>(
    engine: &E,
    spec: &SandboxSpec,
    built_name: &str,
    record: Option<Record>,
    known: Option<ImageId>,
    port: PortLook<'_>,
) -> Result<Observation, Error> {
    let name = spec.instance.container();
    let recorded = record.as_ref().map(|record| record.image.clone()).or(known).map(|id| id.0);
    let volumes = spec.volumes();
    let (engine_facts, container, recorded_image, built_image, found) = tokio::try_join!(
        engine.facts(),
        engine.container(&name),
        async {
            match &recorded {
                Some(id) => engine.image(id).await,
                None => Ok(None),
            }
        },
        engine.image(built_name),
        existing(engine, &volumes),
    )?;
    let container_image = match &container {
        Some(state) if Some(&state.image.0) == recorded.as_ref() => recorded_image.clone(),
        Some(state) => engine.image(&state.image.0).await?,
        None => None,
    };
    let wished = SocketAddr::new(spec.bind, spec.port);
    let port = if holds(container.as_ref(), wished) { PortState::Free } else { port(wished) };
    Ok(Observation {
        engine: engine_facts,
        container,
        container_image,
        recorded_image,
        built_image,
        record,
        volumes: found,
        port,
    })
}

async fn existing<E: Engine>(engine: &E, volumes: &[(String, &str)]) -> Result<Vec<String>, Error> {
    let looks = volumes.iter().map(|(name, _)| engine.volume(name));
    let seen = futures_util::future::try_join_all(looks).await?;
    Ok(seen.into_iter().flatten().map(|facts| facts.name).collect())
}

fn holds(container: Option<&ContainerState>, wished: SocketAddr) -> bool {
    container.is_some_and(|state| {
        state
            .publish
            .iter()
            .any(|p| p.host_port == wished.port() && same_place(p.address, wished.ip()))
    })
}

fn same_place(bound: IpAddr, wished: IpAddr) -> bool {
    bound == wished || bound.is_unspecified()
}
