//! `occ restart`: stop, then the whole of start.

use std::time::Duration;

use clap::Args;

use super::{existing_container, start, stop};
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
    context.block_on(async {
        let engine = context.engine()?;
        existing_container(&engine, context).await?;
        if !settings.is_dry_run() {
            let lock = context.lock().await?;
            // A stopped sandbox is no longer asked about: what there is to ask comes first.
            let (spec, config) = settings.wish(context)?;
            let workshop = context.workshop(&config)?;
            start::settle(&spec, &mut settings, context, &engine, &workshop).await?;
            occ_sandbox::secrets(&spec, &context.secrets).await?;
            stop::halt(&engine, GRACE, context).await?;
            drop(lock);
        }
        start::start(settings, context).await
    })
}
