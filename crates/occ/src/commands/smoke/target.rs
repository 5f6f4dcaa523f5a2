//! Who is meant: an image of the engine, or a sandbox.

use std::collections::BTreeSet;

use occ_engine::{ContainerState, Docker, Engine as _, ImageFacts, Mount, Phase};
use occ_image::guest;
use occ_sandbox::{Instance, Owner};
use serde_json::Value;

use crate::commands::{existing_container, own_container};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Who is meant.
pub(super) enum Target {
    /// A sandbox, with what is needed to reach it.
    Sandbox(Box<Context>, Box<ContainerState>),
    /// An image.
    Image(Box<ImageFacts>),
}

impl Target {
    /// Finds what a word means: a sandbox of this name first, then an image of the engine.
    pub(super) async fn find(
        word: Option<&str>,
        engine: &Docker,
        context: &Context,
    ) -> Result<Self, Failure> {
        let Some(word) = word else {
            let state = existing_container(engine, context).await?;
            return Ok(Self::Sandbox(Box::new(context.of(&context.instance)), Box::new(state)));
        };
        if let Ok(instance) = word.parse::<Instance>() {
            let context = context.of(&instance);
            if let Some(state) = own_container(engine, &context).await? {
                return Ok(Self::Sandbox(Box::new(context), Box::new(state)));
            }
        }
        match engine.image(word).await? {
            Some(image) => Ok(Self::Image(Box::new(image))),
            None => Err(Failure::new(
                Exit::Failed,
                format!("there is neither a sandbox nor an image of the engine: {word}"),
            )
            .hint("see which there are: occ ls, occ image ls")
            .hint(format!("bring one from a registry: occ image pull {word}"))),
        }
    }

    /// Returns the name by which it is reported.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Sandbox(_, state) => state.name.clone(),
            Self::Image(image) => image.tags.first().unwrap_or(&image.id.0).clone(),
        }
    }
}

/// Returns the user that a sandbox was made for.
pub(super) fn owner(state: &ContainerState) -> Owner {
    let settings = state.labels.get(guest::LABEL_SPEC);
    let settings: Option<Value> = settings.and_then(|text| serde_json::from_str(text).ok());
    let user = settings.as_ref().and_then(|settings| settings["user"].as_str());
    let number = user.and_then(|user| user.split(':').next()?.parse().ok());
    number.map_or(Owner::GUEST, |uid| Owner { uid, gid: uid })
}

/// Returns the names of other running containers of ours that write the same volumes.
pub(super) async fn sharers(
    engine: &Docker,
    state: &ContainerState,
) -> Result<Vec<String>, Failure> {
    let own: BTreeSet<&str> = written(state).collect();
    let others = engine.containers(guest::LABEL_INSTANCE).await?;
    Ok(others
        .iter()
        .filter(|other| other.id != state.id && other.phase == Phase::Running)
        .filter(|other| written(other).any(|volume| own.contains(volume)))
        .map(|other| other.name.clone())
        .collect())
}

fn written(state: &ContainerState) -> impl Iterator<Item = &str> {
    state.mounts.iter().filter_map(|mount| match mount {
        Mount::Volume { name, read_only: false, .. } => Some(name.as_str()),
        _ => None,
    })
}
