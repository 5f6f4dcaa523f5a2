//! What keeps registries in order: `occ release report`, `sizes`, `retain` and `sync`.

use std::path::PathBuf;

use clap::Args;
use occ_image::Size;
use occ_release::{
    Attachments, GROWTH_THRESHOLD, Receipt, Reported, RetentionRules, Survey, SyncError, growth,
    plan_retention, plan_sync, report, retire, survey, synchronize, verify_release,
};
use serde_json::{Value, json};

use super::run::records;
use super::wish::{Grounds, PlaceArgs};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Arguments of `occ release report`.
#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    #[command(flatten)]
    places: PlaceArgs,
    /// The file
    #[arg(long, short, value_name = "FILE", default_value = "release-report.html")]
    output: PathBuf,
}

/// Arguments of `occ release sizes`.
#[derive(Debug, Args)]
pub(crate) struct SizesArgs {
    #[command(flatten)]
    places: PlaceArgs,
    /// By how many percent an image may grow before this ends with 3
    #[arg(long, value_name = "PERCENT")]
    threshold: Option<u32>,
}

/// Arguments of `occ release retain`.
#[derive(Debug, Args)]
pub(crate) struct RetainArgs {
    #[command(flatten)]
    places: PlaceArgs,
    /// How many of the newest releases stay
    #[arg(long, value_name = "NUMBER", default_value_t = RetentionRules::default().newest)]
    newest: usize,
    /// Whatever is younger stays
    #[arg(long, value_name = "DAYS", default_value_t = RetentionRules::default().days)]
    days: u32,
    /// Remove what goes; without it only is shown what would
    #[arg(long)]
    yes: bool,
    /// Remove also what others signed about it, and registries' own lists of that
    #[arg(long)]
    attached: bool,
}

/// Arguments of `occ release sync`.
#[derive(Debug, Args)]
pub(crate) struct SyncArgs {
    #[command(flatten)]
    places: PlaceArgs,
    /// Show what would be done and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Let tags move that never do, where the second registry has something else
    #[arg(long)]
    force: bool,
}

async fn surveys(grounds: &Grounds) -> Result<Vec<Survey>, Failure> {
    let mut surveys = Vec::new();
    for place in &grounds.places {
        surveys.push(survey(place, grounds.trust()).await?);
    }
    Ok(surveys)
}

/// Returns the receipts of the first place that somebody vouches for, newest first.
async fn receipts(grounds: &Grounds) -> Result<Vec<Receipt>, Failure> {
    let seen = survey(&grounds.places[0], grounds.trust()).await?;
    let good = seen.releases.into_iter().filter(|release| release.doubt.is_none());
    Ok(good.map(|release| release.receipt).collect())
}

/// Runs `occ release report`.
pub(super) fn write_report(args: &ReportArgs, context: &Context) -> Result<Exit, Failure> {
    context.block_on(async {
        let grounds = args.places.grounds(context)?;
        let mut reported: Vec<Reported> = Vec::new();
        for receipt in receipts(&grounds).await? {
            let newest = reported.is_empty();
            let mut one = Reported { receipt: Some(receipt.clone()), ..Reported::default() };
            if newest {
                let verified =
                    verify_release(&grounds.places, &receipt.channel, grounds.trust(), false).await;
                one.checked = verified.map(|it| it.checked).unwrap_or_default();
            }
            reported.push(one);
        }
        for record in records(context)? {
            let is_it = |one: &&mut Reported| {
                one.receipt.as_ref().is_some_and(|it| {
                    (it.channel, it.seq) == (record.plan.channel, record.plan.seq)
                })
            };
            match reported.iter_mut().find(is_it) {
                Some(one) => one.record = Some(record),
                None => reported.push(Reported { record: Some(record), ..Reported::default() }),
            }
        }
        let page = report(&reported);
        std::fs::write(&args.output, page).map_err(|error| {
            Failure::new(Exit::Failed, format!("cannot write {}: {error}", args.output.display()))
        })?;
        let data = json!({ "file": args.output, "releases": reported.len() });
        context.terminal.say(&format!("{} releases", reported.len()));
        let text = format!("{}\n", args.output.display());
        context.terminal.result("occ/release-report", &data, &text)?;
        Ok(Exit::Done)
    })
}

