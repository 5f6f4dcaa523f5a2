//! One file per verb: its arguments, its settings, its run.

pub(crate) mod agreement;
pub(crate) mod attest;
pub(crate) mod backup;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod diagnose;
pub(crate) mod doctor;
mod entries;
pub(crate) mod env;
pub(crate) mod exec;
mod gathered;
pub(crate) mod history;
pub(crate) mod host;
pub(crate) mod identity;
pub(crate) mod image;
pub(crate) mod install;
pub(crate) mod logs;
pub(crate) mod ls;
pub(crate) mod man;
pub(crate) mod mount;
pub(crate) mod password;
pub(crate) mod policy;
pub(crate) mod provenance;
pub(crate) mod prune;
pub(crate) mod release;
pub(crate) mod reset;
pub(crate) mod restart;
pub(crate) mod rm;
pub(crate) mod rollback;
mod saved;
pub(crate) mod secret;
pub(crate) mod setup;
pub(crate) mod sign;
mod signing;
pub(crate) mod smoke;
pub(crate) mod soak;
pub(crate) mod start;
pub(crate) mod stats;
pub(crate) mod status;
pub(crate) mod stop;
mod target;
pub(crate) mod trust;
pub(crate) mod uninstall;
pub(crate) mod update;
pub(crate) mod version;

use occ_engine::{ContainerState, Engine};
use occ_sandbox::stranger;

use crate::cli::Command;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Runs a command.
pub(crate) fn run(command: Command, context: &Context) -> Result<Exit, Failure> {
    if concerns_a_sandbox(&command) {
        context.block_on(context.mend())?;
    }
    match command {
        Command::Setup(args) => setup::run(&args, context),
        Command::Start(args) => start::run(&args, context),
        Command::Stop(args) => stop::run(&args, context),
        Command::Restart(args) => restart::run(&args, context),
        Command::Update(args) => update::run(&args, context),
        Command::Rollback(args) => rollback::run(&args, context),
        Command::Reset(args) => reset::run(&args, context),
        Command::History(args) => history::run(&args, context),
        Command::Status(args) => status::run(&args, context),
        Command::Stats(args) => stats::run(&args, context),
        Command::Ls => ls::run(context),
        Command::Rm(args) => rm::run(&args, context),
        Command::Prune(args) => prune::run(&args, context),
        Command::Backup(command) => backup::run(command, context),
        Command::Logs(args) => logs::run(&args, context),
        Command::Exec(args) => exec::run(args, context),
        Command::Shell => exec::shell(context),
        Command::Password(args) => password::run(&args, context),
        Command::Config(command) => config::run(command, context),
        Command::Mount(command) => mount::run(&command, context),
        Command::Env(command) => env::run(&command, context),
        Command::Secret(command) => secret::run(&command, context),
        Command::Image(command) => image::run(command, context),
        Command::Host(command) => host::run(command, context),
        Command::Sign(args) => sign::run(&args, context),
        Command::Attest(args) => attest::run(&args, context),
        Command::Trust(command) => trust::run(command, context),
        Command::Identity(args) => identity::run(&args, context),
        Command::Provenance(args) => provenance::run(&args, context),
        Command::Smoke(args) => smoke::run(&args, context),
        Command::Soak(args) => soak::run(&args, context),
        Command::Policy(command) => policy::run(command, context),
        Command::Release(command) => release::run(command, context),
        Command::Doctor(args) => doctor::run(&args, context),
        Command::Diagnose(args) => diagnose::run(&args, context),
        Command::Install(args) => install::run(&args, context),
        Command::Uninstall(args) => uninstall::run(&args, context),
        Command::Completions(args) => completions::run(&args, context),
        Command::Man(args) => man::run(&args, context),
        Command::Version => version::run(context),
    }
}

/// Returns whether a command is about the sandbox itself: such a one ends first what an earlier one left
/// undone.
fn concerns_a_sandbox(command: &Command) -> bool {
    matches!(
        command,
        Command::Start(_)
            | Command::Stop(_)
            | Command::Restart(_)
            | Command::Update(_)
            | Command::Rollback(_)
            | Command::Reset(_)
            | Command::History(_)
            | Command::Status(_)
            | Command::Setup(_)
            | Command::Stats(_)
            | Command::Ls
            | Command::Prune(_)
            | Command::Rm(_)
            | Command::Backup(_)
            | Command::Logs(_)
            | Command::Exec(_)
            | Command::Shell
            | Command::Password(_)
            | Command::Smoke(_)
            | Command::Soak(_)
    )
}

/// Returns the sandbox's container, or a failure when there is none or it is not ours.
async fn own_container<E: Engine>(
    engine: &E,
    context: &Context,
) -> Result<Option<ContainerState>, Failure> {
    let state = engine.container(&context.instance.container()).await?;
    if let Some(state) = &state
        && let Some(refusal) = stranger(context.claim(), &state.name, &state.labels)
    {
        return Err(refusal.into());
    }
    Ok(state)
}

/// The same, where absence is a failure too.
async fn existing_container<E: Engine>(
    engine: &E,
    context: &Context,
) -> Result<ContainerState, Failure> {
    own_container(engine, context).await?.ok_or_else(|| {
        Failure::new(Exit::Failed, "there is no sandbox yet").hint("make one: occ start")
    })
}
