//! What a soak comes to: the figures, and the reasons why it does not hold.

use std::collections::BTreeMap;
use std::time::Duration;

use super::entry::{Entry, Timed};
use super::measure::{percentile, slope};
use super::sample::Sample;

/// Most memory of the server, in bytes.
const MEMORY: u64 = 1_200_000_000;
/// Most growth of it, in bytes each minute, once it is warm.
const GROWTH: f64 = 5_000_000.0;
/// How long it takes to become warm, in seconds.
const WARM: f64 = 120.0;
/// From how long a time on a growth can be told, in seconds: before that it is chance.
const TELLING: f64 = 300.0;
/// How many more open files at the end than when it was warm.
const FILES: u64 = 20;
/// Most threads.
const THREADS: u64 = 40;
/// Largest write-ahead log, in bytes: twice the size at which `SQLite` empties it.
const JOURNAL: u64 = 8 << 20;
/// Most that the server may log in each round, in bytes.
const LOG: u64 = 16 * 1024;

/// How long a step took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepTimes {
    /// How often it was done.
    pub count: usize,
    /// How often it failed.
    pub errors: usize,
    /// Seconds that half of them took at most.
    pub p50: f64,
    /// Seconds that 95 of 100 took at most.
    pub p95: f64,
    /// Seconds that 99 of 100 took at most.
    pub p99: f64,
    /// Seconds that the longest took.
    pub longest: f64,
}

/// What a soak comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct SoakReport {
    /// How long it took.
    pub took: Duration,
    /// How many rounds there were.
    pub rounds: u64,
    /// Each step by name.
    pub steps: BTreeMap<&'static str, StepTimes>,
    /// Every look at the container, with seconds since the beginning.
    pub samples: Vec<(f64, Sample)>,
    /// Every disturbance: seconds since the beginning, name, and what was wrong.
    pub disturbances: Vec<(f64, &'static str, Option<String>)>,
    /// Growth of the server's memory in bytes each minute, where it can be told.
    pub growth: Option<f64>,
    /// Why it does not hold; nothing where it does.
    pub reasons: Vec<String>,
}

/// Judges what was seen.
pub(super) fn judge(entries: &[Timed], took: Duration) -> SoakReport {
    let samples: Vec<(f64, Sample)> = entries
        .iter()
        .filter_map(|timed| match timed.entry {
            Entry::Sample(sample) => Some((timed.at, sample)),
            _ => None,
        })
        .collect();
    let disturbances = entries.iter().filter_map(|timed| match &timed.entry {
        Entry::Disturbance { name, error, .. } => Some((timed.at, *name, error.clone())),
        _ => None,
    });
    let rounds = entries.iter().filter(|timed| matches!(timed.entry, Entry::Round { .. })).count();
    let rounds = rounds as u64;
    let growth = growth(&samples);
    let mut reasons = what_went_wrong(entries);
    reasons.extend(what_grew(&samples, growth, rounds));
    if rounds == 0 {
        reasons.push("not one round was done".to_owned());
    }
    SoakReport {
        took,
        rounds,
        steps: steps(entries),
        disturbances: disturbances.collect(),
        samples,
        growth,
        reasons,
    }
}

fn steps(entries: &[Timed]) -> BTreeMap<&'static str, StepTimes> {
    let mut seen: BTreeMap<&'static str, (Vec<f64>, usize)> = BTreeMap::new();
    for timed in entries {
        if let Entry::Step { step, seconds, error, .. } = &timed.entry {
            let (times, errors) = seen.entry(step).or_default();
            times.push(*seconds);
            *errors += usize::from(error.is_some());
        }
    }
    let figures = |(step, (mut times, errors)): (&'static str, (Vec<f64>, usize))| {
        times.sort_by(f64::total_cmp);
        let at = |share| percentile(&times, share).unwrap_or_default();
        let (p50, p95, p99, longest) = (at(0.5), at(0.95), at(0.99), at(1.0));
        (step, StepTimes { count: times.len(), errors, p50, p95, p99, longest })
    };
    seen.into_iter().map(figures).collect()
}

/// Everything that happened and must not.
fn what_went_wrong(entries: &[Timed]) -> Vec<String> {
    let reason = |timed: &Timed| match &timed.entry {
        Entry::Step { worker, step, error: Some(error), .. } => {
            Some(format!("{step} of {worker} failed: {error}"))
        }
        Entry::Disturbance { name, error: Some(error), .. } => Some(format!("{name}: {error}")),
        Entry::Dropped { why } => Some(format!("an event stream was dropped: {why}")),
        Entry::Trouble { what } => Some(what.clone()),
        _ => None,
    };
    let said = entries.iter().filter_map(|timed| Some((timed.at, reason(timed)?)));
    said.map(|(at, reason)| format!("after {at:.0} s, {reason}")).collect()
}

