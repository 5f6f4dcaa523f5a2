//! `occ restart`: the whole of start, with a stop in it.

use std::time::Duration;

use clap::Args;

use super::{existing_container, start};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Arguments of `occ restart`.
#[derive(Debug, Args)]
pub(crate) struct RestartArgs {
    #[command(flatten)]
    start: start::StartArgs,
}

/// Seconds the sandbox may take to end by itself.
pub(super) const GRACE: Duration = Duration::from_secs(30);

/// Runs `occ restart`.
pub(crate) fn run(args: &RestartArgs, context: &Context) -> Result<Exit, Failure> {
    let mut settings = start::StartSettings::resolve(&args.start, context)?;
    settings.running = start::Running::IsStopped;
    context.block_on(async {
        existing_container(&context.engine()?, context).await?;
        start::start(settings, context).await
    })
}
