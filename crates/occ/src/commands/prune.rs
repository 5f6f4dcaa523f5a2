//! `occ prune`: remove what was left behind.

use std::collections::BTreeSet;

use clap::Args;
use occ_engine::{Docker, Engine as _};
use occ_image::{Pruned, Size, guest};
use occ_sandbox::{
    Claim, Home, Leftovers, Lock, Sandbox, Seen, Stages, TryLock, Work, apply_prune, forsaken,
    homes, named_by, observe_work, plan_prune,
};
use serde_json::json;

use super::agreement::agree_to_remove;
use super::image::needed_entries;
use super::ls::fleet;
use super::rm::said;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, would_lose};
use crate::terminal::columns;

/// Arguments of `occ prune`.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(crate) struct PruneArgs {
    /// Remove volumes too that no sandbox has any more
    #[arg(long)]
    volumes: bool,
    /// Remove such volumes even when uncommitted or unpushed work in them is lost
    #[arg(long)]
    discard_work: bool,
    /// Answer yes to every question that can lose no work
    #[arg(long, short)]
    yes: bool,
    /// Show what would be removed and remove nothing
    #[arg(long)]
    dry_run: bool,
}

/// Everything that can go.
struct Found {
    leftovers: Leftovers,
    /// Layers and files that builds kept.
    cache: Pruned,
    keep: BTreeSet<String>,
}

impl Found {
    fn is_empty(&self) -> bool {
        self.leftovers.is_empty() && self.cache.removed.is_empty()
    }
}

/// Runs `occ prune`.
pub(crate) fn run(args: &PruneArgs, context: &Context) -> Result<Exit, Failure> {
    context.block_on(prune(args, context))
}

async fn prune(args: &PruneArgs, context: &Context) -> Result<Exit, Failure> {
    let engine = context.engine()?;
    // Nobody works on what goes, as long as the locks are held.
    let (found, _locks) = look(&engine, args, context).await?;
    if args.dry_run || found.is_empty() {
        return finish(&found, false, context);
    }
    if !args.yes {
        context.terminal.say(listed(&found).trim_end());
        agree_to_remove("Remove all of this?", "occ prune --yes", context).await?;
    }
    let stages = Stages::new(&context.state_dir());
    for name in apply_prune(&engine, &found.leftovers, &stages).await? {
        context.terminal.warn(&format!("left, because it is in use: {name}"));
    }
    occ_image::prune(&context.env.cache_dir, &found.keep, false)?;
    finish(&found, true, context)
}

async fn look(
    engine: &Docker,
    args: &PruneArgs,
    context: &Context,
) -> Result<(Found, Vec<Lock>), Failure> {
    let (mut fleet, made_of_ours, images, sizes) = tokio::try_join!(
        fleet(engine, context),
        async { Ok(engine.containers(guest::LABEL_CONTRACT).await?) },
        async { Ok(engine.images(guest::LABEL_CONTRACT).await?) },
        async { Ok(engine.volume_sizes().await?) },
    )?;
    let stages = Stages::new(&context.state_dir()).look()?;
    let forsaken = forsaken(&fleet, &stages, &sizes);
    let locks = if args.dry_run { Vec::new() } else { lock_idle(&mut fleet, context)? };
    let homes = homes(&context.state_dir());
    let needed = homes.iter().flat_map(|(_, home)| named_by(home)).collect();
    let seen = Seen {
        fleet: &fleet,
        made_of_ours: &made_of_ours,
        images: &images,
        sizes: &sizes,
        needed: &needed,
        stages: &stages,
        forsaken: &forsaken,
    };
    let leftovers = plan_prune(seen, args.volumes);
    if args.volumes && !args.discard_work {
        prove(engine, &fleet, context).await?;
    }
    let keep = needed_entries(context)?;
    let cache = occ_image::prune(&context.env.cache_dir, &keep, true)?;
    Ok((Found { leftovers, cache, keep }, locks))
}

/// Takes the locks of all instances that something is left of, and leaves alone what others work on.
fn lock_idle(fleet: &mut [Sandbox], context: &Context) -> Result<Vec<Lock>, Failure> {
    let mut locks = Vec::new();
    let has_leftovers = |sandbox: &&mut Sandbox| {
        let aside = !sandbox.side_containers.is_empty() || !sandbox.side_volumes.is_empty();
        aside || !sandbox.is_known()
    };
    for sandbox in fleet.iter_mut().filter(has_leftovers) {
        let home = Home::new(&context.state_dir(), &sandbox.instance);
        home.create()?;
        match home.try_lock()? {
            TryLock::Held(lock) => locks.push(lock),
            TryLock::Busy { .. } => {
                sandbox.side_containers.clear();
                sandbox.side_volumes.clear();
                // Whoever works on it may be about to make a container for its volumes.
                sandbox.has_files = true;
            }
        }
    }
    Ok(locks)
}

/// Proves that the volumes of sandboxes that are gone hold nothing that exists nowhere else.
async fn prove(engine: &Docker, fleet: &[Sandbox], context: &Context) -> Result<(), Failure> {
    let user = context.claim().user;
    let mut all = Work::default();
    for sandbox in fleet.iter().filter(|sandbox| !sandbox.is_known()) {
        let claim = Claim { instance: &sandbox.instance, user };
        let work = observe_work(engine, claim, sandbox, &context.cancel).await?;
        all.add(work, sandbox.instance.name());
    }
    if all.is_none() { Ok(()) } else { Err(would_lose(&all, "occ prune --volumes")) }
}

fn finish(found: &Found, changed: bool, context: &Context) -> Result<Exit, Failure> {
    let Leftovers { stages, containers, volumes, images } = &found.leftovers;
    let cache: Vec<_> = found.cache.removed.iter().map(|entry| &entry.path).collect();
    let data = json!({
        "changed": changed,
        "stages": stages,
        "containers": containers,
        "volumes": volumes,
        "images": images,
        "cache": { "paths": cache, "size": found.cache.freed() },
    });
    let text = match (context.terminal.quiet(), found.is_empty(), changed) {
        (true, _, _) => String::new(),
        (_, true, _) => "nothing to remove\n".to_owned(),
        (_, _, true) => format!("{}removed\n", listed(found)),
        (_, _, false) => listed(found),
    };
    context.terminal.result("occ/prune", &data, &text)?;
    Ok(Exit::Done)
}

fn listed(found: &Found) -> String {
    let Leftovers { stages, containers, volumes, images } = &found.leftovers;
    let row = |what: &str, name: &str, size: String| vec![what.to_owned(), name.to_owned(), size];
    let containers = stages.iter().flat_map(|stage| &stage.containers).chain(containers);
    let containers = containers.map(|name| row("container", name, "-".to_owned()));
    let volumes = stages.iter().flat_map(|stage| &stage.volumes).chain(volumes);
    let volumes = volumes.map(|volume| row("volume", &volume.name, said(volume)));
    let images = images.iter().map(|image| {
        let name = image.names.first().map_or(image.id.0.as_str(), String::as_str);
        row("image", name, Size(image.size).to_string())
    });
    let kept = found.cache.removed.len();
    let cache = (kept > 0).then(|| {
        row("cache", &format!("{kept} old layers and files"), Size(found.cache.freed()).to_string())
    });
    let rows: Vec<_> = containers.chain(volumes).chain(images).chain(cache).collect();
    columns(&rows)
}
