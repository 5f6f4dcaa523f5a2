//! The report as one page that opens from disk: no script, no address, curves as SVG.

use std::fmt::Write as _;

use super::sample::Sample;
use super::verdict::SoakReport;
use crate::junit::escaped;

/// Size of a curve, in its own units.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 120.0;

/// One figure of a look.
type Figure = fn(&Sample) -> f64;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;\
color:#222;background:#fff}table{border-collapse:collapse}td,th{padding:.2rem .8rem;text-align:right;\
border-bottom:1px solid #ddd}td:first-child,th:first-child{text-align:left}svg{width:100%;height:auto;\
background:#f6f6f6}polyline{fill:none;stroke:#2563eb;stroke-width:1.5}line{stroke:#dc2626;stroke-dasharray:3}\
.bad{color:#b91c1c}.good{color:#15803d}";

/// Returns the report about `name` as a page of HTML.
pub fn page(report: &SoakReport, name: &str) -> String {
    let title = escaped(name);
    let (word, class) =
        if report.reasons.is_empty() { ("It holds", "good") } else { ("It does not hold", "bad") };
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>Soak of {title}</title>\
         <style>{STYLE}</style>\n<h1>Soak of {title}</h1>\n<p class=\"{class}\"><strong>{word}.</strong> \
         {} rounds in {:.0} s.</p>\n",
        report.rounds,
        report.took.as_secs_f64()
    );
    if !report.reasons.is_empty() {
        page.push_str("<ul class=\"bad\">\n");
        for reason in &report.reasons {
            _ = writeln!(page, "<li>{}</li>", escaped(reason));
        }
        page.push_str("</ul>\n");
    }
    steps(report, &mut page);
    disturbances(report, &mut page);
    curves(report, &mut page);
    page.push_str("</html>\n");
    page
}

fn steps(report: &SoakReport, page: &mut String) {
    page.push_str(
        "<h2>Steps, milliseconds</h2>\n<table><tr><th>step<th>done<th>failed<th>p50<th>p95<th>p99\
         <th>longest</tr>\n",
    );
    for (step, times) in &report.steps {
        let [p50, p95, p99, longest] =
            [times.p50, times.p95, times.p99, times.longest].map(|seconds| seconds * 1000.0);
        _ = writeln!(
            page,
            "<tr><td>{step}<td>{}<td>{}<td>{p50:.0}<td>{p95:.0}<td>{p99:.0}<td>{longest:.0}</tr>",
            times.count, times.errors
        );
    }
    page.push_str("</table>\n");
}

fn disturbances(report: &SoakReport, page: &mut String) {
    if report.disturbances.is_empty() {
        return;
    }
    page.push_str("<h2>Disturbances</h2>\n<table><tr><th>what<th>after, s<th>afterwards</tr>\n");
    for (at, name, error) in &report.disturbances {
        let held = error.as_deref().map_or("everything holds".to_owned(), escaped);
        _ = writeln!(page, "<tr><td>{name}<td>{at:.0}<td>{held}</tr>");
    }
    page.push_str("</table>\n");
}

fn curves(report: &SoakReport, page: &mut String) {
    let growth = report.growth.map_or("too short to tell its growth".to_owned(), |growth| {
        format!("{:+.2} MB a minute once warm", growth / 1e6)
    });
    let memory = format!("Memory of the server, MB; {growth}");
    #[allow(clippy::cast_precision_loss, reason = "counts and bytes far below 2^52")]
    let all: [(&str, Figure); 7] = [
        (&memory, |sample| sample.memory as f64 / 1e6),
        ("Open files of the server", |sample| sample.files as f64),
        ("Threads of the server", |sample| sample.threads as f64),
        ("Processes in the container", |sample| sample.processes as f64),
        ("Database, kB", |sample| sample.database as f64 / 1e3),
        ("Write-ahead log, kB", |sample| sample.journal as f64 / 1e3),
        ("The server's log, kB", |sample| sample.log as f64 / 1e3),
    ];
    for (title, of) in all {
        let points: Vec<(f64, f64)> =
            report.samples.iter().map(|(at, sample)| (*at, of(sample))).collect();
        _ = writeln!(page, "<h3>{title}</h3>\n{}", curve(&points, report));
    }
}

/// A curve from zero to its highest point, with a line at every disturbance.
fn curve(points: &[(f64, f64)], report: &SoakReport) -> String {
    let end = report.took.as_secs_f64().max(1.0);
    let top = points.iter().map(|point| point.1).fold(1.0, f64::max);
    let x = |at: f64| at / end * WIDTH;
    let places: String = points
        .iter()
        .map(|(at, value)| format!("{:.1},{:.1} ", x(*at), HEIGHT - value / top * (HEIGHT - 8.0)))
        .collect();
    let lines: String = report
        .disturbances
        .iter()
        .map(|(at, name, _)| {
            let x = x(*at);
            format!("<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"0\" y2=\"{HEIGHT}\"><title>{name}</title></line>")
        })
        .collect();
    format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">{lines}<polyline points=\"{}\"/>\
         <text x=\"4\" y=\"14\" font-size=\"12\">{top:.0}</text></svg>",
        places.trim_end()
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_page_has_everything_in_it_and_asks_for_nothing() {
        let sample = Sample { memory: 500_000_000, ..Sample::default() };
        let report = SoakReport {
            took: Duration::from_secs(60),
            rounds: 12,
            steps: BTreeMap::new(),
            samples: vec![(1.0, sample), (30.0, sample), (60.0, sample)],
            disturbances: vec![(20.0, "kill", Some("a < b".into()))],
            growth: Some(-1e5),
            reasons: vec!["<script>".into()],
        };
        let page = page(&report, "an \"image\"");
        for part in
            ["It does not hold", "&lt;script&gt;", "a &lt; b", "-0.10 MB a minute", "polyline"]
        {
            assert!(page.contains(part), "{part}");
        }
        assert_eq!(page.matches("<svg").count(), 7);
        for foreign in ["<script", "http", "src=", "href="] {
            assert!(!page.contains(foreign), "{foreign}");
        }
    }
}
