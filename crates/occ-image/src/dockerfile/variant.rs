//! The Dockerfile of a variant: tools and the guest's own files on the base.

use std::collections::{BTreeMap, BTreeSet};

use super::tools::{self, OUT};
use super::words::{on_one_line, run, shell};
use super::{UnwritableText, base_name, settings};
use crate::guest::LOCAL_REPOSITORY;
use crate::guest_files::{GuestContent, GuestEntry};
use crate::plan::BuildPlan;

/// Name of the guest's files, in the context and below [`OUT`].
const GUEST: &str = "guest";

/// Addresses of registries, which are the client's own where nobody gives one, and certificates.
const FETCH: &str = "\
ARG NPM_CONFIG_REGISTRY
ARG PIP_INDEX_URL
ARG NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt
ARG PIP_CERT=/etc/ssl/certs/ca-certificates.crt
ARG CARGO_HTTP_CAINFO=/etc/ssl/certs/ca-certificates.crt
ARG DEBIAN_FRONTEND=noninteractive
# Only what is in the folder out gets into the image, so any version of these will do.
# hadolint ignore=DL3008
";

pub(super) fn dockerfile(plan: &BuildPlan) -> Result<String, UnwritableText> {
    let (variant, platform, base) = (on_one_line(&plan.variant)?, plan.platform, base_name(plan));
    let mut text = format!(
        "\
# The variant {variant} for {platform}, written by occ from recipe and lock.
#
#   docker build --file=Dockerfile.variant --tag={LOCAL_REPOSITORY}:{variant} .
#
#   --build-arg=BASE=...                  what Dockerfile.base made, if it has another name
#   --build-arg=NPM_CONFIG_REGISTRY=...   a registry of npm
#   --build-arg=PIP_INDEX_URL=...         an index of Python's packages
#   --build-arg=https_proxy=...           a proxy
#
# Tools have the exact versions of the lock. What packages of npm need in turn is what the registry has.
ARG BASE={base}
FROM ${{BASE}} AS fetch
"
    );
    text.push_str(&clients(plan));
    text.push_str(&format!("COPY {GUEST}/ /{GUEST}/\n{}", run(&guest(&plan.guest)?)));
    for tool in &plan.tools {
        let title = format!("{} {}", tool.tool.name, tool.version);
        text.push_str(&format!("\n# {}\n{}", on_one_line(&title)?, run(&tools::fetch(tool)?)));
    }
    text.push_str("\nFROM ${BASE}\n");
    let names = plan.tools.iter().map(|tool| tool.tool.name.as_str());
    for name in [GUEST].into_iter().chain(names) {
        text.push_str(&format!("COPY --from=fetch {OUT}/{name}/ /\n"));
    }
    text.push_str(&run(&owners(&plan.guest)?));
    text.push_str(&settings::instructions(plan)?);
    Ok(text)
}

/// Returns what makes the package clients ready that the tools take.
fn clients(plan: &BuildPlan) -> String {
    let clients: BTreeSet<&str> = plan.tools.iter().flat_map(tools::clients).collect();
    if clients.is_empty() {
        return String::new();
    }
    let clients = clients.into_iter().collect::<Vec<_>>().join(" ");
    let install = "apt-get install --yes --no-install-recommends ca-certificates";
    let install = format!("{install} {clients}");
    let commands = ["apt-get update", &install, "rm -rf /var/lib/apt/lists/*"];
    format!("{FETCH}{}", run(&commands.map(str::to_owned)))
}

/// Returns the guest's files as the context has them.
pub(super) fn files(entries: &[GuestEntry]) -> BTreeMap<String, Vec<u8>> {
    let file = |entry: &GuestEntry| match &entry.content {
        GuestContent::File(bytes) => Some((format!("{GUEST}{}", entry.path), bytes.clone())),
        GuestContent::Folder | GuestContent::Link(_) => None,
    };
    entries.iter().filter_map(file).collect()
}

/// Returns the commands that give files the modes of the plan, whatever became of them on their way here.
fn guest(entries: &[GuestEntry]) -> Result<Vec<String>, UnwritableText> {
    let mut commands = vec![format!("mkdir -p {OUT}/{GUEST}")];
    for GuestEntry { path, content, mode, .. } in entries {
        let to = shell(&format!("{OUT}/{GUEST}{path}"))?;
        match content {
            GuestContent::File(_) => {
                let from = shell(&format!("/{GUEST}{path}"))?;
                commands.push(format!("install -D --mode={mode:04o} {from} {to}"));
            }
            GuestContent::Link(target) => {
                let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
                let folder = shell(&format!("{OUT}/{GUEST}{folder}"))?;
                commands.push(format!("mkdir -p {folder}"));
                commands.push(format!("ln -s {} {to}", shell(target)?));
            }
            GuestContent::Folder => {}
        }
    }
    Ok(commands)
}

/// Returns the commands that make folders and give things to their owners. COPY makes all of it root's.
fn owners(entries: &[GuestEntry]) -> Result<Vec<String>, UnwritableText> {
    let mut folders: BTreeMap<(u32, (u32, u32)), String> = BTreeMap::new();
    let mut commands = Vec::new();
    for GuestEntry { path, content, mode, owner: (uid, gid) } in entries {
        if *content == GuestContent::Folder {
            let list = folders.entry((*mode, (*uid, *gid))).or_default();
            list.push_str(&format!(" \\\n      {}", shell(path)?));
        } else if (*uid, *gid) != (0, 0) {
            commands.push(format!("chown --no-dereference {uid}:{gid} {}", shell(path)?));
        }
    }
    let make = |((mode, (uid, gid)), list): (_, String)| {
        format!("install --directory --mode={mode:04o} --owner={uid} --group={gid}{list}")
    };
    Ok(folders.into_iter().map(make).chain(commands).collect())
}
