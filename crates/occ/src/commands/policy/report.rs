//! Verdicts as a person reads them.

use occ_policy::{Ruled, Truth, Verdict};

/// Returns verdicts with every rule and what decided it.
pub(crate) fn verdicts(verdicts: &[Verdict]) -> String {
    let texts: Vec<String> = verdicts.iter().map(verdict).collect();
    texts.join("\n")
}

fn verdict(verdict: &Verdict) -> String {
    let mut text = format!("{}: {} ({})\n", verdict.environment, verdict.word(), verdict.title);
    text.extend(verdict.reasons().map(reason));
    text.extend(verdict.rules.iter().filter(|ruled| ruled.truth == Truth::Yes).map(held));
    if verdict.is_approved() {
        text.extend(verdict.notes.iter().map(|note| line("note", note)));
    }
    text
}

/// Returns a reason against an image, with what decided it.
pub(crate) fn reason(ruled: &Ruled) -> String {
    let mut text = line("reason", &format!("{} [{}]", ruled.reason(), ruled.rule));
    text.extend(ruled.because.iter().map(|decider| line("", &decider.to_string())));
    text.extend(ruled.advice.iter().map(|advice| line("", &format!("advice: {advice}"))));
    text
}

fn held(ruled: &Ruled) -> String {
    let mut text = line("holds", &format!("[{}]", ruled.rule));
    text.extend(ruled.because.iter().map(|decider| line("", &decider.to_string())));
    text
}

fn line(name: &str, value: &str) -> String {
    format!("  {name:<8}{value}\n")
}
