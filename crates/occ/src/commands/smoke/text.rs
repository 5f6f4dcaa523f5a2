//! The report, for people and for programs.

use std::path::Path;
use std::time::Duration;

use occ_smoke::{Check, Outcome, Report, Verdict};
use serde_json::{Value, json};

use crate::commands::target::Target;
use crate::terminal::Terminal;

/// The report; its JSON form is a promise.
pub(super) fn data(report: &Report, target: &Target, took: Duration, kept: Option<&Path>) -> Value {
    let checks: Vec<Value> = report.outcomes.iter().map(check).collect();
    json!({
        "target": target.name(),
        "kind": match target { Target::Sandbox(..) => "sandbox", Target::Image(..) => "image" },
        "verdict": match report.verdict() { Verdict::Passed => "passed", Verdict::Failed => "failed" },
        "seconds": took.as_secs_f64(),
        "checks": checks,
        "artifacts": kept,
    })
}

fn check((check, outcome): &(Check, Outcome)) -> Value {
    let (word, why, took) = match outcome {
        Outcome::Passed { took } => ("passed", None, Some(took)),
        Outcome::Failed { why, took } => ("failed", Some(why.as_str()), Some(took)),
        Outcome::Skipped { why } => ("skipped", Some(*why), None),
        Outcome::NotReached => ("not-reached", None, None),
    };
    json!({
        "name": check.name(),
        "group": check.group().name(),
        "asserts": check.sentence(),
        "outcome": word,
        "why": why,
        "seconds": took.map(Duration::as_secs_f64),
    })
}

/// The report as text: a line for each check, and the reason below what does not hold.
pub(super) fn text(
    report: &Report,
    target: &Target,
    took: Duration,
    kept: Option<&Path>,
    terminal: &Terminal,
) -> String {
    if terminal.quiet() {
        return String::new();
    }
    let mut text = format!("{}\n", target.name());
    let mut group = None;
    for (check, outcome) in &report.outcomes {
        if group.replace(check.group()) != Some(check.group()) {
            text.push_str(&format!("\n{}\n", check.group().name()));
        }
        let (word, below) = match outcome {
            Outcome::Passed { .. } => (terminal.paint("32", "ok  "), None),
            Outcome::Failed { why, .. } => (terminal.paint("31", "FAIL"), Some(why.as_str())),
            Outcome::Skipped { why } => (terminal.paint("33", "skip"), Some(*why)),
            Outcome::NotReached => (terminal.paint("31", "----"), Some("not reached")),
        };
        text.push_str(&format!("  {word}  {:<16} {}\n", check.name(), check.sentence()));
        if let Some(below) = below {
            text.push_str(&format!("{:25}{below}\n", ""));
        }
    }
    text.push_str(&end(report, took, kept));
    text
}

fn end(report: &Report, took: Duration, kept: Option<&Path>) -> String {
    let skipped = |outcome: &Outcome| matches!(outcome, Outcome::Skipped { .. });
    let wished = report.outcomes.iter().filter(|(_, outcome)| !skipped(outcome)).count();
    let (holds, took) = (report.passed(), took.as_secs_f64());
    let mut end = format!("\n{holds} of {wished} checks hold, {took:.1} s\n");
    if let Some(kept) = kept {
        end.push_str(&format!("kept for a closer look: {}\n", kept.display()));
    }
    end
}
