//! Watching a sandbox: its status as it changes, what it uses.

use std::time::Duration;

use occ_testkit::{Daemon, Manner};
use serde_json::Value;

use super::{client, running, stand_in, wait};
use crate::places::bench_at;

fn lines(stdout: &str) -> Vec<Value> {
    stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_watched_status_is_a_line_of_json_for_every_change_until_ctrl_c() {
    let daemon = Daemon::start();
    let bench = bench_at(daemon.api());
    stand_in(bench.api(), Manner::Good);
    bench.run(["start", "--yes"]).success();
    let mut watch = bench.start(["status", "--watch", "--json"]);
    watch.until("\"healthy\"");
    bench.run(["stop"]).success();
    watch.until("\"stopped\"");
    watch.interrupt();
    let run = watch.finish_within(Duration::from_secs(20)).code(130);
    let states: Vec<Value> =
        lines(&run.stdout).iter().map(|line| line["data"]["state"].clone()).collect();
    assert_eq!(states.first(), Some(&"running".into()), "{states:?}");
    assert_eq!(states.last(), Some(&"stopped".into()), "{states:?}");
    assert!(states.len() < 6, "only changes are told: {}", run.stdout);
}

#[test]
fn a_watched_status_is_drawn_again_in_its_place_on_a_terminal() {
    let daemon = Daemon::start();
    let bench = bench_at(daemon.api());
    stand_in(bench.api(), Manner::Good);
    bench.run(["start", "--yes"]).success();
    let mut terminal = bench.at_terminal(["status", "--watch"]);
    terminal.until("healthy");
    bench.run(["stop"]).success();
    terminal.until("stopped");
    terminal.enter("\u{3}");
    let (code, shown) = terminal.finish();
    assert_eq!(code, Some(130), "{shown}");
    assert!(shown.matches("\u{1b}[H").count() >= 2, "{shown:?}");
}

#[test]
fn pu_006_stats_tell_memory_processor_disk_and_sessions() {
    let bench = running();
    wait(async {
        let client = client(&bench);
        drop(client.create_session().await.unwrap());
    });
    let data = bench.run(["stats", "--json"]).success().data();
    assert_eq!(data["state"], "running", "{data}");
    assert!(data["memory"]["bytes"].as_u64().unwrap() > 10 << 20, "{data}");
    assert_eq!(data["memory"]["limit"], 2_u64 << 30, "{data}");
    assert!(data["cpu_percent"].as_f64().is_some(), "{data}");
    assert!(data["processes"].as_u64().unwrap() > 1, "{data}");
    assert_eq!(data["sessions"]["total"], 1, "{data}");
    assert_eq!(data["sessions"]["busy"], 0, "{data}");
    let volumes = data["volumes"].as_array().unwrap();
    assert!(volumes.iter().any(|it| it["bytes"].as_u64().is_some_and(|bytes| bytes > 0)), "{data}");
    bench.run(["stats"]).success().prints("Memory:").prints("Sessions:");

    let mut watch = bench.start(["stats", "--watch", "--json"]);
    watch.until("cpu_percent");
    bench.run(["stop"]).success();
    watch.until("\"stopped\"");
    watch.interrupt();
    let run = watch.finish_within(Duration::from_secs(20)).code(130);
    assert!(lines(&run.stdout).len() >= 2, "{}", run.stdout);

    let data = bench.run(["stats", "--json"]).code(1).data();
    assert_eq!((&data["state"], &data["memory"]), (&"stopped".into(), &Value::Null), "{data}");
}
