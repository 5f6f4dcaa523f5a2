//! A container beside the sandbox that never runs: the way into its volumes for the engine's archives.

use occ_engine::{Capability, Engine, ImageId, Isolation, Mount};
use occ_image::guest;

use crate::error::ApplyError;
use crate::fleet::Sandbox;
use crate::refusal::Claim;
use crate::short_lived::ShortLived;

/// Folder under which the volumes are mounted.
const ROOT: &str = "/volumes";

/// Returns where a volume is mounted.
pub(crate) fn folder(place: &str) -> String {
    format!("{ROOT}/{place}")
}

/// A container that was made and does not run.
#[derive(Debug)]
pub(crate) struct Beside {
    name: String,
    places: Vec<&'static str>,
}

impl Beside {
    /// Makes it of an image, with volumes by their places.
    pub(crate) async fn make<E: Engine>(
        engine: &E,
        claim: Claim<'_>,
        image: ImageId,
        volumes: Vec<(&'static str, String)>,
        read_only: bool,
    ) -> Result<Self, ApplyError> {
        let places = volumes.iter().map(|(place, _)| *place).collect();
        let mount = |(place, name): (&str, String)| {
            let target = folder(place);
            Mount::Volume { name, target, read_only }
        };
        let mounts = volumes.into_iter().map(mount).collect();
        reading(claim, image, mounts, String::new()).make(engine, claim).await?;
        Ok(Self { name: claim.instance.beside(), places })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn places(&self) -> &[&'static str] {
        &self.places
    }

    pub(crate) async fn remove<E: Engine>(&self, engine: &E) -> Result<(), ApplyError> {
        let removed = engine.remove_container(&self.name).await;
        removed.map_err(ApplyError::engine("remove the container for the volumes"))
    }
}

/// Returns a container in which everything may be read, also what only its owner may.
pub(crate) fn reading(
    claim: Claim<'_>,
    image: ImageId,
    mounts: Vec<Mount>,
    script: String,
) -> ShortLived {
    ShortLived {
        name: claim.instance.beside(),
        image,
        user: "0:0".to_owned(),
        script,
        mounts,
        isolation: Isolation::Capabilities([Capability::DacOverride].into()),
    }
}

/// Returns an image that is here: the sandbox's own, or any of ours.
///
/// # Errors
/// When the engine fails.
pub async fn any_image<E: Engine>(
    engine: &E,
    sandbox: &Sandbox,
) -> Result<Option<ImageId>, ApplyError> {
    let own = sandbox.container.as_ref().map(|container| container.image.clone());
    let recorded = sandbox.record.as_ref().map(|record| record.image.clone());
    let failed = || ApplyError::engine("look for an image");
    for id in own.into_iter().chain(recorded) {
        if engine.image(&id.0).await.map_err(failed())?.is_some() {
            return Ok(Some(id));
        }
    }
    let ours = engine.images(guest::LABEL_CONTRACT).await.map_err(failed())?;
    Ok(ours
        .into_iter()
        .find(|image| crate::foreign::foreign(image).is_none())
        .map(|image| image.id))
}