/// Everything that may not become more.
fn what_grew(samples: &[(f64, Sample)], growth: Option<f64>, rounds: u64) -> Vec<String> {
    let mut reasons = Vec::new();
    let most = |of: fn(&Sample) -> u64| samples.iter().map(|(_, sample)| of(sample)).max();
    let mut limit = |what: &str, found: Option<u64>, limit: u64| {
        if let Some(found) = found.filter(|found| *found > limit) {
            reasons.push(format!("{what}: {found}, and {limit} is the limit"));
        }
    };
    limit("most memory of the server, bytes", most(|sample| sample.memory), MEMORY);
    limit("most threads of the server", most(|sample| sample.threads), THREADS);
    limit("largest write-ahead log, bytes", most(|sample| sample.journal), JOURNAL);
    if let Some((_, last)) = samples.last() {
        limit("processes that nobody reaped", Some(last.zombies), 0);
        limit("the server's log, bytes", Some(last.log), LOG * (rounds + 16));
        let warm = same_run(samples).iter().find(|(at, _)| *at >= WARM).map(|(_, s)| s.files);
        limit("open files of the server", Some(last.files), warm.unwrap_or(last.files) + FILES);
    }
    if let Some(growth) = growth.filter(|growth| *growth > GROWTH) {
        let (growth, limit) = (growth / 1e6, GROWTH / 1e6);
        reasons.push(format!(
            "the server's memory grows by {growth:.1} MB a minute, and {limit:.0} MB is the limit"
        ));
    }
    reasons
}

/// The looks since the last new start.
fn same_run(samples: &[(f64, Sample)]) -> &[(f64, Sample)] {
    let last = samples.last().map(|(_, sample)| sample.started);
    let other = |(_, sample): &(f64, Sample)| Some(sample.started) != last;
    let from = samples.iter().rposition(other).map_or(0, |at| at + 1);
    &samples[from..]
}

/// Returns how much memory grows each minute, from when it is warm to the end of the last run.
fn growth(samples: &[(f64, Sample)]) -> Option<f64> {
    let run = same_run(samples);
    let (begin, end) = (run.first()?.0, run.last()?.0);
    if end - begin < WARM + TELLING {
        return None;
    }
    #[allow(clippy::cast_precision_loss, reason = "counts and bytes far below 2^52")]
    let point = |(at, sample): &(f64, Sample)| (at / 60.0, sample.memory as f64);
    let points: Vec<(f64, f64)> =
        run.iter().filter(|(at, _)| at - begin >= WARM).map(point).collect();
    slope(&points)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(at: f64, started: u64, memory: u64) -> Timed {
        // In every container it is the same process.
        let process = 7;
        let sample =
            Sample { process, started, memory, files: 30, threads: 8, ..Sample::default() };
        Timed { at, entry: Entry::Sample(sample) }
    }

    fn round(at: f64) -> Timed {
        Timed { at, entry: Entry::Round { worker: 0, rounds: 1 } }
    }

    fn judged(entries: &[Timed]) -> Vec<String> {
        judge(entries, Duration::from_secs(1)).reasons
    }

    #[test]
    fn a_soak_in_which_nothing_was_done_does_not_hold() {
        assert_eq!(judged(&[]), ["not one round was done"]);
        assert_eq!(judged(&[round(1.0)]), Vec::<String>::new());
    }

    #[test]
    fn memory_that_grows_is_told_from_a_warm_server_and_a_new_start() {
        let minute = |n: u64, started, megabytes: u64| {
            #[allow(clippy::cast_precision_loss, reason = "counts and bytes far below 2^52")]
            sample(n as f64 * 60.0, started, megabytes * 1_000_000)
        };
        let grows: Vec<Timed> = (0..12).map(|n| minute(n, 7, 400 + 10 * n)).collect();
        let report = judge(&grows, Duration::from_secs(660));
        assert_eq!(report.growth.map(f64::round), Some(10_000_000.0));
        assert!(report.reasons[0].starts_with("the server's memory grows by 10.0 MB a minute"));

        let settles: Vec<Timed> = (0..12).map(|n| minute(n, 7, 400 + 100 * n.min(2))).collect();
        assert_eq!(judge(&settles, Duration::from_secs(660)).growth, Some(0.0));
        // Each run begins small: that is no growth.
        let restarted: Vec<Timed> = (0..12).map(|n| minute(n, n / 4, 400 + 50 * (n % 4))).collect();
        assert_eq!(judge(&restarted, Duration::from_secs(660)).growth, None);
    }

    #[test]
    fn whatever_failed_is_a_reason_with_its_time() {
        let error = Some("no answer".to_owned());
        let entries = [
            round(1.0),
            Timed {
                at: 12.4,
                entry: Entry::Step { worker: 1, step: "file", seconds: 0.1, error: error.clone() },
            },
            Timed { at: 20.0, entry: Entry::Dropped { why: "its end".into() } },
            Timed { at: 30.0, entry: Entry::Disturbance { name: "kill", seconds: 1.0, error } },
        ];
        assert_eq!(
            judged(&entries),
            [
                "after 12 s, file of 1 failed: no answer",
                "after 20 s, an event stream was dropped: its end",
                "after 30 s, kill: no answer",
            ]
        );
    }

    #[test]
    fn limits_are_told_with_what_was_found() {
        let mut last = Sample { memory: MEMORY + 1, threads: THREADS + 1, ..Sample::default() };
        (last.zombies, last.log, last.journal) = (2, 10_000_000, JOURNAL + 1);
        let reasons = judged(&[round(0.5), Timed { at: 1.0, entry: Entry::Sample(last) }]);
        for what in ["memory", "threads", "write-ahead", "reaped", "log, bytes"] {
            assert!(reasons.iter().any(|reason| reason.contains(what)), "{what}: {reasons:?}");
        }
    }
}
