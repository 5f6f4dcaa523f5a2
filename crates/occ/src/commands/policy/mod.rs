//! `occ policy`: where an image may be used.

mod cases;
mod explain;
pub(crate) mod report;

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use occ_policy::{cases_schema, facts_schema, policy_schema};
use serde_json::json;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::policy::Judge;

/// Commands about where an image may be used.
#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Tell whether a policy can be used, with the place of every mistake
    Check(CheckArgs),
    /// Say where an image may be used, and which facts decided that
    ///
    /// With --environment it ends with 3 where the image is prohibited.
    Explain(explain::ExplainArgs),
    /// Let a policy judge cases whose verdicts are known; ends with 3 when one comes out otherwise
    Test(cases::TestArgs),
    /// Print the policy that judges
    Show(ShowArgs),
    /// Print the JSON schema of policies, of facts or of cases
    Schema(SchemaArgs),
}

/// Arguments of `occ policy check`.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The policy
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Arguments of `occ policy show`.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    policy: PolicyArgs,
}

/// Which policy judges.
#[derive(Debug, Args)]
pub(crate) struct PolicyArgs {
    /// Let this policy judge; without it your own (policy.json beside config.json), or the built-in one
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
}

impl PolicyArgs {
    /// Reads the policy.
    pub(crate) fn judge(&self, context: &Context) -> Result<Judge, Failure> {
        Judge::choose(self.policy.as_deref(), &context.env)
    }
}

/// Arguments of `occ policy schema`.
#[derive(Debug, Args)]
pub(crate) struct SchemaArgs {
    /// Of which files
    #[arg(value_enum, default_value = "policy")]
    of: Form,
}

/// A form of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// Policies
    Policy,
    /// Facts about an image
    Facts,
    /// Cases of a policy
    Cases,
}

/// Runs `occ policy`.
pub(crate) fn run(command: PolicyCommand, context: &Context) -> Result<Exit, Failure> {
    match command {
        PolicyCommand::Check(args) => check(&args, context),
        PolicyCommand::Explain(args) => explain::run(&args, context),
        PolicyCommand::Test(args) => cases::run(&args, context),
        PolicyCommand::Show(args) => show(&args, context),
        PolicyCommand::Schema(args) => schema(&args, context),
    }
}

fn check(args: &CheckArgs, context: &Context) -> Result<Exit, Failure> {
    let judge = Judge::read(&args.file)?;
    let environments: Vec<&str> =
        judge.policy.environments.iter().map(|it| it.name.as_str()).collect();
    let rules: Vec<&String> = judge.policy.rules.keys().collect();
    let text = format!("valid: {} rules for {}\n", rules.len(), environments.join(", "));
    let data = json!({ "file": judge.from, "environments": environments, "rules": rules });
    context.terminal.result("occ/policy-check", &data, &text)?;
    Ok(Exit::Done)
}

fn show(args: &ShowArgs, context: &Context) -> Result<Exit, Failure> {
    let judge = args.policy.judge(context)?;
    let data = json!({ "from": judge.from, "text": judge.text });
    context.terminal.result("occ/policy", &data, &judge.text)?;
    Ok(Exit::Done)
}

fn schema(args: &SchemaArgs, context: &Context) -> Result<Exit, Failure> {
    let schema = match args.of {
        Form::Policy => policy_schema(),
        Form::Facts => facts_schema(),
        Form::Cases => cases_schema(),
    };
    context.terminal.result("occ/policy-schema", &schema, &format!("{schema:#}\n"))?;
    Ok(Exit::Done)
}
