//! Ctrl-C at any moment of a start.

use std::thread;
use std::time::Duration;

use occ_testkit::{Daemon, Manner, Registry};

use super::stand_in;
use crate::places::bench_at;

#[test]
fn an_interrupted_start_leaves_nothing_whenever_it_is_interrupted() {
    let daemon = Daemon::start();
    let bench = bench_at(daemon.api());
    stand_in(bench.api(), Manner::NeverAnswers);
    for milliseconds in [0, 5, 10, 20, 40, 60, 80, 120, 160, 240, 320, 480, 640, 960, 1500] {
        let start = bench.start(["start", "--yes"]);
        thread::sleep(Duration::from_millis(milliseconds));
        start.interrupt();
        let run = start.finish_within(Duration::from_secs(30)).interrupted();
        let run = run.never_says("panicked");
        assert!(run.took < Duration::from_secs(15), "{milliseconds} ms: {:?}", run.took);
        bench.assert_nothing_left();
    }
    stand_in(bench.api(), Manner::Good);
    bench.run(["start", "--yes"]).success();
}

#[test]
fn an_interrupted_wait_ends_the_sandbox_that_was_being_started() {
    let daemon = Daemon::start();
    let bench = bench_at(daemon.api());
    stand_in(bench.api(), Manner::NeverAnswers);
    let mut start = bench.start(["start", "--yes", "--progress", "json", "--json"]);
    start.until("waiting for");
    start.interrupt();
    let run = start.finish_within(Duration::from_secs(30)).code(130);
    assert_eq!(run.json()["error"]["kind"], "interrupted");
    bench.assert_nothing_left();
}

#[test]
fn ctrl_c_at_a_terminal_is_an_interruption() {
    let daemon = Daemon::start();
    let bench = bench_at(daemon.api());
    stand_in(bench.api(), Manner::NeverAnswers);
    let mut terminal = bench.at_terminal(["start", "--yes"]);
    terminal.until("waiting for");
    terminal.enter("\u{3}");
    let (code, shown) = terminal.finish();
    assert_eq!(code, Some(130), "{shown}");
    bench.assert_nothing_left();
}

#[test]
fn an_interrupted_start_of_a_stopped_sandbox_leaves_it_stopped_with_its_volumes() {
    let daemon = Daemon::start();
    let bench = bench_at(daemon.api());
    stand_in(bench.api(), Manner::Good);
    bench.run(["start", "--yes"]).success();
    bench.run(["exec", "--", "sh", "-c", "echo kept >/home/opencode/workspace/kept"]).success();
    bench.run(["stop"]).success();
    for milliseconds in [20, 60, 120, 200, 300, 400] {
        let start = bench.start(["start"]);
        thread::sleep(Duration::from_millis(milliseconds));
        start.interrupt();
        let run = start.finish_within(Duration::from_secs(30));
        if run.code == Some(0) {
            // It was faster.
            bench.run(["stop"]).success();
            continue;
        }
        run.interrupted();
        assert_eq!(bench.inspect()["State"]["Running"], false, "after {milliseconds} ms");
    }
    bench.run(["start"]).success();
    let file = bench.run(["exec", "cat", "/home/opencode/workspace/kept"]).success();
    assert_eq!(file.stdout, "kept\n");
}

#[test]
fn an_interrupted_pull_ends_at_once() {
    let daemon = Daemon::start();
    let mut bench = bench_at(daemon.api());
    let (host, _listener) = Registry::silent();
    bench.set("OCC_IMAGE_SOURCE", "prebuilt");
    bench.set("OCC_REGISTRIES", host);
    let mut start = bench.start(["start", "--yes"]);
    start.until("Pulling the image");
    thread::sleep(Duration::from_millis(300));
    start.interrupt();
    start.finish_within(Duration::from_secs(10)).code(130);
    bench.assert_nothing_left();
}

#[test]
fn an_interrupted_build_leaves_no_program_and_no_half_made_layer() {
    let daemon = Daemon::start();
    let mut bench = bench_at(daemon.api());
    bench.set("XDG_CACHE_HOME", bench.home().join("cache"));
    for moment in ["packages from npm: being made", "Debian base ("] {
        let mut start = bench.start(["start", "--yes"]);
        start.until(moment);
        thread::sleep(Duration::from_millis(1500));
        start.interrupt();
        start.finish_within(Duration::from_secs(30)).code(130);
        let folder = bench.home().join("cache/opencode-cloud/workshop-v3/work");
        let half: Vec<_> =
            std::fs::read_dir(folder).unwrap().flatten().map(|it| it.path()).collect();
        assert_eq!(half, Vec::<std::path::PathBuf>::new(), "{moment}");
        bench.assert_nothing_left();
        let home = bench.home().display().to_string();
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let arguments = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let arguments = String::from_utf8_lossy(&arguments).replace('\0', " ");
            assert!(!arguments.contains(&home), "{moment}: still runs: {arguments}");
        }
    }
}

#[test]
fn an_interrupted_load_leaves_nothing_and_the_next_start_loads_again() {
    let daemon = Daemon::start();
    let bench = bench_at(daemon.api());
    for moment in ["Loading the image", "unpacks the image"] {
        let mut start = bench.start(["start", "--yes", "--progress", "json"]);
        start.until(moment);
        start.interrupt();
        start.finish_within(Duration::from_secs(30)).code(130);
        bench.assert_nothing_left();
    }
    bench.run(["start", "--yes"]).success();
    assert_eq!(bench.run(["status", "--json"]).success().data()["health"]["state"], "healthy");
}
