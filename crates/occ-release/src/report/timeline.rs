//! What a release did, and when: a row for every step, with a bar for every try.

use std::fmt::Write as _;

use jiff::Timestamp;
use occ_image::Size;
use serde_json::Value;

use super::{escaped, moment};
use crate::journal::{Ended, Entry, Record};
use crate::step::{Step, steps};

/// Width of a bar's room, in its own units.
const WIDTH: f64 = 1000.0;
/// The narrowest bar.
const NARROW: f64 = 3.0;
/// Width of a pause.
const PAUSE: f64 = 20.0;
/// A pause is left out when it is longer than this, in seconds, and than a fifth of all work.
const LONG: f64 = 30.0;

pub(super) fn write(record: &Record, page: &mut String) {
    let plan = &record.plan;
    _ = writeln!(page, "<h2>What {} did, and when</h2>", escaped(&plan.channel.to_string()));
    _ = writeln!(
        page,
        "<p>The base <code>{}</code> is {}.</p>",
        escaped(&plan.base.name),
        escaped(&plan.base.decision.to_string())
    );
    let axis = Axis::of(&record.entries);
    page.push_str("<ol class=\"steps\">\n");
    for planned in steps(plan) {
        row(&planned.step, &record.entries, &axis, page);
    }
    ends(&axis, page);
    for entry in record.entries.iter().filter(|entry| entry.ended == Ended::Abandoned) {
        _ = writeln!(page, "<p class=\"bad\">It was given up at {}.</p>", moment(entry.at));
    }
}

fn row(step: &Step, entries: &[Entry], axis: &Axis, page: &mut String) {
    let tries: Vec<&Entry> =
        entries.iter().filter(|entry| entry.step.as_ref() == Some(step)).collect();
    let bars: String = tries.iter().map(|entry| axis.bar(entry)).collect();
    let took = tries.last().map(|entry| lasted(seconds(entry.began, entry.at)));
    let failed = tries.iter().filter_map(|entry| match &entry.ended {
        Ended::Failed(why) => Some(format!("<span class=\"bad\">failed: {}</span>", escaped(why))),
        _ => None,
    });
    let mut notes: Vec<String> = failed.collect();
    match tries.last().map(|entry| &entry.ended) {
        Some(Ended::Done(facts)) => notes.extend(note(step, facts)),
        Some(_) => {}
        None => notes.push("<span class=\"weak\">not done</span>".to_owned()),
    }
    _ = writeln!(
        page,
        "<li><span class=\"what\">{}</span><span class=\"bar\"><svg viewBox=\"0 0 {WIDTH} 10\" \
         preserveAspectRatio=\"none\" aria-hidden=\"true\">{}{bars}</svg></span>\
         <span class=\"took\">{}</span><span class=\"note\">{}</span></li>",
        escaped(&step.to_string()),
        axis.lines(),
        took.unwrap_or_default(),
        notes.join("<br>")
    );
}

/// What is worth saying of a step that is done (HTML).
fn note(step: &Step, facts: &Value) -> Option<String> {
    let count = |name: &str| facts[name].as_u64().unwrap_or_default();
    let many = |name: &str| facts[name].as_array().map_or(0, Vec::len);
    match step {
        Step::Assemble => Some(format!("{} manifests", facts["digests"].as_object()?.len())),
        Step::Stage { .. } => Some(format!(
            "{} sent in {} blobs; {} were there already",
            Size(count("bytes")),
            many("uploaded"),
            count("there")
        )),
        Step::Compare { .. } => {
            Some(format!("{} in {} blobs read", Size(count("bytes")), count("blobs")))
        }
        Step::Smoke { .. } => match facts["why"].as_str() {
            Some(why) => Some(format!("<span class=\"bad\">not run: {}</span>", escaped(why))),
            None => Some(format!("{} hold, {} not looked at", count("held"), count("skipped"))),
        },
        Step::Scan { .. } => Some(format!("{} weaknesses known", many("weaknesses"))),
        Step::Judge { .. } => match facts["why"].as_str() {
            Some(why) => Some(format!("<span class=\"bad\">not judged: {}</span>", escaped(why))),
            None => Some(format!("approved: {}", escaped(facts["environment"].as_str()?))),
        },
        Step::Sign => Some(format!("{} statements", count("statements"))),
        Step::Attach { .. } => Some(format!("{} proofs", many("proofs"))),
        Step::ReadBack { .. } => {
            Some(format!("{} manifests read, {} blobs there", count("manifests"), count("seen")))
        }
        Step::Receipt => None,
        Step::Fix => Some(format!("{} tags, for good", many("tags"))),
        Step::Move => Some(format!("{} tags moved", many("tags"))),
    }
}

