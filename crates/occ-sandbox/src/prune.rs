//! What carries our labels and no sandbox needs.

use std::collections::{BTreeMap, BTreeSet};

use occ_engine::{ContainerState, Engine, ImageFacts, ImageId};
use occ_image::guest;
use serde::Serialize;

use crate::error::ApplyError;
use crate::fleet::Sandbox;
use crate::removal::{Sized, sized};
use crate::stages::{Forsaken, Marked, Stages};

/// Everything that nobody needs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Leftovers {
    /// Stages whose command was killed.
    pub stages: Vec<Forsaken>,
    /// Containers that were needed for a moment.
    pub containers: Vec<String>,
    /// Volumes of sandboxes that are gone, and copies.
    pub volumes: Vec<Sized>,
    /// Images.
    pub images: Vec<Image>,
}

/// An image that nobody needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Image {
    /// Id.
    pub id: ImageId,
    /// Its names; none when it lost them to a newer one.
    pub names: Vec<String>,
    /// Bytes as the engine counts them.
    pub size: u64,
}

impl Leftovers {
    /// Returns whether there is nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What is seen before it is decided what nobody needs.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// This user's sandboxes.
    pub fleet: &'a [Sandbox],
    /// Every container that was made from an image of ours, whoever has it.
    pub made_of_ours: &'a [ContainerState],
    /// Every image of ours.
    pub images: &'a [ImageFacts],
    /// Sizes of volumes.
    pub sizes: &'a BTreeMap<String, u64>,
    /// Things that a change under way still needs, by name or id.
    pub needed: &'a BTreeSet<String>,
    /// Whose stages there are.
    pub stages: &'a Marked,
    /// What is left of stages whose process is gone.
    pub forsaken: &'a [Forsaken],
}

/// Plans what to remove: nothing that a sandbox of anybody's may still want.
///
/// Volumes go only where that is wished: they cannot be made again. Those of a stage hold nothing of anybody's.
pub fn plan_prune(seen: Seen<'_>, with_volumes: bool) -> Leftovers {
    // What a stage has is its own: it goes with it, and stays with it.
    let free = |name: &str| !seen.needed.contains(name) && !seen.stages.has(name);
    let stopped = |state: &&ContainerState| !state.phase.is_up() && free(&state.name);
    let containers = seen.fleet.iter().flat_map(|sandbox| &sandbox.side_containers);
    let orphans = seen.fleet.iter().filter(|sandbox| !sandbox.is_known());
    let orphans = orphans.flat_map(|sandbox| &sandbox.volumes);
    let copies = seen.fleet.iter().flat_map(|sandbox| &sandbox.side_volumes);
    let volumes = orphans.chain(copies).filter(|volume| free(&volume.name));
    Leftovers {
        stages: seen.forsaken.to_vec(),
        containers: containers.filter(stopped).map(|state| state.name.clone()).collect(),
        volumes: if with_volumes {
            volumes.map(|volume| sized(&volume.name, seen.sizes)).collect()
        } else {
            Vec::new()
        },
        images: images(seen),
    }
}

fn images(seen: Seen<'_>) -> Vec<Image> {
    let recorded = seen.fleet.iter().filter_map(|sandbox| sandbox.record.as_ref());
    let used: BTreeSet<&str> = recorded
        .map(|record| record.image.0.as_str())
        .chain(seen.made_of_ours.iter().map(|state| state.image.0.as_str()))
        .chain(seen.needed.iter().map(String::as_str))
        .collect();
    let ours = seen.images.iter().filter(|image| image.labels.contains_key(guest::LABEL_CONTRACT));
    ours.filter(|image| !used.contains(image.id.0.as_str()))
        .map(|image| Image { id: image.id.clone(), names: image.tags.clone(), size: image.size })
        .collect()
}

/// Removes what nobody needs; what turns out to be in use after all is left and named.
///
/// # Errors
/// When the engine fails.
pub async fn apply_prune<E: Engine>(
    engine: &E,
    leftovers: &Leftovers,
    stages: &Stages,
) -> Result<Vec<String>, ApplyError> {
    let mut in_use = Vec::new();
    for stage in &leftovers.stages {
        stages.remove(engine, stage).await?;
    }
    for name in &leftovers.containers {
        // One that was started meanwhile works for somebody.
        let state = engine.container(name).await;
        let state = state.map_err(ApplyError::engine(format!("look at the container: {name}")))?;
        if state.is_some_and(|state| state.phase.is_up()) {
            in_use.push(name.clone());
            continue;
        }
        let removed = engine.remove_container(name).await;
        removed.map_err(ApplyError::engine(format!("remove the container: {name}")))?;
    }
    for Sized { name, .. } in &leftovers.volumes {
        keep_if_used(engine.remove_volume(name).await, "volume", name, &mut in_use)?;
    }
    for image in &leftovers.images {
        let names = image.names.iter().map(String::as_str);
        for name in names.chain(image.names.is_empty().then_some(image.id.0.as_str())) {
            keep_if_used(engine.remove_image(name).await, "image", name, &mut in_use)?;
        }
    }
    Ok(in_use)
}

fn keep_if_used(
    removed: Result<(), occ_engine::Error>,
    what: &str,
    name: &str,
    in_use: &mut Vec<String>,
) -> Result<(), ApplyError> {
    match removed {
        Err(occ_engine::Error::Conflict { .. }) => {
            in_use.push(name.to_owned());
            Ok(())
        }
        removed => removed.map_err(ApplyError::engine(format!("remove the {what}: {name}"))),
    }
}
