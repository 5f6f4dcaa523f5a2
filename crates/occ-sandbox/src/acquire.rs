//! Getting an image into the engine: pulled, or built here.

use std::sync::Arc;

use occ_engine::{Engine, ImageFacts, ImageId};
use occ_image::guest;
use occ_oci::Platform;
use occ_registry::ResolveError;
use tokio::sync::mpsc;

use crate::choice::Reuse;
use crate::error::{ApplyError, PullAttempt};
use crate::event::Event;
use crate::foreign::foreign;
use crate::history::{HistoryEntry, Verdict};
use crate::ports::ImageBuilder;
use crate::pull::{Cleared, PULLED, PullError, Wanted, bring, find, verify};
use crate::record::{ImageState, Source, Trust};
use crate::spec::ImageSource;
use crate::world::World;

/// Brings the image of a source into the engine: pulls it again, as its name may have moved; builds it
/// unless the very same is there.
///
/// # Errors
/// What pulling or building says. Nothing that runs is touched.
///
/// # Panics
/// When the image is to be built and nobody builds.
pub async fn acquire<E: Engine, S>(
    world: &World<'_, E, S>,
    source: &ImageSource,
) -> Result<ImageId, ApplyError> {
    match source {
        ImageSource::Prebuilt(names) => pull(world, names, false).await,
        ImageSource::Build => {
            let builder = world.builder.as_ref().expect("a source that is built has a builder");
            let name = builder.name();
            let there = world.engine.image(name).await;
            match there.map_err(ApplyError::engine("look for the image"))? {
                Some(facts) if foreign(&facts).is_none() => keep(world, facts, Source::Build, None),
                _ => build(world, Reuse::Kept).await,
            }
        }
    }
}

/// Pulls the image that `names` mean, and that keeps the guest contract.
pub(crate) async fn pull<E: Engine, S>(
    world: &World<'_, E, S>,
    names: &[String],
    then_build: bool,
) -> Result<ImageId, ApplyError> {
    let pulled = tokio::select! {
        pulled = pull_one(world, names) => pulled,
        () = world.cancel.cancelled() => return Err(ApplyError::Interrupted),
    };
    let (attempts, told) = match pulled {
        Ok(image) => return Ok(image),
        Err(PullStop::Fatal(error)) => return Err(error),
        Err(PullStop::Registries(attempts)) => (attempts, true),
        Err(PullStop::Image(attempt)) => (vec![attempt], false),
    };
    for PullAttempt { name, why } in attempts.iter().filter(|_| !told) {
        (world.observer)(Event::PullFailed { name: name.clone(), why: why.clone() });
    }
    if then_build { build(world, Reuse::Kept).await } else { Err(ApplyError::Pull { attempts }) }
}

enum PullStop {
    /// No registry could say what the name stands for; each was told of.
    Registries(Vec<PullAttempt>),
    /// The image that it stands for does not come, or is none of ours.
    Image(PullAttempt),
    /// Nothing else will fare better.
    Fatal(ApplyError),
}

async fn pull_one<E: Engine, S>(
    world: &World<'_, E, S>,
    names: &[String],
) -> Result<ImageId, PullStop> {
    let facts = world.engine.facts().await.map_err(ApplyError::engine("look at the engine"));
    let facts = facts.map_err(PullStop::Fatal)?;
    let tell = world.observer;
    let first = names.first().cloned().unwrap_or_default();
    let wanted = Wanted::parse(names).map_err(|error| stop(error.into(), &first, None))?;
    let platform = Platform::from_uname_machine(&facts.architecture)
        .ok_or_else(|| stop(PullError::Engineless(facts.architecture), &first, None))?;
    let found = find(&wanted, platform, world.intake, tell).await;
    let found = found.map_err(|error| stop(error, &first, Some(&wanted)))?;
    let now = (world.now)().parse().expect("the clock says RFC 3339");
    let cleared = verify(found, world.intake, now, tell).await;
    let cleared = cleared.map_err(|error| stop(error, &first, None))?;
    let name = &cleared.found().name;
    let brought = bring(&cleared, world.engine, world.intake, tell).await;
    let image = brought.map_err(|error| stop(error, name, None))?.image;
    let origin = Origin::of(&cleared);
    keep(world, image, Source::Prebuilt, Some(&origin)).map_err(PullStop::Fatal)
}

/// Where an image came from.
struct Origin {
    registry: String,
    digest: String,
    /// On what ground it may be run.
    trust: Trust,
}

impl Origin {
    fn of(cleared: &Cleared) -> Self {
        let name = &cleared.found().pinned[0];
        let (registry, digest) = (name.repository.host().to_string(), name.digest.to_string());
        Self { registry, digest, trust: cleared.image().ground().clone().into() }
    }
}

