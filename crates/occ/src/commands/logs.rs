//! `occ logs`: what the server has written, and what was done to the sandbox.

mod line;

use std::time::Duration;

use clap::{Args, ValueEnum};
use futures_util::StreamExt as _;
use occ_engine::{ContainerState, Docker, Engine as _, LogsQuery};

use self::line::{Assembler, Line, merged};
use super::{existing_container, own_container};
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
    /// Whose lines
    #[arg(long, value_enum, default_value = "container", value_name = "SOURCE")]
    source: Whose,
    /// Only lines with this text
    #[arg(long, value_name = "TEXT")]
    grep: Option<String>,
}

/// Whose lines are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Whose {
    /// What the server has written
    Container,
    /// What was done to the sandbox
    Occ,
    /// Both, by time
    All,
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

/// How often a followed history is looked at.
const BEAT: Duration = Duration::from_secs(1);

/// Runs `occ logs`.
pub(crate) fn run(args: &LogsArgs, context: &Context) -> Result<Exit, Failure> {
    let plain = args.source == Whose::Container && args.grep.is_none() && !context.terminal.json();
    context.block_on(async {
        if plain { as_it_is(args, context).await } else { by_lines(args, context).await }
    })
}

/// Passes the container's log on, byte by byte.
async fn as_it_is(args: &LogsArgs, context: &Context) -> Result<Exit, Failure> {
    let query = LogsQuery {
        follow: args.follow,
        tail: args.lines.0,
        since: args.since,
        timestamps: args.timestamps,
    };
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
}

/// Takes logs apart into lines, which can be chosen, merged and told to programs.
async fn by_lines(args: &LogsArgs, context: &Context) -> Result<Exit, Failure> {
    let container = match args.source {
        Whose::Occ => None,
        Whose::Container => {
            let engine = context.engine()?;
            let state = existing_container(&engine, context).await?;
            Some((engine, state))
        }
        Whose::All => {
            let engine = context.engine()?;
            own_container(&engine, context).await?.map(|state| (engine, state))
        }
    };
    let server = match &container {
        Some((engine, state)) => written(engine, state, args, context).await?,
        None => Vec::new(),
    };
    let last = server.last().cloned();
    let wanted = |line: &Line| args.grep.as_ref().is_none_or(|text| line.text.contains(text));
    let mut lines = merged(server, done(args, context)?);
    lines.retain(|line| args.since.is_none_or(|since| line.is_since(since)) && wanted(line));
    let count = args.lines.0.and_then(|count| usize::try_from(count).ok()).unwrap_or(usize::MAX);
    for line in lines.iter().skip(lines.len().saturating_sub(count)) {
        if !show(line, args, context)? {
            return Ok(Exit::Done);
        }
    }
    if !args.follow {
        return Ok(Exit::Done);
    }
    tokio::select! {
        ended = follow(container, last, args, context) => ended,
        () = context.cancel.cancelled() => Ok(Exit::Interrupted),
    }
}

/// Returns the lines of the container's log up to now.
async fn written(
    engine: &Docker,
    state: &ContainerState,
    args: &LogsArgs,
    context: &Context,
) -> Result<Vec<Line>, Failure> {
    // What is chosen by its text may lie anywhere.
    let tail = if args.grep.is_some() { None } else { args.lines.0 };
    let query = LogsQuery { follow: false, tail, since: args.since, timestamps: true };
    let mut stream = engine.logs(&state.name, &query).await?;
    let mut assembler = Assembler::default();
    let mut lines = Vec::new();
    loop {
        let chunk = tokio::select! {
            chunk = stream.next() => chunk,
            () = context.cancel.cancelled() => return Err(Failure::interrupted()),
        };
        let Some(chunk) = chunk else { break };
        lines.extend(assembler.push(&chunk?));
    }
    lines.extend(assembler.rest());
    Ok(lines)
}

/// Returns what was done to the sandbox.
fn done(args: &LogsArgs, context: &Context) -> Result<Vec<Line>, Failure> {
    if args.source == Whose::Container {
        return Ok(Vec::new());
    }
    match context.home().history() {
        Ok(entries) => Ok(entries.iter().map(Line::of).collect()),
        Err(file) => {
            let message = format!("cannot read {}: {}", file.path.display(), file.why);
            Err(Failure::new(Exit::Failed, message).hint("look at its permissions: occ doctor"))
        }
    }
}

/// Shows what comes, until the container stops; without one, until somebody interrupts.
async fn follow(
    container: Option<(Docker, ContainerState)>,
    last: Option<Line>,
    args: &LogsArgs,
    context: &Context,
) -> Result<Exit, Failure> {
    let mut stream = match &container {
        Some((engine, state)) => {
            let since = last.as_ref().and_then(Line::second).or(args.since);
            let query = LogsQuery { follow: true, tail: None, since, timestamps: true };
            Some(engine.logs(&state.name, &query).await?)
        }
        None => None,
    };
    let mut assembler = Assembler::default();
    let mut told = done(args, context)?.len();
    let wanted = |line: &Line| args.grep.as_ref().is_none_or(|text| line.text.contains(text));
    // A log is asked for by whole seconds: what was shown already comes once more.
    let is_new = |line: &Line| last.as_ref().is_none_or(|last| line.moment() > last.moment());
    loop {
        let chunk = async {
            match &mut stream {
                Some(stream) => stream.next().await,
                None => std::future::pending().await,
            }
        };
        let lines: Vec<Line> = tokio::select! {
            chunk = chunk => match chunk {
                Some(chunk) => assembler.push(&chunk?).into_iter().filter(|line| is_new(line)).collect(),
                None => return Ok(Exit::Done),
            },
            () = tokio::time::sleep(BEAT), if args.source != Whose::Container => {
                let all = done(args, context)?;
                // A history that was cut short begins anew.
                let from = if all.len() < told { 0 } else { told };
                told = all.len();
                all.into_iter().skip(from).collect()
            }
        };
        for line in lines.iter().filter(|line| wanted(line)) {
            if !show(line, args, context)? {
                return Ok(Exit::Done);
            }
        }
    }
}

fn show(line: &Line, args: &LogsArgs, context: &Context) -> Result<bool, Failure> {
    let text = if context.terminal.json() {
        format!("{}\n", line.json())
    } else {
        line.render(args.timestamps, args.source != Whose::Container)
    };
    context.terminal.bytes(text.as_bytes())
}
