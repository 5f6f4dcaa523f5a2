//! Watching a sandbox: its status as it changes, what it uses.

use std::time::Duration;

use occ_testkit::{Daemon, Manner};
use serde_json::Value;

use super::stand_in;
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