/// Returns what an error means for the other ways to an image.
fn stop(error: PullError, name: &str, wanted: Option<&Wanted>) -> PullStop {
    if error.is_alarm() || matches!(error, PullError::Settings(_)) {
        return PullStop::Fatal(ApplyError::NotTaken(Box::new(error)));
    }
    match (error, wanted) {
        // The engine itself is gone.
        (PullError::Engine { step, source: source @ occ_engine::Error::NotRunning { .. } }, _) => {
            PullStop::Fatal(ApplyError::Engine { step, source })
        }
        (PullError::Resolve(error), Some(wanted)) => match *error {
            ResolveError::Exhausted(nobody) => {
                PullStop::Registries(wanted.attempts(&nobody.attempts))
            }
            error @ ResolveError::Disagreement { .. } => {
                PullStop::Fatal(ApplyError::NotTaken(Box::new(error.into())))
            }
        },
        (error, _) => PullStop::Image(PullAttempt { name: name.to_owned(), why: one_line(&error) }),
    }
}

/// Builds the image and loads it into the engine.
pub(crate) async fn build<E: Engine, S>(
    world: &World<'_, E, S>,
    reuse: Reuse,
) -> Result<ImageId, ApplyError> {
    let builder = world.builder.as_ref().expect("a plan that builds is given a builder");
    let name = builder.name().to_owned();
    let built = build_beside(world, builder, reuse).await?;
    if world.cancel.is_cancelled() {
        return Err(ApplyError::Interrupted);
    }
    let observer = |event| (world.observer)(Event::Transfer(event));
    let loaded = tokio::select! {
        loaded = world.engine.load_image(built.archive, built.total, &observer) => loaded,
        () = world.cancel.cancelled() => return Err(ApplyError::Interrupted),
    };
    loaded.map_err(ApplyError::engine("load the image"))?;
    let facts = world
        .engine
        .image(&name)
        .await
        .map_err(ApplyError::engine("find the loaded image"))?
        .ok_or_else(|| ApplyError::Engine {
            step: "find the loaded image".to_owned(),
            source: occ_engine::Error::NotFound { message: name },
        })?;
    keep(world, facts, Source::Build, None)
}

/// Builds on a thread of its own, so that news and requests to stop go through meanwhile.
async fn build_beside<E, S>(
    world: &World<'_, E, S>,
    builder: &Arc<dyn ImageBuilder>,
    reuse: Reuse,
) -> Result<crate::ports::BuiltImage, ApplyError> {
    let (send, mut news) = mpsc::unbounded_channel();
    let builder = Arc::clone(builder);
    let cancel = world.cancel.clone();
    let work = tokio::task::spawn_blocking(move || {
        builder.build(reuse, cancel.flag(), &|event| {
            // Nobody listening any more means that the wait below was given up.
            drop(send.send(event));
        })
    });
    while let Some(event) = news.recv().await {
        (world.observer)(Event::Build(event));
    }
    let built = work.await.expect("the builder does not panic");
    if world.cancel.is_cancelled() {
        return Err(ApplyError::Interrupted);
    }
    built.map_err(ApplyError::Build)
}

/// Returns where an image came from that was there already and of which no file says it: another instance
/// built it, or the files were lost. Only a local name proves where from.
pub(crate) async fn adopt<E: Engine, S>(
    world: &World<'_, E, S>,
    image: &ImageId,
) -> Result<Option<ImageState>, ApplyError> {
    let looked = world.engine.image(&image.0).await;
    let facts = looked.map_err(ApplyError::engine("look at the image"))?;
    let local = format!("{}:", guest::LOCAL_REPOSITORY);
    let is_built =
        |tag: &String| tag.strip_prefix(&local).is_some_and(|tag| !tag.starts_with(PULLED));
    let facts = facts.filter(|facts| facts.tags.iter().any(is_built));
    Ok(facts.map(|facts| state(world, &facts, Source::Build, None)))
}

fn state<E, S>(
    world: &World<'_, E, S>,
    facts: &ImageFacts,
    source: Source,
    origin: Option<&Origin>,
) -> ImageState {
    // An image that is no release is as new as what built it.
    let label = facts.labels.get(guest::LABEL_VERSION).filter(|label| *label != "dev").cloned();
    ImageState {
        version: label.unwrap_or_else(|| world.version.to_owned()),
        source,
        registry: origin.map(|origin| origin.registry.clone()),
        acquired_at: (world.now)(),
        image_id: Some(facts.id.clone()),
        digest: origin.map(|origin| origin.digest.clone()),
        trust: Some(origin.map_or(Trust::LocalBuild, |origin| origin.trust.clone())),
    }
}

/// Writes down where an image came from, by registry and digest, that it arrived, and returns its id.
fn keep<E, S>(
    world: &World<'_, E, S>,
    facts: ImageFacts,
    source: Source,
    origin: Option<&Origin>,
) -> Result<ImageId, ApplyError> {
    let state = state(world, &facts, source, origin);
    world.home.save_image_state(&state, world.lock)?;
    let from = match origin {
        Some(Origin { registry, trust, .. }) => format!("pulled from {registry}, {trust}"),
        None => "built on this machine".to_owned(),
    };
    world.home.remember(&HistoryEntry {
        to: Some(facts.id.0.clone()),
        digest: state.digest,
        why: Some(from),
        ..HistoryEntry::new((world.now)(), "acquire", Verdict::Done)
    })?;
    Ok(facts.id)
}

/// Returns an error and its causes in one line.
pub(crate) fn one_line(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}
