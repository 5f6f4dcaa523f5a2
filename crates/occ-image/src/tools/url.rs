//! Tools from an address: curl fetches the file, the recipe has its digest.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use occ_layer::tree::{Content, Entry, Kind, LayerTree};
use occ_layer::unpack::Format;

use super::{archive, files, kept_size};
use crate::cache::Cache;
use crate::error::BuildError;
use crate::event::{Event, Part};
use crate::plan::{PlanError, ToolPlan};
use crate::program::{Program, Stream};
use crate::recipe::Architecture;
use crate::workshop::Workshop;
use occ_oci::Digest;

/// Where the files come from, in errors and news.
pub(super) const REGISTRY: &str = "its address";

/// What every call has. A server that sends less than a kilobyte in a minute has stopped; a file is never
/// larger than what an archive may become.
const ALWAYS: [&str; 16] = [
    "--fail",
    "--location",
    "--silent",
    "--show-error",
    "--max-redirs",
    "10",
    "--connect-timeout",
    "30",
    "--speed-limit",
    "1024",
    "--speed-time",
    "60",
    "--retry",
    "2",
    "--max-filesize",
    "2147483648",
];

/// SPEC: curl(1), "EXIT CODES": "Write error. curl could not write data to a local filesystem or similar."
const WRITE_ERROR: i32 = 23;

/// Fetches what the cache does not have of some tools' files.
pub(super) fn fetch(
    plans: &[&ToolPlan],
    workshop: &Workshop,
    cache: &Cache<'_>,
) -> Result<(), BuildError> {
    for plan in plans {
        let (address, digest) = address(plan)?;
        if kept_size(cache, digest)?.is_none() {
            let part = Part::Tool(plan.tool.name.clone(), plan.platform);
            let what = format!("fetching {address}");
            (cache.context().0)(Event::Doing { part, what });
            download(&name(plan), &address, digest, workshop, cache)?;
        }
    }
    Ok(())
}

fn download(
    name: &str,
    address: &str,
    digest: &Digest,
    workshop: &Workshop,
    cache: &Cache<'_>,
) -> Result<(), BuildError> {
    let work = cache.work_folder()?;
    let path = work.path().join("file");
    // A redirect must not lead away from TLS.
    let protocols = if address.starts_with("https:") { "=https" } else { "=http,https" };
    let mut status = String::new();
    let ended = Program::new(&workshop.programs.curl, "curl", cache.context().1)
        .with(|command| {
            command.args(ALWAYS).args(["--proto", protocols, "--write-out", "%{http_code}\n"]);
            command.arg("--output").arg(&path).args(["--url", address]);
            command.envs(workshop.environment.iter().cloned());
        })
        .writes_to(work.path())
        .cannot_write_is(WRITE_ERROR)
        .run(|stream, line| {
            if stream == Stream::Out {
                line.clone_into(&mut status);
            }
        });
    match ended {
        Err(BuildError::ProgramFailed { .. }) if matches!(status.as_str(), "404" | "410") => {
            let name = format!("{name} ({address})");
            Err(BuildError::NotAvailable { name, registry: REGISTRY })
        }
        Err(error) => Err(error),
        Ok(()) => cache.keep_file(&path, name, digest, None).map(|_| ()),
    }
}

/// Lays a tool's files out.
pub(super) fn tree(
    plan: &ToolPlan,
    cache: &Cache<'_>,
    spool: &Path,
) -> Result<LayerTree, BuildError> {
    let (address, digest) = address(plan)?;
    let (name, file) = (name(plan), cache.file_path(digest));
    let archive = match Format::of_file_name(file_name(&address)) {
        Format::Plain => plain(&file, file_name(&address))?,
        format => archive::open(&file, format, &name, cache, spool)?,
    };
    files::place(plan, &archive, &name)
}

/// Returns a file that is no archive as the one member of a tree, called as its address calls it.
fn plain(path: &Path, name: &str) -> Result<LayerTree, BuildError> {
    let file = File::open(path).map_err(BuildError::at(path))?;
    let size = file.metadata().map_err(BuildError::at(path))?.len();
    let content = Content::Slice { file: Arc::new(file), offset: 0, size };
    let mut tree = LayerTree::new();
    tree.insert(name, Entry::new(Kind::File(content), 0o644))?;
    Ok(tree)
}

fn address(plan: &ToolPlan) -> Result<(String, &Digest), BuildError> {
    let architecture = Architecture::from(plan.platform);
    plan.address()
        .ok_or_else(|| PlanError::NoPin { tool: plan.tool.name.clone(), architecture }.into())
}

fn name(plan: &ToolPlan) -> String {
    format!("{} {}", plan.tool.name, plan.version)
}

/// Returns the last part of an address's path (RFC 3986, 3.3).
fn file_name(address: &str) -> &str {
    let path = address.split(['?', '#']).next().unwrap_or_default();
    path.rsplit('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_name_of_an_address_has_neither_query_nor_fragment() {
        assert_eq!(file_name("https://a.test/b/c.tar.gz?token=/x.zip#y"), "c.tar.gz");
        assert_eq!(file_name("https://a.test/sops-v1.linux.amd64"), "sops-v1.linux.amd64");
        assert_eq!(file_name("https://a.test/"), "");
    }
}