/// Whether a step found everything where it was to bring it.
fn is_reused(entry: &Entry) -> bool {
    match (&entry.step, &entry.ended) {
        (Some(Step::Stage { .. }), Ended::Done(facts)) => facts["bytes"].as_u64() == Some(0),
        _ => false,
    }
}

fn ends(axis: &Axis, page: &mut String) {
    let (Some(first), Some(last)) = (axis.busy.first(), axis.busy.last()) else {
        page.push_str("</ol>\n");
        return;
    };
    _ = writeln!(
        page,
        "<li><span class=\"what\">all, without pauses</span><span class=\"bar ends\"><span>{}</span><span>{}</span>\
         </span><span class=\"took\">{}</span><span class=\"note\"></span></li>\n</ol>",
        moment(first.0),
        moment(last.1),
        lasted(axis.worked)
    );
    let pauses = axis.pauses().map(lasted).collect::<Vec<_>>().join(", ");
    if !pauses.is_empty() {
        _ = writeln!(page, "<p class=\"weak\">A dashed line stands for a pause: {pauses}.</p>");
    }
    page.push_str(
        "<p class=\"weak\">Blue did what it should, red failed, grey found everything there \
         already.</p>\n",
    );
}

/// Where moments are on a line from which long pauses are left out.
struct Axis {
    /// When something was done, in order; between two of these is a pause.
    busy: Vec<(Timestamp, Timestamp)>,
    /// How long all of that took, in seconds.
    worked: f64,
}

impl Axis {
    fn of(entries: &[Entry]) -> Self {
        let steps = entries.iter().filter(|entry| entry.step.is_some());
        let mut spans: Vec<_> = steps.map(|it| (it.began, it.at.max(it.began))).collect();
        spans.sort();
        let all: f64 = merged(&spans, 0.0).iter().map(|span| seconds(span.0, span.1)).sum();
        let busy = merged(&spans, LONG.max(all / 5.0));
        let worked = busy.iter().map(|span| seconds(span.0, span.1)).sum();
        Self { busy, worked }
    }

    fn pauses(&self) -> impl Iterator<Item = f64> + '_ {
        self.busy.windows(2).map(|two| seconds(two[0].1, two[1].0))
    }

    #[allow(clippy::cast_precision_loss, reason = "a release has few pauses")]
    fn x(&self, at: Timestamp) -> f64 {
        let room = WIDTH - NARROW - PAUSE * (self.busy.len().saturating_sub(1) as f64);
        let (mut done, mut x) = (0.0, 0.0);
        for (number, (began, ended)) in self.busy.iter().enumerate() {
            x = PAUSE * number as f64;
            if at <= *ended {
                done += seconds(*began, at.max(*began));
                break;
            }
            done += seconds(*began, *ended);
        }
        x + done / self.worked.max(0.001) * room
    }

    fn bar(&self, entry: &Entry) -> String {
        let (from, to) = (self.x(entry.began), self.x(entry.at.max(entry.began)));
        let class = match &entry.ended {
            Ended::Failed(_) => "failed",
            _ if is_reused(entry) => "again",
            _ => "done",
        };
        let width = (to - from).max(NARROW);
        format!(
            "<rect class=\"{class}\" x=\"{from:.1}\" y=\"1\" width=\"{width:.1}\" height=\"8\"/>"
        )
    }

    fn lines(&self) -> String {
        let middles = self.busy.iter().skip(1).map(|span| self.x(span.0) - PAUSE / 2.0);
        let line =
            |x| format!("<line class=\"pause\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"0\" y2=\"10\"/>");
        middles.map(line).collect()
    }
}

/// Puts spans together that touch, or have less than some seconds between them.
fn merged(spans: &[(Timestamp, Timestamp)], gap: f64) -> Vec<(Timestamp, Timestamp)> {
    let mut merged: Vec<(Timestamp, Timestamp)> = Vec::new();
    for span in spans {
        match merged.last_mut() {
            Some(last) if seconds(last.1, span.0) <= gap => last.1 = last.1.max(span.1),
            _ => merged.push(*span),
        }
    }
    merged
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64()
}

/// A time as people say it.
fn lasted(seconds: f64) -> String {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "years fit")]
    let whole = seconds.max(0.0).round() as u64;
    match whole {
        0..10 => format!("{:.1} s", seconds.max(0.0)),
        10..60 => format!("{whole} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}
