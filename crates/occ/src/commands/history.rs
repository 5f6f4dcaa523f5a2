//! `occ history`: what was done to the sandbox, when, and how it ended.

use clap::Args;
use occ_sandbox::{HistoryEntry, Verdict};
use serde_json::json;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Arguments of `occ history`.
#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    /// How many of the last entries to show
    #[arg(long, short = 'n', default_value_t = 20, value_name = "COUNT")]
    lines: usize,
}

/// Runs `occ history`.
pub(crate) fn run(args: &HistoryArgs, context: &Context) -> Result<Exit, Failure> {
    let all = context.home().history().map_err(occ_sandbox::ApplyError::from)?;
    let entries = &all[all.len().saturating_sub(args.lines)..];
    let text: String = entries.iter().map(line).collect();
    let text = if all.is_empty() { "nothing was done yet\n".to_owned() } else { text };
    context.terminal.result("occ/history", &json!({ "entries": entries }), &text)?;
    Ok(Exit::Done)
}

fn line(entry: &HistoryEntry) -> String {
    let verdict = match entry.verdict {
        Verdict::Done => "done",
        Verdict::Failed => "failed, all as before",
        Verdict::TakenBack => "cut off, taken back",
        Verdict::Finished => "cut off, finished",
    };
    let short = |id: &String| id.trim_start_matches("sha256:").chars().take(12).collect::<String>();
    let images = match (&entry.from, &entry.to) {
        (Some(from), Some(to)) if from != to => format!("  {} -> {}", short(from), short(to)),
        (_, Some(to)) => format!("  {}", short(to)),
        _ => String::new(),
    };
    let why = entry.why.as_ref().map_or_else(String::new, |why| format!("  {why}"));
    format!("{}  {:<8}  {verdict}{images}{why}\n", entry.at, entry.what)
}