/// Runs `occ release sizes`.
pub(super) fn sizes(args: &SizesArgs, context: &Context) -> Result<Exit, Failure> {
    context.block_on(async {
        let grounds = args.places.grounds(context)?;
        let threshold =
            args.threshold.map_or(GROWTH_THRESHOLD, |percent| f64::from(percent) / 100.0);
        let all = growth(&receipts(&grounds).await?, threshold);
        let mut text = String::new();
        for one in &all {
            for point in &one.points {
                let percent = point.growth.map(|part| format!("{:+.1} %", part * 100.0));
                let word = if point.alert { "  TOO MUCH" } else { "" };
                text.push_str(&format!(
                    "{:<16} {:<12} {:<12} {:>10} {:>9}{word}\n",
                    one.variant,
                    one.platform.to_string(),
                    point.channel,
                    Size(point.size),
                    percent.unwrap_or_default()
                ));
            }
        }
        let alerts = all.iter().any(occ_release::Growth::alerts);
        context.terminal.result(
            "occ/release-sizes",
            &json!({ "images": all, "alert": alerts }),
            &text,
        )?;
        Ok(if alerts { Exit::Refused } else { Exit::Done })
    })
}

/// Runs `occ release retain`.
pub(super) fn retain(args: &RetainArgs, context: &Context) -> Result<Exit, Failure> {
    context.block_on(async {
        let grounds = args.places.grounds(context)?;
        let rules = RetentionRules { newest: args.newest, days: args.days };
        let plan = plan_retention(&surveys(&grounds).await?, rules, crate::time::moment());
        let mut text = String::new();
        for kept in &plan.kept {
            text.push_str(&format!("stays  {:<12} {}\n", kept.channel, kept.why.join("; ")));
        }
        for removal in &plan.removals {
            let size = Size(removal.bytes).to_string();
            text.push_str(&format!("goes   {:<12} {size:>9}  {}\n", removal.name, removal.why));
        }
        let mut data = json!({ "plan": plan, "changed": false, "removed": Value::Null });
        let mut exit = Exit::Done;
        if args.yes && !plan.removals.is_empty() {
            let attachments = if args.attached { Attachments::All } else { Attachments::OnReceipt };
            let retired = retire(&plan, &grounds.places, attachments).await?;
            for left in &retired.passed_over {
                context.terminal.warn(left);
            }
            for refusal in &retired.refused {
                context
                    .terminal
                    .warn(&format!("{} keeps {}: {}", refusal.place, refusal.what, refusal.why));
            }
            context.terminal.say(&format!("removed: {} manifests", retired.removed));
            if !retired.refused.is_empty() {
                exit = Exit::Network;
            }
            data["changed"] = json!(retired.removed > 0);
            data["removed"] = json!(retired);
        } else if !plan.removals.is_empty() {
            context.terminal.say(&format!(
                "{} would be freed; remove it: occ release retain --yes",
                Size(plan.bytes)
            ));
        }
        context.terminal.result("occ/release-retain", &data, &text)?;
        Ok(exit)
    })
}

/// Runs `occ release sync`.
pub(super) fn sync(args: &SyncArgs, context: &Context) -> Result<Exit, Failure> {
    context.block_on(async {
        let grounds = args.places.grounds(context)?;
        let [first, others @ ..] = grounds.places.as_slice() else {
            return Err(Failure::usage("there is no registry to begin with"));
        };
        if others.is_empty() {
            return Err(Failure::usage("one registry is equal to itself")
                .hint("name a second one with --to"));
        }
        let (mut text, mut all, mut changed) = (String::new(), Vec::new(), false);
        for second in others {
            let plan = plan_sync(first, second, grounds.trust()).await?;
            for lacking in &plan.lacking {
                let (channel, name) = (lacking.channel, &lacking.name);
                text.push_str(&format!(
                    "{}: brings {channel} {name}, {}\n",
                    plan.to,
                    Size(lacking.bytes)
                ));
            }
            for tag in &plan.tags {
                text.push_str(&format!("{}: {} will stand for {}\n", plan.to, tag.tag, tag.to));
            }
            for told in &plan.told {
                context.terminal.say(&format!("{}: {told}", plan.to));
            }
            let mut done = Value::Null;
            if !args.dry_run && !plan.is_equal() {
                let synced =
                    synchronize(&plan, [first, second], grounds.trust(), args.force, &|_| ()).await;
                done = json!(synced.map_err(unsynced)?);
                changed = true;
            }
            all.push(json!({ "plan": plan, "equal": plan.is_equal(), "done": done }));
        }
        if text.is_empty() {
            context.terminal.say("all registries have the same");
        }
        context.terminal.result(
            "occ/release-sync",
            &json!({ "changed": changed, "registries": all }),
            &text,
        )?;
        Ok(Exit::Done)
    })
}

fn unsynced(error: SyncError) -> Failure {
    match error {
        SyncError::Registry(error) => error.into(),
        SyncError::Objections(_) => Failure::of(Exit::Refused, &error)
            .hint("find out who moved it; then: occ release sync --force"),
        SyncError::Unverified { .. } | SyncError::MovedMeanwhile { .. } => {
            Failure::of(Exit::Refused, &error)
        }
    }
}
