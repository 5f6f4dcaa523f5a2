//! `occ rollback`: the sandbox before the last change of its image, as it was.

use clap::Args;
use occ_engine::Engine as _;
use occ_sandbox::{ImageBuilder as _, Outcome, Previous, plan_rollback};
use serde_json::json;

use super::agreement::Agreement;
use super::existing_container;
use super::start::{self, StartSettings};
use super::update::change_over;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Arguments of `occ rollback`.
#[derive(Debug, Args)]
#[command(
    after_help = "What is left becomes the next rollback point, with its data: another occ rollback returns to it."
)]
pub(crate) struct RollbackArgs {
    /// Keep the data as it is now, instead of as it was then
    #[arg(long)]
    keep_data: bool,
    #[command(flatten)]
    agreement: Agreement,
}

/// Runs `occ rollback`.
pub(crate) fn run(args: &RollbackArgs, context: &Context) -> Result<Exit, Failure> {
    let settings = StartSettings::again(context)?.agreeing(args.agreement.yes);
    context.block_on(rollback(args, settings, context))
}

async fn rollback(
    args: &RollbackArgs,
    mut settings: StartSettings,
    context: &Context,
) -> Result<Exit, Failure> {
    let engine = context.engine()?;
    let lock = context.lock().await?;
    existing_container(&engine, context).await?;
    let point = context.home().record().0.and_then(|record| record.previous);
    let said = point.as_ref().map(|point| point.record.said.clone()).unwrap_or_default();
    let (spec, config) = settings.wish_as(&said, context)?;
    let workshop = context.workshop(&config)?;
    let seen = start::look(&spec, context, &engine, workshop.name(), true).await?;
    let container = match &point {
        Some(point) => engine.container(&point.container.aside).await?,
        None => None,
    };
    let previous = Previous { point: point.as_ref(), container: container.as_ref() };
    let plan = start::decide(&mut settings.consent, context, |consent| {
        plan_rollback(&spec, &seen, &previous, args.keep_data, consent)
    })
    .await?;
    if args.agreement.dry_run {
        return start::show_plan(&plan, context);
    }
    let outcome = change_over(&plan, &spec, context, &engine, &lock).await?;
    report(&outcome, context)
}

fn report(outcome: &Outcome, context: &Context) -> Result<Exit, Failure> {
    let record = &outcome.record;
    let data = json!({ "image": record.image, "opencode_version": record.opencode_version });
    let text = format!("opencode {} is back\n", record.opencode_version);
    context.terminal.result("occ/rollback", &data, &text)?;
    context.terminal.say("To return to what was left: occ rollback");
    Ok(Exit::Done)
}
