//! The figures of `docs/benchmarks.md`: what `occ` costs, beside what it cannot avoid.
//!
//! They are for reading. Nothing here judges them: a figure over its budget is written down like any
//! other.

mod figure;
pub(crate) mod images;
mod machine;
mod page;
mod sandbox;
mod server;
mod timing;

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;

use self::figure::Figure;
use self::machine::Machine;
use self::sandbox::Sandbox;
use self::timing::{Samples, hyperfine, interleaved};
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
    let figures = measure(&sandbox, args.starts, size.len())?;
    let text = page::render(&args.date, &machine, &figures);
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

fn measure(sandbox: &Sandbox, starts: usize, size: u64) -> Outcome<Vec<Figure>> {
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
    say(&format!("Measuring {starts} cold starts of each kind in turns"));
    let [started, own] = cold_starts(sandbox, starts)?;
    Ok(vec![
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
        Figure::size("release binary, stripped", size, 15),
    ])
}

/// The first pair is warm-up: it fills caches that later starts of either kind find full.
fn cold_starts(sandbox: &Sandbox, pairs: usize) -> Outcome<[Samples; 2]> {
    interleaved(
        pairs,
        || sandbox.stop(),
        [&|| sandbox.time_occ(&["start"]), &|| sandbox.time_own_start()],
    )
}
