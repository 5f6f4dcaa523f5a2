//! `occ reset`: a new container, and empty volumes where that is wished; nothing is lost by it until
//! the next update.

use clap::Args;
use occ_image::guest;
use occ_sandbox::{Cause, Change, Contents, ImageBuilder as _, Outcome, SandboxSpec};
use serde_json::json;

use super::agreement::Agreement;
use super::existing_container;
use super::start::{self, StartSettings};
use super::update::{agree_on, change_over};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Arguments of `occ reset`.
#[derive(Debug, Args)]
#[command(after_help = "What there was is kept until the next update: occ rollback returns to it.")]
pub(crate) struct ResetArgs {
    /// Empty this volume too: data, state, config, cache, programs, workspace; may be repeated
    #[arg(long, value_name = "PLACE", value_parser = place)]
    volume: Vec<&'static str>,
    /// Empty every volume of opencode's own: data, state, config, cache; not the workspace
    #[arg(long, conflicts_with = "volume")]
    volumes: bool,
    #[command(flatten)]
    agreement: Agreement,
}

/// Volumes that `--volumes` means.
const OWN: [&str; 4] = ["data", "state", "config", "cache"];

fn place(text: &str) -> Result<&'static str, String> {
    let names: Vec<&'static str> = guest::PLACES.iter().map(|place| place.name).collect();
    let found = names.iter().find(|name| **name == text).copied();
    found.ok_or_else(|| format!("one of these is expected: {}", names.join(", ")))
}

/// Runs `occ reset`.
pub(crate) fn run(args: &ResetArgs, context: &Context) -> Result<Exit, Failure> {
    let settings = StartSettings::again(context)?.agreeing(args.agreement.yes);
    context.block_on(reset(args, settings, context))
}

async fn reset(
    args: &ResetArgs,
    mut settings: StartSettings,
    context: &Context,
) -> Result<Exit, Failure> {
    let engine = context.engine()?;
    let lock = context.lock().await?;
    existing_container(&engine, context).await?;
    let (spec, config) = settings.wish(context)?;
    let workshop = context.workshop(&config)?;
    let change = Change {
        anew: true,
        contents: Contents::Emptied(emptied(args, &spec)),
        stops_again: true,
        ..Change::of(Cause::Reset)
    };
    let plan = agree_on(&change, &spec, &mut settings, workshop.name(), context, &engine).await?;
    if args.agreement.dry_run {
        return start::show_plan(&plan, context);
    }
    let outcome = change_over(&plan, &spec, context, &engine, &lock).await?;
    report(&change.contents.replaced(), &outcome, context)
}

/// Returns the volumes to be emptied; the workspace is none of ours where it is a folder of the host.
fn emptied(args: &ResetArgs, spec: &SandboxSpec) -> Vec<String> {
    let places = if args.volumes { &OWN[..] } else { &args.volume };
    let ours = spec.volumes();
    let named = places.iter().map(|place| spec.instance.volume(place));
    named.filter(|name| ours.iter().any(|(volume, _)| volume == name)).collect()
}

fn report(empties: &[String], outcome: &Outcome, context: &Context) -> Result<Exit, Failure> {
    let record = &outcome.record;
    let data = json!({ "emptied": empties, "container": record.container, "image": record.image });
    context.terminal.result("occ/reset", &data, "the sandbox is made anew\n")?;
    context.terminal.say("To return to what there was: occ rollback");
    Ok(Exit::Done)
}
