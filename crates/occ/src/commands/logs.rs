//! `occ logs`.

use clap::Args;
use futures_util::StreamExt as _;
use occ_engine::{Engine as _, LogsQuery};

use super::existing_container;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::time;

/// Arguments of `occ logs`.
#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// Go on as new lines come, until the sandbox stops
    #[arg(long, short)]
    follow: bool,
    /// Number of last lines, or `all`
    #[arg(long, short = 'n', default_value = "50", value_parser = lines, value_name = "COUNT")]
    lines: Lines,
    /// Only lines since then: `10m` ago, or 2026-01-31T12:00:00Z
    #[arg(long, value_parser = time::parse_since, value_name = "WHEN")]
    since: Option<i64>,
    /// Start every line with its time
    #[arg(long)]
    timestamps: bool,
}

/// How many lines.
#[derive(Debug, Clone, Copy)]
struct Lines(Option<u64>);

fn lines(text: &str) -> Result<Lines, String> {
    match text {
        "all" => Ok(Lines(None)),
        text => text
            .parse()
            .map(|count| Lines(Some(count)))
            .map_err(|_| format!("{text:?} is neither a number nor \"all\"")),
    }
}

/// Runs `occ logs`.
pub(crate) fn run(args: &LogsArgs, context: &Context) -> Result<Exit, Failure> {
    let query = LogsQuery {
        follow: args.follow,
        tail: args.lines.0,
        since: args.since,
        timestamps: args.timestamps,
    };
    context.block_on(async {
        let engine = context.engine()?;
        let state = existing_container(&engine, context).await?;
        let mut stream = engine.logs(&state.name, &query).await?;
        loop {
            let chunk = tokio::select! {
                chunk = stream.next() => chunk,
                () = context.cancel.cancelled() => return Ok(Exit::Interrupted),
            };
            let Some(chunk) = chunk else { return Ok(Exit::Done) };
            if !context.terminal.bytes(&chunk?.bytes)? {
                return Ok(Exit::Done);
            }
        }
    })
}
