//! `occ provenance`: where an image comes from, as a document.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::Value;

use super::gathered::observed;
use super::identity::SearchArgs;
use super::policy::PolicyArgs;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::policy::read_facts;
use crate::provenance::Provenance;

/// Arguments of `occ provenance`.
#[derive(Debug, Args)]
pub(crate) struct ProvenanceArgs {
    /// An image of the container engine by name or id, or a sandbox by its instance's name; the sandbox
    /// without it
    #[arg(value_name = "IMAGE|INSTANCE")]
    what: Option<String>,
    /// Write it from the facts in this file, and look at no image
    #[arg(long, value_name = "FILE", conflicts_with_all = ["what", "search_layers"])]
    facts: Option<PathBuf>,
    #[command(flatten)]
    search: SearchArgs,
    #[command(flatten)]
    policy: PolicyArgs,
    /// Compare with this document, which was printed before (Markdown or JSON); end with 3 where it says
    /// something else
    #[arg(long, value_name = "FILE")]
    check: Option<PathBuf>,
}

/// Runs `occ provenance`.
pub(crate) fn run(args: &ProvenanceArgs, context: &Context) -> Result<Exit, Failure> {
    let judge = args.policy.judge(context)?;
    let committed = args.check.as_deref().map(read).transpose()?;
    let facts = match &args.facts {
        Some(path) => read_facts(path)?,
        None => observed(args.what.as_deref(), args.search, context)?,
    };
    let verdicts = judge.policy.judge(&facts);
    let document = Provenance { facts: &facts, verdicts: &verdicts, policy: &judge.from };
    let (markdown, json) = (document.markdown(), document.json());
    let Some(committed) = committed else {
        context.terminal.result("occ/provenance", &json, &markdown)?;
        return Ok(Exit::Done);
    };
    let differences = committed.differences(&markdown, &json);
    let data = serde_json::json!({ "matches": differences.is_empty(), "differences": differences });
    let text: String = differences.iter().map(|line| format!("{line}\n")).collect();
    context.terminal.result("occ/provenance-check", &data, &text)?;
    if differences.is_empty() {
        return Ok(Exit::Done);
    }
    context.terminal.say("the document no longer says what is so");
    Ok(Exit::Refused)
}

/// A document that was printed before.
enum Committed {
    Markdown(String),
    Json(Value),
}

fn read(path: &Path) -> Result<Committed, Failure> {
    let unreadable = |why: String| {
        Failure::new(Exit::Config, format!("cannot read the document {}: {why}", path.display()))
            .hint("print one: occ provenance IMAGE > PROVENANCE.md")
    };
    let text = fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))?;
    if !text.trim_start().starts_with('{') {
        return Ok(Committed::Markdown(text));
    }
    let value: Value =
        serde_json::from_str(&text).map_err(|error| unreadable(error.to_string()))?;
    match value["schema"].as_str() {
        Some("occ/provenance") => Ok(Committed::Json(value["data"].clone())),
        _ => Err(unreadable("it is no provenance".to_owned())),
    }
}

impl Committed {
    /// Returns every line or statement that is not as it was.
    fn differences(&self, markdown: &str, json: &Value) -> Vec<String> {
        match self {
            Self::Markdown(before) => {
                let (before, now): (Vec<&str>, Vec<&str>) =
                    (before.trim_end().lines().collect(), markdown.trim_end().lines().collect());
                let gone = before.iter().filter(|line| !now.contains(line));
                let new = now.iter().filter(|line| !before.contains(line));
                let mut lines: Vec<String> = gone.map(|line| format!("- {line}")).collect();
                lines.extend(new.map(|line| format!("+ {line}")));
                // The same lines in another order are another document too.
                if lines.is_empty() && before != now {
                    lines.push("the order of the lines differs".to_owned());
                }
                lines
            }
            Self::Json(before) => {
                let fields =
                    ["status", "sections", "policy", "verdicts", "commands", "facts", "image"];
                let differing = fields.iter().filter(|field| before[**field] != json[**field]);
                differing.map(|field| format!("{field} differs")).collect()
            }
        }
    }
}
