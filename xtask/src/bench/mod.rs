//! The figures of `docs/benchmarks.md`: what `occ` costs, beside what it cannot avoid.
//!
//! They are for reading. Nothing here judges them: a figure over its budget is written down like any
//! other.

mod builder;
mod docker;
mod figure;
pub(crate) mod images;
mod machine;
mod page;
pub(crate) mod registries;
mod registry;
pub(crate) mod releases;
mod sandbox;
mod server;
mod timing;
mod twins;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use self::figure::Figure;
use self::machine::Machine;
use self::sandbox::Sandbox;
use self::timing::{Samples, hyperfine, interleaved};
use self::twins::Twins;
use crate::{Outcome, say};

/// What to measure, and when it is.
#[derive(Args)]
pub(crate) struct BenchArgs {
    /// The day that goes into the page, such as 2026-01-31
    #[arg(long)]
    date: String,
    /// The program to measure; the release build beside this one when not given
    #[arg(long, value_name = "PATH")]
    occ: Option<PathBuf>,
    /// Cold starts of each kind
    #[arg(long, default_value_t = 15)]
    starts: usize,
    /// Updates of each kind
    #[arg(long, default_value_t = 7)]
    updates: usize,
}

/// Where the figures go.
const PAGE: &str = "docs/benchmarks.md";

/// Measures, and writes the page.
pub(crate) fn run(args: &BenchArgs, root: &Path) -> Outcome {
    let occ = args.occ.clone().map_or_else(release_build, Ok)?;
    let size = fs::metadata(&occ).map_err(|error| {
        format!(
            "no program to measure: {}: {error}\nhint: cargo build --release -p occ",
            occ.display()
        )
    })?;
    say("Starting a sandbox of its own for the measurements");
    let sandbox = Sandbox::start(&occ)?;
    let status = sandbox.status()?;
    let machine = Machine::look(&status["cli_version"], &status["health"]["opencode_version"])?;
    let figures = measure(&sandbox, args, size.len())?;
    let text = page::render("Benchmarks", page::METHOD, &args.date, &machine, &figures);
    fs::write(root.join(PAGE), &text)?;
    say(&format!("written: {PAGE}"));
    say(&page::table(&figures));
    Ok(())
}

/// Both builds lie side by side in cargo's target folder, wherever that is.
fn release_build() -> Outcome<PathBuf> {
    let this = std::env::current_exe()?;
    let target = this.parent().and_then(Path::parent).ok_or("this program lies nowhere")?;
    Ok(target.join("release").join("occ"))
}

fn text(path: &Path) -> Outcome<&str> {
    Ok(path.to_str().ok_or("a folder's name is no text")?)
}

fn measure(sandbox: &Sandbox, args: &BenchArgs, size: u64) -> Outcome<Vec<Figure>> {
    let quick = |name: &str, arguments: &[&str], runs| {
        say(&format!("Measuring {name}"));
        hyperfine(sandbox, arguments, runs)
    };
    let version = quick("occ --version", &["--version"], 300)?;
    let config = quick("occ config get port", &["config", "get", "port"], 300)?;
    let running = quick("occ start, already running", &["start"], 60)?;
    say("Measuring occ status and a round trip in turns");
    let [status, trip] = interleaved(
        60,
        || Ok(()),
        [&|| sandbox.time_occ(&["status"]), &|| sandbox.server().time_round_trip()],
    )?;
    say(&format!("Measuring {} cold starts and restarts in turns", args.starts));
    let [started, own] = cold_starts(sandbox, args.starts)?;
    let [restarted, own_again] = restarts(sandbox, args.starts)?;
    let mut figures = vec![
        Figure::time("`occ --version`", &version, None, 3.0),
        Figure::time("`occ config get port`, sandbox running", &config, None, 5.0),
        Figure::time(
            "`occ status`, sandbox running",
            &status,
            Some(("one round trip", &trip)),
            30.0,
        ),
        Figure::time(
            "`occ start`, image present, sandbox stopped",
            &started,
            Some(("opencode's own cold start", &own)),
            400.0,
        ),
        Figure::time("`occ start`, already running", &running, None, 40.0),
        Figure::time(
            "`occ restart` of a healthy sandbox",
            &restarted,
            Some(("opencode's own cold start", &own_again)),
            300.0,
        ),
    ];
    figures.extend(ten(sandbox)?);
    figures.extend(updates(sandbox, args.updates)?);
    figures.push(Figure::size("release binary, stripped", size, 15));
    Ok(figures)
}

/// What it costs that there are ten.
fn ten(sandbox: &Sandbox) -> Outcome<[Figure; 2]> {
    say("Starting nine more sandboxes");
    let more = sandbox.start_more(9)?;
    // What servers do in their first minute is not what it costs that there are ten.
    say(&format!("Waiting for rest: {}", machine::rest(Duration::from_secs(300))?));
    let status = hyperfine(sandbox, &["status"], 40)?;
    let list = hyperfine(sandbox, &["ls"], 40)?;
    drop(more);
    Ok([
        Figure::time("`occ status`, ten sandboxes running", &status, None, 60.0),
        Figure::time("`occ ls`, ten sandboxes running", &list, None, 60.0),
    ])
}

/// What an update costs the user, and its copy the disk.
fn updates(sandbox: &Sandbox, turns: usize) -> Outcome<[Figure; 2]> {
    let twins = Twins::make(sandbox)?;
    let most = Duration::from_secs(120);
    say(&format!("Measuring {turns} updates and cold starts in turns"));
    let [silence, own] = interleaved(
        turns,
        || Ok(()),
        [&|| sandbox.server().longest_silence(|| twins.update(), most), &|| {
            sandbox.stop()?;
            sandbox.time_own_start()
        }],
    )?;
    sandbox.fill(1000)?;
    say(&format!("Measuring {turns} copies of 1 GB in turns"));
    let [snapshot, copy] =
        interleaved(turns, || Ok(()), [&|| twins.time_snapshot(), &|| sandbox.time_copy()])?;
    Ok([
        Figure::time(
            "downtime of `occ update`, image present",
            &silence,
            Some(("opencode's own cold start", &own)),
            500.0,
        ),
        Figure::beside("snapshot of 1 GB of data", &snapshot, ("`cp -a`", &copy)),
    ])
}

/// A restart stops first; what it stands beside is the start alone.
fn restarts(sandbox: &Sandbox, pairs: usize) -> Outcome<[Samples; 2]> {
    interleaved(
        pairs,
        || Ok(()),
        [&|| sandbox.time_occ(&["restart"]), &|| {
            sandbox.stop()?;
            sandbox.time_own_start()
        }],
    )
}

/// The first pair is warm-up: it fills caches that later starts of either kind find full.
fn cold_starts(sandbox: &Sandbox, pairs: usize) -> Outcome<[Samples; 2]> {
    interleaved(
        pairs,
        || sandbox.stop(),
        [&|| sandbox.time_occ(&["start"]), &|| sandbox.time_own_start()],
    )
}
