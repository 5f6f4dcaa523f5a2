//! Everything about one sandbox, seen once.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use occ_engine::{ContainerState, Engine, EngineFacts, Error, ImageFacts, ImageId, VolumeFacts};
use occ_image::guest;

use crate::drift::serves;
use crate::record::Record;
use crate::spec::SandboxSpec;

/// Everything seen, at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// The container under the sandbox's name.
    pub container: Option<ContainerState>,
    /// Whether the wished port can be bound.
    pub port: PortState,
    /// What a new container would need; not looked at where the one that is there serves the wish
    /// and nobody wants to look closely.
    pub around: Option<Surroundings>,
}

/// What a new container would need.
#[derive(Debug, Clone, PartialEq)]
pub struct Surroundings {
    /// What the engine is.
    pub engine: EngineFacts,
    /// The image the container was made from, when the engine still has it.
    pub container_image: Option<ImageFacts>,
    /// The image the record or the image state names, when the engine still has it.
    pub recorded_image: Option<ImageFacts>,
    /// The image a build on this machine would give, when the engine has it.
    pub built_image: Option<ImageFacts>,
    /// What the record says.
    pub record: Option<Record>,
    /// Volumes of the wish that exist already.
    pub volumes: Vec<VolumeFacts>,
    /// Number that the next change gets: greater than that of anything an earlier one left.
    pub next_change: u64,
    /// Bytes in volumes, where they were asked for and the engine knows.
    pub sizes: BTreeMap<String, u64>,
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

/// What is known before anything is asked of the engine.
#[derive(Debug, Clone)]
pub struct Known<'a> {
    /// The name a build here would give its image.
    pub built: &'a str,
    /// What the record says.
    pub record: Option<Record>,
    /// The image that arrived last.
    pub image: Option<ImageId>,
    /// Whether to look around also where the container serves the wish, with the sizes of volumes.
    pub closely: bool,
}

/// Looks at the container first: where it serves the wish, nothing else is worth the time.
///
/// # Errors
/// The engine's first error.
pub async fn observe<E: Engine>(
    engine: &E,
    spec: &SandboxSpec,
    known: Known<'_>,
    port: PortLook<'_>,
) -> Result<Observation, Error> {
    let container = engine.container(&spec.instance.container()).await?;
    let wished = SocketAddr::new(spec.bind, spec.port);
    let port = if holds(container.as_ref(), wished) { PortState::Free } else { port(wished) };
    let stays = |state| serves(spec, state) && !known.closely;
    let around = if container.as_ref().is_some_and(stays) {
        None
    } else {
        let image = container.as_ref().map(|state| &state.image);
        Some(look_around(engine, spec, known, image).await?)
    };
    Ok(Observation { container, port, around })
}

/// Asks for everything side by side.
async fn look_around<E: Engine>(
    engine: &E,
    spec: &SandboxSpec,
    known: Known<'_>,
    container_image: Option<&ImageId>,
) -> Result<Surroundings, Error> {
    let Known { built, record, image, closely } = known;
    let recorded = record.as_ref().map(|record| record.image.clone()).or(image);
    let volumes = spec.volumes();
    let (facts, container_image, recorded_image, built_image, volumes) = tokio::try_join!(
        engine.facts(),
        image_of(engine, container_image),
        image_of(engine, recorded.as_ref()),
        engine.image(built),
        existing(engine, &volumes),
    )?;
    let next_change = next_change(engine, spec, record.as_ref()).await?;
    // Sizes are told, and nothing depends on them.
    let sizes =
        if closely { engine.volume_sizes().await.unwrap_or_default() } else { BTreeMap::new() };
    Ok(Surroundings {
        engine: facts,
        next_change,
        sizes,
        container_image,
        recorded_image,
        built_image,
        record,
        volumes,
    })
}

/// Returns a number greater than that of anything an earlier change left, also when the record is lost.
async fn next_change<E: Engine>(
    engine: &E,
    spec: &SandboxSpec,
    record: Option<&Record>,
) -> Result<u64, Error> {
    let label = guest::LABEL_INSTANCE;
    let (containers, volumes) = tokio::try_join!(engine.containers(label), engine.volumes(label))?;
    let own = format!("{}.", spec.instance.container());
    let aside = containers.iter().filter_map(|container| container.name.strip_prefix(&own));
    let places = guest::PLACES.map(|place| format!("{}.", spec.instance.volume(place.name)));
    let copies = volumes
        .iter()
        .filter_map(|volume| places.iter().find_map(|place| volume.name.strip_prefix(place)));
    let used = aside.chain(copies).filter_map(|suffix| suffix.parse().ok());
    let last = used.chain(record.map(|record| record.change)).max();
    Ok(last.unwrap_or(0) + 1)
}

async fn image_of<E: Engine>(
    engine: &E,
    id: Option<&ImageId>,
) -> Result<Option<ImageFacts>, Error> {
    match id {
        Some(id) => engine.image(&id.0).await,
        None => Ok(None),
    }
}

async fn existing<E: Engine>(
    engine: &E,
    volumes: &[(String, &str)],
) -> Result<Vec<VolumeFacts>, Error> {
    let looks = volumes.iter().map(|(name, _)| engine.volume(name));
    let seen = futures_util::future::try_join_all(looks).await?;
    Ok(seen.into_iter().flatten().collect())
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
