//! How long an engine holds: one that does, worked on and disturbed, and one that does not.

use std::fs;
use std::path::Path;
use std::time::Duration;

use occ_testkit::Bench;
use serde_json::Value;

use super::running;
use super::smoke::{Broken, image};

/// How long a soak may take: after each disturbance everything that smoke asks for is proved.
const LIMIT: Duration = Duration::from_secs(540);

/// Every kind of entry of the log, once each.
fn kinds(log: &str) -> Vec<String> {
    let entry = |line: &str| serde_json::from_str::<Value>(line).unwrap();
    let mut kinds: Vec<String> =
        log.lines().map(|line| entry(line)["kind"].as_str().unwrap().to_owned()).collect();
    kinds.sort();
    kinds.dedup();
    kinds
}

fn soak(bench: &Bench, image: &str, more: &[&str], folder: &Path) -> occ_testkit::Run {
    let folder = folder.to_str().unwrap();
    let usual = ["soak", image, "--duration", "30m", "--concurrency", "2", "--report", folder];
    bench.start([&usual[..], &["--json"], more].concat()).finish_within(LIMIT)
}

/// Disturbs an engine of the image, and looks at everything that is left.
fn holds(faults: &[&str]) {
    let bench = running();
    let image = image(&bench);
    bench.run(["rm", "--yes", "--volumes"]).success();
    let folder = bench.folder().join("soak");
    let named = format!("--faults={}", faults.join(","));
    let data = soak(&bench, &image, &["--runs", "4", &named], &folder).success().data();
    assert_eq!((&data["verdict"], &data["reasons"]), (&"passed".into(), &Value::Array(vec![])));
    assert!(data["rounds"].as_u64().unwrap() >= 4, "{data}");
    let done = data["disturbances"].as_array().unwrap().iter();
    let done: Vec<(&str, bool)> =
        done.map(|one| (one["name"].as_str().unwrap(), one["error"].is_null())).collect();
    assert_eq!(done, faults.iter().map(|name| (*name, true)).collect::<Vec<_>>());
    for step in ["session", "prompt", "tool", "file", "shell", "isolation", "health", "delete"] {
        assert!(data["steps"][step]["count"].as_u64().unwrap() >= 4, "{step}: {data}");
    }
    let report = fs::read_to_string(folder.join("report.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&report).unwrap(), data);
    let log = fs::read_to_string(folder.join("soak.jsonl")).unwrap();
    assert_eq!(kinds(&log), ["disturbance", "round", "sample", "step"]);
    let page = fs::read_to_string(folder.join("report.html")).unwrap();
    assert!(page.contains("<svg") && !page.contains("http://") && !page.contains("https://"));
    bench.assert_nothing_left();
}

#[test]
fn an_engine_outlives_what_eats_its_memory_and_its_processes() {
    holds(&["child-out-of-memory", "fork-bomb"]);
}

#[test]
fn an_engine_outlives_a_model_that_is_away_and_listeners_that_go() {
    holds(&["model-away", "listeners-gone"]);
}

#[test]
fn an_engine_outlives_new_starts() {
    holds(&["restart-in-prompt", "kill"]);
}

#[test]
fn an_engine_outlives_a_full_disk() {
    holds(&["full-disk"]);
}

#[test]
fn an_engine_that_lies_does_not_hold_and_a_sandbox_is_not_stopped() {
    let bench = running();
    let broken = Broken::with(&bench, "hides-codes");
    let folder = bench.folder().join("soak");
    let data = soak(&bench, &broken.name, &["--runs", "2"], &folder).code(7).data();
    assert_eq!(data["verdict"], "failed");
    let reasons = data["reasons"].to_string();
    assert!(reasons.contains("shell of 1 failed: the command is"), "{reasons}");

    let sandbox = soak(&bench, bench.instance(), &["--faults=kill"], &folder);
    let _refused = sandbox.code(2).says("kill is for an image").says("--faults");
    let nobody = soak(&bench, &broken.name, &["--faults=earthquake"], &folder);
    let _unknown = nobody.code(2).says("earthquake").says("listeners-gone");
}
