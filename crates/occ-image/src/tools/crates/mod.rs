//! Tools from crates.io: the source of a crate with everything its own lock names, compiled here.

mod cargo;
mod compile;

use occ_oci::VerifyingError;

use cargo::Cargo;
pub(super) use compile::tree;

use super::kept_size;
use crate::cache::Cache;
use crate::error::BuildError;
use crate::event::{Event, Part};
use crate::lock::PackagePin;
use crate::plan::ToolPlan;
use crate::recipe::Tool;
use crate::resolve::Wanted;
use crate::workshop::Workshop;

/// Name of the registry in errors.
pub(super) const REGISTRY: &str = "crates.io";

/// Resolves a tool: its own crate first, then those in that one's lock.
pub(super) fn resolve(
    tool: &Tool,
    package: &str,
    version: &str,
    wanted: &Wanted<'_>,
    workshop: &Workshop,
    cache: &Cache<'_>,
) -> Result<Vec<PackagePin>, BuildError> {
    let kept = wanted.kept.and_then(|lock| lock.tools.get(&tool.name)).filter(|lock| {
        let own = lock.packages.first();
        let fits = own.is_some_and(|own| {
            own.name == package && (version.is_empty() || own.version == version)
        });
        lock.source == tool.source.kind() && !wanted.may_move(&tool.name) && fits
    });
    if let Some(lock) = kept {
        match fetch_pins(&lock.packages, workshop, cache) {
            Ok(()) => return Ok(lock.packages.clone()),
            Err(BuildError::NotAvailable { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    let work = cache.work_folder()?;
    Cargo::new(workshop, cache, work.path())?.bring(package, version)
}

/// Fetches what the cache does not have of some tools' crates.
pub(super) fn fetch(
    plans: &[&ToolPlan],
    workshop: &Workshop,
    cache: &Cache<'_>,
) -> Result<(), BuildError> {
    plans.iter().try_for_each(|plan| fetch_pins(&plan.packages, workshop, cache))
}

fn fetch_pins(
    pins: &[PackagePin],
    workshop: &Workshop,
    cache: &Cache<'_>,
) -> Result<(), BuildError> {
    let Some(own) = pins.first() else { return Ok(()) };
    let mut missing = Vec::new();
    for pin in pins {
        if cache.file(&pin.digest, pin.size)?.is_none() {
            missing.push(pin);
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let part = Part::Packages(REGISTRY);
    (cache.context().0)(Event::Doing { part, what: own.spec() });
    let work = cache.work_folder()?;
    let brought = Cargo::new(workshop, cache, work.path())?.bring(&own.name, &own.version)?;
    missing.into_iter().try_for_each(|pin| is_among(pin, &brought))
}

/// Makes sure that a crate is the one that cargo brought.
fn is_among(pin: &PackagePin, brought: &[PackagePin]) -> Result<(), BuildError> {
    let same = |other: &&PackagePin| other.name == pin.name && other.version == pin.version;
    let name = pin.spec();
    match brought.iter().find(same) {
        None => Err(BuildError::NotAvailable { name, registry: REGISTRY }),
        Some(other) if other.digest == pin.digest => Ok(()),
        Some(other) => {
            let (expected, got) = (pin.digest.clone(), other.digest.clone());
            let source = VerifyingError::Digest { expected, got };
            Err(BuildError::FileMismatch { name, source })
        }
    }
}
