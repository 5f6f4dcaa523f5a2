//! `occ release status`: what was begun on this machine, and how far it is.

use clap::Args;
use occ_release::{Ended, Record, steps};
use serde_json::{Value, json};

use super::run::{is_open, records};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Arguments of `occ release status`.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// Only this one, with all its steps
    #[arg(value_name = "VERSION")]
    version: Option<String>,
}

/// Runs `occ release status`.
pub(super) fn run(args: &StatusArgs, context: &Context) -> Result<Exit, Failure> {
    let shown: Vec<Record> = match &args.version {
        Some(version) => vec![super::run::begun(Some(version), context)?],
        None => records(context)?,
    };
    let whole = args.version.is_some();
    let text: String = shown.iter().map(|record| self::text(record, whole)).collect();
    let data = json!({ "releases": shown.iter().map(data).collect::<Vec<_>>() });
    if shown.is_empty() {
        context.terminal.say("no release was begun here");
    }
    context.terminal.result("occ/release-status", &data, &text)?;
    Ok(Exit::Done)
}

/// How a release stands, in one word.
fn state(record: &Record) -> &'static str {
    let failed = record.entries.last().is_some_and(|it| matches!(it.ended, Ended::Failed(_)));
    match record {
        _ if record.at_work => "at work",
        _ if record.is_abandoned() => "given up",
        _ if !is_open(record) => "released",
        _ if failed => "stopped",
        _ => "cut off",
    }
}

fn text(record: &Record, whole: bool) -> String {
    let planned = steps(&record.plan);
    let done = planned.iter().filter(|it| record.done(&it.step).is_some()).count();
    let (channel, of) = (record.plan.channel, planned.len());
    let mut text = format!("{channel}  {}, {done} of {of} steps\n", state(record));
    if is_open(record) && !record.at_work {
        text.push_str(&format!("  go on: occ release resume {channel}\n"));
        text.push_str(&format!("  give it up: occ release abandon {channel}\n"));
    }
    if whole {
        for planned in &planned {
            let how = match (record.done(&planned.step), last_failure(record, planned)) {
                (Some(_), _) => "done".to_owned(),
                (None, Some(why)) => format!("failed: {why}"),
                (None, None) => "to do".to_owned(),
            };
            text.push_str(&format!("  {:<50} {how}\n", planned.step.to_string()));
        }
    }
    text
}

fn last_failure(record: &Record, planned: &occ_release::Planned) -> Option<String> {
    let own = record.entries.iter().filter(|entry| entry.step.as_ref() == Some(&planned.step));
    own.rev().find_map(|entry| match &entry.ended {
        Ended::Failed(why) => Some(why.clone()),
        _ => None,
    })
}

fn data(record: &Record) -> Value {
    let steps = steps(&record.plan).into_iter().map(|planned| {
        json!({
            "step": planned.step.to_string(),
            "done": record.done(&planned.step).is_some(),
            "facts": record.done(&planned.step),
            "failure": last_failure(record, &planned),
        })
    });
    json!({
        "release": record.plan.channel,
        "state": state(record),
        "created": record.plan.created,
        "places": record.plan.places,
        "folder": record.folder,
        "steps": steps.collect::<Vec<_>>(),
    })
}
