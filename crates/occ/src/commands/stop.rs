//! `occ stop`.

use std::time::Duration;

use clap::Args;
use occ_engine::Engine;
use occ_sandbox::{HistoryEntry, Verdict};
use serde_json::json;

use super::own_container;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::time;

/// Arguments of `occ stop`.
#[derive(Debug, Args)]
pub(crate) struct StopArgs {
    /// Seconds the sandbox may take to end by itself
    #[arg(long, default_value_t = 30, value_name = "SECONDS")]
    timeout: u32,
}

/// Runs `occ stop`.
pub(crate) fn run(args: &StopArgs, context: &Context) -> Result<Exit, Failure> {
    let grace = Duration::from_secs(u64::from(args.timeout));
    context.block_on(stop(grace, context))
}

async fn stop(grace: Duration, context: &Context) -> Result<Exit, Failure> {
    let engine = context.engine()?;
    let state = own_container(&engine, context).await?;
    let running = state.is_some_and(|state| state.phase.is_up());
    if running {
        let _lock = context.lock().await?;
        halt(&engine, grace, context).await?;
        let entry = HistoryEntry::new(time::now(), "stop", Verdict::Done);
        context.home().remember(&entry)?;
    }
    let text = if running { "stopped\n" } else { "not running\n" };
    let data = json!({ "changed": running, "instance": context.instance.name() });
    context.terminal.result("occ/stop", &data, if context.terminal.quiet() { "" } else { text })?;
    Ok(Exit::Done)
}

/// Stops the container; Ctrl-C meanwhile kills it.
pub(super) async fn halt<E: Engine>(
    engine: &E,
    grace: Duration,
    context: &Context,
) -> Result<(), Failure> {
    let name = context.instance.container();
    let grace_now = Duration::ZERO;
    let mut stopping = std::pin::pin!(engine.stop_container(&name, grace));
    let mut said = false;
    loop {
        tokio::select! {
            stopped = &mut stopping => return Ok(stopped?),
            () = context.cancel.cancelled() => {
                context.terminal.say("Stopping at once");
                return Ok(engine.stop_container(&name, grace_now).await?);
            }
            () = tokio::time::sleep(Duration::from_secs(1)), if !said => {
                said = true;
                context.terminal.say("Stopping the sandbox (Ctrl-C stops it at once)");
            }
        }
    }
}
