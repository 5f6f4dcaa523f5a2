//! `occ policy explain`: the verdicts on one image, and which facts decided them.

use std::path::PathBuf;

use clap::Args;
use occ_policy::{FactName, Facts, Value, Verdict};
use serde_json::json;

use super::{PolicyArgs, report};
use crate::commands::gathered::observed;
use crate::commands::identity::SearchArgs;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::policy::read_facts;

/// Arguments of `occ policy explain`.
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    #[command(flatten)]
    policy: PolicyArgs,
    /// An image of the container engine by name or id, or a sandbox by its instance's name; the sandbox
    /// without it
    #[arg(value_name = "IMAGE|INSTANCE")]
    what: Option<String>,
    /// Judge by the facts in this file, and look at no image
    #[arg(long, value_name = "FILE", conflicts_with_all = ["what", "search_layers"])]
    facts: Option<PathBuf>,
    #[command(flatten)]
    search: SearchArgs,
    /// Judge for this environment only
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
}

/// Runs `occ policy explain`.
pub(crate) fn run(args: &ExplainArgs, context: &Context) -> Result<Exit, Failure> {
    let judge = args.policy.judge(context)?;
    // A name that the policy does not have is said before anything is looked at.
    args.environment.as_deref().map(|name| judge.policy.environment(name)).transpose()?;
    let facts = match &args.facts {
        Some(path) => read_facts(path)?,
        None => observed(args.what.as_deref(), args.search, context)?,
    };
    let verdicts = match &args.environment {
        Some(name) => vec![judge.policy.judge_for(judge.policy.environment(name)?, &facts)],
        None => judge.policy.judge(&facts),
    };
    let image = name(&facts);
    let data = json!({
        "policy": judge.from,
        "image": image,
        "verdicts": verdicts,
        "facts": facts,
    });
    let text = format!(
        "Policy:  {}\nImage:   {}\n\n{}",
        judge.from,
        image.unwrap_or_else(|| "not named".to_owned()),
        report::verdicts(&verdicts)
    );
    context.terminal.result("occ/policy-explain", &data, &text)?;
    Ok(if args.environment.is_some() { exit(&verdicts) } else { Exit::Done })
}

/// Returns the name that an image was asked for by.
fn name(facts: &Facts) -> Option<String> {
    let name = FactName::parse("image.name").expect("it is in the catalogue");
    match facts.get(name).value {
        Value::Text(name) => Some(name),
        _ => None,
    }
}

fn exit(verdicts: &[Verdict]) -> Exit {
    if verdicts.iter().all(Verdict::is_approved) { Exit::Done } else { Exit::Refused }
}
