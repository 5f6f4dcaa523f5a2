//! Doing what the plan says: three layers, made or found again, and an image of them.

use std::io::BufWriter;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::cache::{Cache, Layer};
use crate::config::guest_history;
use crate::error::BuildError;
use crate::event::{Event, Observer, Phase};
use crate::guest_files;
use crate::image::Image;
use crate::key::LayerKey;
use crate::plan::BuildPlan;
use crate::workshop::Workshop;
use crate::{base, opencode};
use occ_layer as layer;

/// Builds the image of a plan.
///
/// Layers that an earlier build kept are used again if they are whole. One build at a time uses a cache; a
/// second one waits. `cancel` is looked at often: programs at work are then asked to stop and waited for.
/// Nothing half-made stays, whatever the end.
///
/// # Errors
/// [`BuildError`].
pub fn build(
    plan: &BuildPlan,
    workshop: &Workshop,
    observer: Observer<'_>,
    cancel: &AtomicBool,
) -> Result<Image, BuildError> {
    let cache = Cache::open(&workshop.cache_dir, observer, cancel)?;
    let context = (observer, cancel);
    let layer = |phase, key: LayerKey, make: &dyn Fn() -> Result<Layer, BuildError>| {
        if cancel.load(Ordering::Relaxed) {
            return Err(BuildError::Cancelled);
        }
        if let Some(layer) = cache.get(&key, phase)? {
            return Ok(layer);
        }
        observer(Event::Begin(phase));
        let layer = make()?;
        observer(Event::Done(phase));
        Ok(layer)
    };
    // The quick ones that can fail for want of a network or a program first: the base takes longest.
    let upper = layer(Phase::Guest, plan.guest_key(), &|| make_guest(plan, &cache))?;
    let middle = layer(Phase::Opencode, plan.opencode_key(), &|| {
        opencode::make(plan, workshop, &cache, context)
    })?;
    let lowest =
        layer(Phase::Base, plan.base_key(), &|| base::make(plan, workshop, &cache, context))?;

    let base = &plan.base;
    let history = [
        format!("base: Debian {} {} with {}", base.suite, base.variant, base.packages.join(", ")),
        format!("opencode: {}", plan.opencode.spec()),
        guest_history(),
    ];
    Ok(Image::assemble(plan, [lowest, middle, upper].into_iter().zip(history).collect()))
}

fn make_guest(plan: &BuildPlan, cache: &Cache<'_>) -> Result<Layer, BuildError> {
    let tree = guest_files::tree(&plan.guest)?;
    cache.put(&plan.guest_key(), |file| {
        layer::write(tree, BufWriter::new(file))
            .map_err(BuildError::in_layer(Path::new("the guest files")))
    })
}
