//! `occ image cache`: what builds keep, and making room.

use std::collections::BTreeSet;

use clap::{Args, Subcommand};
use occ_image::{BuildPlan, CacheEntry, EntryKind, Release, Target};
use occ_oci::Platform;
use serde_json::{Value, json};

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Commands about what builds keep.
#[derive(Debug, Subcommand)]
pub(crate) enum CacheCommand {
    /// List what is kept
    Ls,
    /// Remove what the images of the recipe do not need
    Prune(PruneArgs),
}

/// Arguments of `occ image cache prune`.
#[derive(Debug, Args)]
pub(crate) struct PruneArgs {
    /// Remove everything
    #[arg(long)]
    all: bool,
    /// Show what would be removed and remove nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs `occ image cache`.
pub(crate) fn run(command: &CacheCommand, context: &Context) -> Result<Exit, Failure> {
    match command {
        CacheCommand::Ls => list(context),
        CacheCommand::Prune(args) => prune(args, context),
    }
}

fn list(context: &Context) -> Result<Exit, Failure> {
    let entries = occ_image::list(&context.env.cache_dir)?;
    let text: String = entries.iter().map(line).collect();
    let data = json!({ "entries": entries.iter().map(entry).collect::<Vec<_>>() });
    context.terminal.result("occ/image-cache", &data, &text)?;
    let total: u64 = entries.iter().map(|entry| entry.size).sum();
    context.terminal.say(&format!("{} MiB in {} entries", total >> 20, entries.len()));
    Ok(Exit::Done)
}

fn prune(args: &PruneArgs, context: &Context) -> Result<Exit, Failure> {
    let keep = if args.all { BTreeSet::new() } else { needed(context)? };
    let pruned = occ_image::prune(&context.env.cache_dir, &keep, args.dry_run)?;
    let text: String = pruned.removed.iter().map(line).collect();
    let data = json!({
        "removed": pruned.removed.iter().map(entry).collect::<Vec<_>>(),
        "freed": pruned.freed(),
        "kept": pruned.kept,
        "dry_run": args.dry_run,
    });
    context.terminal.result("occ/image-cache-prune", &data, &text)?;
    let verb = if args.dry_run { "would be freed" } else { "freed" };
    context.terminal.say(&format!(
        "{} MiB {verb}, {} MiB kept",
        pruned.freed() >> 20,
        pruned.kept >> 20
    ));
    Ok(Exit::Done)
}

/// Names of what the images of the recipe are made of, on every platform.
pub(crate) fn needed(context: &Context) -> Result<BTreeSet<String>, Failure> {
    let config = context.layers()?.config();
    let source = context.image_source(config.image_recipe.as_deref())?;
    let mut keep = BTreeSet::new();
    for variant in source.recipe.variants.keys() {
        for platform in Platform::ALL {
            for with in [Vec::new(), config.image_features.clone()] {
                let target = Target { platform, variant: variant.clone(), with };
                keep.extend(names(&source.plan(&target, &Release::default())?));
            }
        }
    }
    Ok(keep)
}

fn names(plan: &BuildPlan) -> Vec<String> {
    let file = |digest: &occ_oci::Digest| format!("{}-{}", digest.algorithm().name(), digest.hex());
    let base = plan.base.layers().into_iter().map(|(_, key)| key.hex().to_owned());
    let debian = plan.base.groups.iter().flat_map(|group| &group.packages);
    let tools = plan.tools.iter().map(|tool| tool.key().hex().to_owned());
    let packages = plan.tools.iter().flat_map(|tool| &tool.packages);
    let addresses = plan.tools.iter().filter_map(|tool| tool.address());
    base.chain([plan.guest_key().hex().to_owned()])
        .chain(tools)
        .chain(debian.map(|pin| file(&pin.digest)))
        .chain(packages.map(|pin| file(&pin.digest)))
        .chain(addresses.map(|(_, digest)| file(digest)))
        .collect()
}

fn kind(entry: &CacheEntry) -> &'static str {
    match entry.kind {
        EntryKind::File => "file",
        EntryKind::Layer => "layer",
        EntryKind::Work => "work",
    }
}

fn line(entry: &CacheEntry) -> String {
    format!("{:<5} {:>9} KiB  {}\n", kind(entry), entry.size.div_ceil(1024), entry.name)
}

fn entry(entry: &CacheEntry) -> Value {
    json!({ "kind": kind(entry), "name": entry.name, "path": entry.path, "size": entry.size })
}
