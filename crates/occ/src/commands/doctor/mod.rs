//! `occ doctor`: what could go wrong here, and what to do about it.

mod check;
mod config;
mod engine;
mod files;
mod fix;
mod image;
mod machine;
mod network;
mod sandbox;
mod tools;

use clap::Args;
use occ_engine::{ContainerState, Docker, Engine as _, EngineFacts};
use serde_json::{Value, json};

use self::check::{Check, Verdict};
use super::own_container;
use crate::config::Config;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Arguments of `occ doctor`.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Mend what is harmless to mend: permissions, leftovers, files that cannot be understood
    #[arg(long)]
    fix: bool,
}

/// What the checks look at, seen once.
struct Patient<'a> {
    context: &'a Context,
    /// The settings, where they are valid.
    config: Option<Config>,
    /// The engine, where it answers.
    engine: Option<(Docker, EngineFacts)>,
    /// The sandbox's container, where there is one of ours.
    container: Option<ContainerState>,
}

/// Runs `occ doctor`.
pub(crate) fn run(args: &DoctorArgs, context: &Context) -> Result<Exit, Failure> {
    let mut checks = context.block_on(async { Ok(examine(context).await) })?;
    let mut fixed = Vec::new();
    if args.fix {
        let done = fix::apply(&checks);
        if !done.is_empty() {
            checks = context.block_on(async { Ok(examine(context).await) })?;
        }
        fixed = done;
    }
    let told: String = fixed.iter().map(|what| format!("mended {what}\n")).collect();
    let text: String = checks.iter().map(|check| check.line(&context.terminal)).collect();
    let data = json!({ "checks": checks, "fixed": fixed });
    context.terminal.result("occ/doctor", &data, &format!("{told}{text}"))?;
    if !args.fix && checks.iter().any(|check| !check.fixes.is_empty()) {
        context.terminal.say("hint: some of it mends itself: occ doctor --fix");
    }
    let failed = checks.iter().any(|check| check.verdict == Verdict::Fail);
    Ok(if failed { Exit::Failed } else { Exit::Done })
}

/// Returns the answers of all checks, for a report.
pub(super) async fn answers(context: &Context) -> Value {
    json!(examine(context).await)
}

/// Looks at everything; what needs the network is asked side by side.
async fn examine(context: &Context) -> Vec<Check> {
    let (config, mut checks) = config::checks(context);
    checks.extend(files::checks(context));
    let (engine, asked) = engine::ask(context).await;
    checks.extend(asked);
    let container = match &engine {
        Some((engine, _)) => own_container(engine, context).await.ok().flatten(),
        None => None,
    };
    let patient = Patient { context, config, engine, container };
    checks.extend(machine::checks(&patient));
    let (image, sandbox, network) = tokio::join!(
        image::checks(&patient),
        sandbox::checks(&patient),
        network::checks(&patient),
    );
    checks.extend(image.into_iter().chain(sandbox).chain(network));
    checks.push(tools::check(context));
    for hint in checks.iter_mut().flat_map(|check| &mut check.hints) {
        *hint = context.terminal.typed(hint);
    }
    checks
}

/// Asks the engine for its facts; absence is the check's own finding.
async fn facts(context: &Context) -> Result<(Docker, EngineFacts), Failure> {
    let engine: Docker = context.engine()?;
    let facts = engine.facts().await?;
    Ok((engine, facts))
}
