//! `occ soak`: how long an engine holds.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Args;
use clap::builder::PossibleValuesParser;
use occ_sandbox::Event;
use occ_smoke::{Disturbance, Entry, SoakReport, SoakWish, StepTimes, Timed, page, soak};
use serde_json::{Value, json};

use super::smoke::with_subject;
use super::target::Target;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::terminal::columns;
use crate::time;

/// Arguments of `occ soak`.
#[derive(Debug, Args)]
#[command(
    after_help = "An image is worked on in a sandbox of its own, which is gone afterwards. A sandbox that runs is \
not stopped: of the disturbances, those that would stop it are left out."
)]
pub(crate) struct SoakArgs {
    /// An image of the engine, or a sandbox by its name; this sandbox without it
    #[arg(value_name = "IMAGE|INSTANCE")]
    target: Option<String>,
    /// How long: 90s, 10m, 2h30m
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = time::parse_duration)]
    duration: Duration,
    /// End after this many rounds, if the time is not over before
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    runs: Option<u64>,
    /// How many work at once
    #[arg(long, value_name = "NUMBER", default_value = "3", value_parser = clap::value_parser!(u64).range(1..=64))]
    concurrency: u64,
    /// Disturb it too: stop and kill it, take its model away, fill its disk, let commands eat all memory and
    /// start all processes; only with those that are named, where some are
    #[arg(
        long,
        value_name = "NAME,...",
        value_delimiter = ',',
        num_args = 0..=1,
        require_equals = true,
        default_missing_values = Disturbance::ALL.map(Disturbance::name),
        value_parser = PossibleValuesParser::new(Disturbance::ALL.map(Disturbance::name)),
    )]
    faults: Vec<String>,
    /// Folder for the log and the report
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
}

impl SoakArgs {
    fn wish(&self, target: &Target) -> Result<SoakWish, Failure> {
        let faults: Vec<Disturbance> = Disturbance::ALL
            .into_iter()
            .filter(|one| self.faults.iter().any(|name| name == one.name()))
            .collect();
        let stops = faults.iter().find(|one| one.needs_life());
        if let (Target::Sandbox(..), Some(stops), true) =
            (target, stops, faults.len() < Disturbance::ALL.len())
        {
            let message = format!("{} is for an image: it would stop a sandbox", stops.name());
            return Err(Failure::usage(message).hint("leave out those that would: --faults"));
        }
        let concurrency = usize::try_from(self.concurrency).unwrap_or(usize::MAX);
        Ok(SoakWish { duration: self.duration, runs: self.runs, concurrency, faults })
    }
}

/// Runs `occ soak`.
pub(crate) fn run(args: &SoakArgs, context: &Context) -> Result<Exit, Failure> {
    context.block_on(async {
        let engine = context.engine()?;
        let target = Target::find(args.target.as_deref(), &engine, context).await?;
        let wish = args.wish(&target)?;
        let folder = args
            .report
            .clone()
            .unwrap_or_else(|| context.state_dir().join("soak").join(time::now().replace(':', "")));
        let log = Log::create(&folder)?;
        let report = with_subject(&target, &engine, context, async |subject, _| {
            let progress = context.terminal.progress();
            let begun = Instant::now();
            let observer = |timed: &Timed| {
                log.write(timed);
                if let Entry::Round { rounds, .. } = &timed.entry {
                    let for_what = format!("the end: {rounds} rounds so far");
                    progress.show(&Event::Waiting { elapsed: begun.elapsed(), for_what });
                }
            };
            let report = tokio::select! {
                report = soak(&subject, wish, &observer) => Ok(report),
                () = context.cancel.cancelled() => Err(Failure::interrupted()),
            };
            progress.clear();
            report
        });
        let report = report.await?;
        log.finish()?;
        let data = data(&report, &target, &folder);
        write(&folder.join("report.json"), &format!("{data:#}\n"))?;
        write(&folder.join("report.html"), &page(&report, &target.name()))?;
        let text =
            if context.terminal.quiet() { String::new() } else { text(&report, &target, &folder) };
        context.terminal.result("occ/soak", &data, &text)?;
        Ok(if report.reasons.is_empty() { Exit::Done } else { Exit::Unhealthy })
    })
}

