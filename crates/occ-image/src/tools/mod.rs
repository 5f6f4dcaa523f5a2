//! Tools: programs that come from somewhere else than Debian, one layer each.
//!
//! Each source has a file: it asks its registry ([`resolve`]), brings files into the cache ([`fetch`]), and
//! lays them out ([`tree`]). Asking and fetching is done by the machine's own package client. Nothing that
//! comes with a package is run, except where a crate is compiled.

mod archive;
mod crates;
mod files;
mod gather;
mod machine;
mod npm;
mod patience;
mod pypi;
#[cfg(test)]
mod tests;
mod url;

use std::fs;
use std::io;
use std::path::Path;

use occ_layer::tree::LayerTree;
use occ_oci::Digest;

use crate::cache::Cache;
use crate::error::BuildError;
use crate::event::{Event, Part};
use crate::lock::ToolLock;
use crate::plan::ToolPlan;
use crate::recipe::{Architecture, Source, Tool};
use crate::resolve::Wanted;
use crate::workshop::Workshop;

/// Returns where a command of an npm package is put.
pub(crate) fn command_path(command: &str) -> String {
    format!("/usr/local/bin/{command}")
}

/// Asks a tool's registry for the exact files it consists of, on all architectures.
///
/// All of them are in the cache afterwards, and were verified.
pub(crate) fn resolve(
    tool: &Tool,
    wanted: &Wanted<'_>,
    workshop: &Workshop,
    cache: &Cache<'_>,
) -> Result<ToolLock, BuildError> {
    let part = Part::Packages(registry(&tool.source));
    (cache.context().0)(Event::Doing { part, what: format!("resolving {}", tool.name) });
    let packages = match &tool.source {
        Source::Npm { package, version } => {
            npm::resolve(tool, package, version, wanted, workshop, cache)
        }
        Source::Pypi { package, version } => {
            pypi::resolve(tool, package, version, wanted, workshop, cache)
        }
        Source::Crates { package, version } => {
            crates::resolve(tool, package, version, wanted, workshop, cache)
        }
        Source::Url { .. } => Ok(Vec::new()),
    }?;
    Ok(ToolLock { name: tool.name.clone(), source: tool.source.kind().to_owned(), packages })
}

/// Fetches what the cache does not have of some tools' files, and verifies it.
pub(crate) fn fetch(
    plans: &[&ToolPlan],
    workshop: &Workshop,
    cache: &Cache<'_>,
) -> Result<(), BuildError> {
    let of = |kind: &str| -> Vec<&ToolPlan> {
        plans.iter().filter(|plan| plan.tool.source.kind() == kind).copied().collect()
    };
    npm::fetch(&of("npm"), workshop, cache)?;
    pypi::fetch(&of("pypi"), workshop, cache)?;
    crates::fetch(&of("crates"), workshop, cache)?;
    url::fetch(&of("url"), workshop, cache)
}

/// Lays a tool's files out as its layer; all of them are in the cache. `spool` is a work folder.
pub(crate) fn tree(
    plan: &ToolPlan,
    workshop: &Workshop,
    cache: &Cache<'_>,
    spool: &Path,
) -> Result<LayerTree, BuildError> {
    match &plan.tool.source {
        Source::Npm { .. } => npm::tree(plan, cache, spool),
        Source::Pypi { .. } => pypi::tree(plan, cache, spool),
        Source::Crates { .. } => crates::tree(plan, workshop, cache, spool),
        Source::Url { .. } => url::tree(plan, cache, spool),
    }
}

/// Returns how a source is called in news and errors.
fn registry(source: &Source) -> &'static str {
    match source {
        Source::Npm { .. } => npm::REGISTRY,
        Source::Pypi { .. } => pypi::REGISTRY,
        Source::Crates { .. } => crates::REGISTRY,
        Source::Url { .. } => url::REGISTRY,
    }
}

/// All architectures that images are made for.
const ARCHITECTURES: [Architecture; 2] = [Architecture::Amd64, Architecture::Arm64];

/// Returns the size in bytes of a kept file of unknown size, if it is there and still what it was.
fn kept_size(cache: &Cache<'_>, digest: &Digest) -> Result<Option<u64>, BuildError> {
    let path = cache.file_path(digest);
    match fs::metadata(&path) {
        Ok(metadata) => Ok(cache.file(digest, metadata.len())?.map(|_| metadata.len())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(BuildError::at(&path)(error)),
    }
}
