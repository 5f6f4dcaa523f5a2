//! Facts about an image of the engine, gathered: looked at, compared with the lock, asked about at registries.

use occ_engine::{Docker, ImageDetails};
use occ_image::guest;
use occ_oci::{Pinned, Reference};
use occ_policy::Facts;
use occ_sandbox::pull::{Wanted, examine, look};
use occ_sandbox::{Home, ImageState, Trust};
use occ_trust::Mode;

use super::identity::{SearchArgs, identify};
use super::image::or_interrupted;
use super::target::{Asked, Target};
use crate::context::Context;
use crate::facts::{Signed, Sources, facts, places};
use crate::failure::Failure;
use crate::identity::Identity;
use crate::own_image::OwnImage;

/// Gathers facts about what a name means, or about the sandbox's image.
pub(super) fn observed(
    name: Option<&str>,
    search: SearchArgs,
    context: &Context,
) -> Result<Facts, Failure> {
    let gathering = async {
        let engine = context.engine()?;
        let target = Target::find(name, &engine, context).await?;
        gather(&target.image(), search, &target.home(context), &engine, context).await
    };
    context.block_on(or_interrupted(gathering, context))
}

/// Gathers facts about an image; `home` is where it stands how the image of a sandbox was acquired.
pub(super) async fn gather(
    image: &Asked,
    search: SearchArgs,
    home: &Home,
    engine: &Docker,
    context: &Context,
) -> Result<Facts, Failure> {
    let (identity, own) = identify(image, search, engine, context).await?;
    let is_this =
        |acquired: &ImageState| acquired.image_id.as_ref().is_some_and(|id| id.0 == identity.id);
    let acquired = home.image_state().0.filter(is_this);
    let mut places = places(&identity);
    places.extend(acquired.as_ref().and_then(pulled));
    let signed = signed(&places, context).await;
    Ok(facts(&Sources {
        identity: &identity,
        own: own.as_ref(),
        places: &places,
        signed: &signed,
        by_id: matches!(image, Asked::Id(_)),
        built_here: acquired.is_some_and(|acquired| acquired.trust == Some(Trust::LocalBuild)),
    }))
}

/// Returns where an image was pulled from: an engine that it was loaded into does not know.
fn pulled(acquired: &ImageState) -> Option<Pinned> {
    let (registry, digest) = (acquired.registry.as_ref()?, acquired.digest.as_ref()?);
    let name = format!("{registry}/{}@{digest}", guest::IMAGE_REPOSITORY);
    match name.parse() {
        Ok(Reference::Pinned(pinned)) => Some(pinned),
        _ => None,
    }
}

/// Gathers facts about an image that is in a registry and need not be in an engine.
pub(super) async fn gather_of_registry(
    details: ImageDetails,
    place: Pinned,
    context: &Context,
) -> Result<Facts, Failure> {
    let identity = Identity::of(&place.to_string(), details);
    let own = OwnImage::find(&identity, context).await?;
    let places = [place];
    let signed = signed(&places, context).await;
    Ok(facts(&Sources {
        identity: &identity,
        own: own.as_ref(),
        places: &places,
        signed: &signed,
        by_id: true,
        built_here: false,
    }))
}

/// Asks the registries that have it who signed it, strictly, whatever the settings say.
async fn signed(places: &[Pinned], context: &Context) -> Signed {
    let Some(place) = places.first() else {
        return Signed::NotAsked("no registry has it");
    };
    let intake = context.intake();
    let way = match intake.way() {
        Ok(way) => way,
        Err(error) => return Signed::Failed(error.to_string()),
    };
    let mut notary = way.notary.clone();
    notary.policy.mode = Mode::Enforce;
    let quiet = |_| ();
    let looked = look(&Wanted::of(Reference::Pinned(place.clone())), &intake, &quiet).await;
    let admission = match looked {
        Ok(looked) => examine(&looked, &notary, crate::time::moment(), &quiet).await,
        Err(error) => Err(error),
    };
    match admission.map(|admission| admission.verdict) {
        Ok(Some(verdict)) => Signed::Asked(Box::new(verdict)),
        Ok(None) => Signed::NotAsked("nobody judges"),
        Err(error) => Signed::Failed(error.to_string()),
    }
}