/// The log, a line for every entry; what cannot be written is told at the end.
struct Log {
    path: PathBuf,
    file: Mutex<(BufWriter<File>, Option<std::io::Error>)>,
}

impl Log {
    fn create(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join("soak.jsonl");
        let file = fs::create_dir_all(folder).and_then(|()| File::create(&path));
        let file = file.map_err(|error| unwritable(&path, &error))?;
        Ok(Self { path, file: Mutex::new((BufWriter::new(file), None)) })
    }

    fn write(&self, timed: &Timed) {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = writeln!(file.0, "{}", json!(timed)) {
            file.1.get_or_insert(error);
        }
    }

    fn finish(self) -> Result<(), Failure> {
        let (mut file, error) = self.file.into_inner().unwrap_or_else(PoisonError::into_inner);
        let flushed = file.flush();
        let done = error.map_or(flushed, Err);
        done.map_err(|error| unwritable(&self.path, &error))
    }
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text).map_err(|error| unwritable(path, &error))
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Exit::Failed, format!("cannot write {}: {error}", path.display()))
}

/// The report; its JSON form is a promise.
fn data(report: &SoakReport, target: &Target, folder: &Path) -> Value {
    let steps = report.steps.iter().map(|(step, times)| (*step, step_data(times)));
    let disturbances = report.disturbances.iter();
    json!({
        "target": target.name(),
        "verdict": if report.reasons.is_empty() { "passed" } else { "failed" },
        "reasons": report.reasons,
        "seconds": report.took.as_secs_f64(),
        "rounds": report.rounds,
        "steps": steps.collect::<std::collections::BTreeMap<_, _>>(),
        "disturbances": disturbances
            .map(|(at, name, error)| json!({ "at": at, "name": name, "error": error }))
            .collect::<Vec<_>>(),
        "memory_growth_bytes_per_minute": report.growth,
        "last": report.samples.last().map(|(_, sample)| sample),
        "folder": folder,
    })
}

fn step_data(times: &StepTimes) -> Value {
    json!({
        "count": times.count,
        "errors": times.errors,
        "p50_seconds": times.p50,
        "p95_seconds": times.p95,
        "p99_seconds": times.p99,
        "longest_seconds": times.longest,
    })
}

fn text(report: &SoakReport, target: &Target, folder: &Path) -> String {
    let mut lines =
        vec![["STEP", "DONE", "FAILED", "P50", "P99", "LONGEST"].map(str::to_owned).to_vec()];
    let milliseconds = |seconds: f64| format!("{:.0} ms", seconds * 1000.0);
    lines.extend(report.steps.iter().map(|(step, times)| {
        let counts = [times.count, times.errors].map(|count| count.to_string());
        let figures = [times.p50, times.p99, times.longest].map(milliseconds);
        [(*step).to_owned()].into_iter().chain(counts).chain(figures).collect()
    }));
    let mut text = format!("{}\n\n{}\n", target.name(), columns(&lines));
    for (at, name, error) in &report.disturbances {
        let held = error.as_deref().map_or("everything holds", |_| "does not hold");
        text.push_str(&format!("{name} after {at:.0} s: {held}\n"));
    }
    for reason in &report.reasons {
        text.push_str(&format!("{reason}\n"));
    }
    let word = if report.reasons.is_empty() { "It holds" } else { "It does not hold" };
    let (rounds, seconds) = (report.rounds, report.took.as_secs_f64());
    text.push_str(&format!("{word}: {rounds} rounds in {seconds:.0} s\n"));
    text.push_str(&format!("report: {}\n", folder.join("report.html").display()));
    text
}
