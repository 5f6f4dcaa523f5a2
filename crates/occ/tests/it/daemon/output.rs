//! The form of results: JSON that is alone, and quiet.

use super::running;
use crate::places::bench;

#[test]
fn every_answer_as_json_is_one_envelope_and_nothing_else() {
    let bench = running();
    let commands: [(&[&str], &str); 8] = [
        (&["start"], "occ/start"),
        (&["status"], "occ/status"),
        (&["restart"], "occ/start"),
        (&["password"], "occ/password"),
        (&["config", "show"], "occ/config"),
        (&["doctor"], "occ/doctor"),
        (&["stop"], "occ/stop"),
        (&["start", "--dry-run"], "occ/plan"),
    ];
    for (command, schema) in commands {
        let run = bench.run(command.iter().chain(&["--json"])).success();
        assert_eq!(run.json()["schema"], schema, "{command:?}");
        assert_eq!(run.json()["version"], 1, "{command:?}");
    }
}

#[test]
fn failures_as_json_are_one_object_and_nothing_else() {
    let bench = bench();
    let commands: [(&[&str], i32); 4] =
        [(&["logs"], 1), (&["exec", "true"], 1), (&["restart"], 1), (&["password"], 1)];
    for (command, code) in commands {
        let run = bench.run(["--json"].iter().chain(command)).code(code);
        let failure = run.json();
        assert_eq!(failure["schema"], "occ/error", "{command:?}");
        assert_eq!(failure["error"]["exit_code"], code, "{command:?}");
        assert!(failure["error"]["hints"][0].is_string(), "{command:?}: {failure}");
    }
}

#[test]
fn quiet_says_nothing_and_changes_nothing_else() {
    let bench = bench();
    let run = bench.run(["start", "--yes", "--quiet"]).success();
    assert_eq!(run.stderr, "");
    assert_eq!(run.stdout, format!("http://127.0.0.1:{}\n", bench.port()));
    for command in ["status", "stop"] {
        let run = bench.run([command, "--quiet"]).success();
        assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", ""), "{command}");
    }
    bench.run(["logs", "--quiet", "-n", "1"]).success();
    bench.run(["restart", "--quiet"]).success();
}

#[test]
fn progress_is_lines_where_nobody_watches_and_json_lines_where_wished() {
    let bench = bench();
    let run = bench.run(["start", "--yes", "--progress", "json", "--json"]).success();
    for line in run.stderr.lines().filter(|line| line.starts_with('{')) {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(line["progress"].is_string(), "{line}");
    }
    assert!(run.stderr.lines().any(|line| line.starts_with('{')), "{}", run.stderr);
    bench.run(["stop"]).success();
    let run = bench.run(["start", "--progress", "none"]).success();
    assert!(!run.stderr.contains('{') && !run.stderr.contains('\u{1b}'), "{}", run.stderr);
}

#[test]
fn the_doctor_finds_nothing_wrong_here() {
    let bench = bench();
    let checks = bench.run(["doctor", "--json"]).success().data()["checks"].clone();
    let engine = checks.as_array().unwrap().iter().find(|check| check["name"] == "engine").unwrap();
    assert_eq!(engine["verdict"], "ok", "{checks}");
}
