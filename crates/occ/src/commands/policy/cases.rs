//! `occ policy test`: facts whose verdicts are known.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use occ_policy::{Cases, Tested};
use serde_json::json;

use super::PolicyArgs;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::policy::read;

/// Arguments of `occ policy test`.
#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// The cases
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    policy: PolicyArgs,
}

/// Runs `occ policy test`.
pub(crate) fn run(args: &TestArgs, context: &Context) -> Result<Exit, Failure> {
    let judge = args.policy.judge(context)?;
    let text = read("file of cases", &args.file)?;
    let folder = args.file.parent().unwrap_or(Path::new(""));
    let facts = |name: &str| fs::read_to_string(folder.join(name));
    let cases = Cases::parse(&args.file.display().to_string(), &text, &facts)?;
    let tested = cases.test(&judge.policy);
    let failed = tested.iter().filter(|tested| !tested.passed).count();
    let data = json!({
        "policy": judge.from,
        "passed": failed == 0,
        "tested": tested,
    });
    let text: String = tested.iter().map(line).collect();
    context.terminal.result("occ/policy-test", &data, &text)?;
    if failed == 0 {
        return Ok(Exit::Done);
    }
    context.terminal.say(&format!("{failed} of {} came out otherwise", tested.len()));
    Ok(Exit::Refused)
}

fn line(tested: &Tested) -> String {
    let Tested { case, environment, passed, expected, got } = tested;
    if *passed {
        format!("ok    {case}: {environment}: {expected}\n")
    } else {
        format!("FAIL  {case}: {environment}\n      expected: {expected}\n      got:      {got}\n")
    }
}
