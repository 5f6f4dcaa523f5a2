//! Several at once.

use std::collections::BTreeSet;

use super::running;
use crate::places::bench;

#[test]
fn ten_starts_at_once_are_one_sandbox_and_ten_successes() {
    let bench = bench();
    let starts: Vec<_> = (0..10).map(|_| bench.start(["start", "--yes", "--json"])).collect();
    let ids: BTreeSet<String> = starts
        .into_iter()
        .map(|start| start.finish().success().data()["container"]["id"].to_string())
        .collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
    assert_eq!(bench.api().containers_of(bench.instance()), [bench.container()]);
}

#[test]
fn starts_and_stops_at_once_end_in_one_of_both_states() {
    let bench = running();
    let commands = ["stop", "start", "restart", "start", "stop", "start"];
    let runs: Vec<_> = commands.iter().map(|command| bench.start([command])).collect();
    for run in runs {
        run.finish().success();
    }
    bench.run(["start"]).success();
    let status = bench.run(["status", "--json"]).success().data();
    assert_eq!(status["health"]["state"], "healthy");
    assert_eq!(bench.api().containers_of(bench.instance()), [bench.container()]);
}
