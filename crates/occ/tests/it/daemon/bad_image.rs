//! Images that keep the labels and not the promises, and a daemon that goes away.

use std::time::Duration;

use occ_testkit::{Bench, Daemon, Manner};

use super::stand_in;
use crate::places::bench_at;

/// Returns a daemon in which our image is replaced by one that behaves like this.
fn daemon_with(manner: Manner) -> (Daemon, Bench) {
    let daemon = Daemon::start();
    let bench = bench_at(daemon.api());
    stand_in(bench.api(), manner);
    (daemon, bench)
}

#[test]
fn a_stand_in_that_behaves_is_accepted() {
    let (_daemon, bench) = daemon_with(Manner::Good);
    bench.run(["start", "--yes"]).success();
    assert_eq!(bench.run(["status", "--json"]).success().data()["health"]["state"], "healthy");
}

#[test]
fn a_server_that_exits_is_noticed_at_once_with_its_code_and_its_last_words() {
    let (_daemon, mut bench) = daemon_with(Manner::Exits(3));
    // Its last words are those of its one run.
    bench.set("OCC_RESTART", "no");
    let run = bench.run(["start", "--yes", "--timeout", "120"]).code(7);
    let run = run.says("stopped during the start with exit code 3");
    let run = run.says("about to fail").says("the stand-in has failed").says("hint: ");
    assert!(run.took < Duration::from_secs(20), "it took {:?}", run.took);
    insta::assert_snapshot!("a-server-that-exits", voice(&bench, &run.stderr));
    bench.assert_nothing_left();
}

/// Returns what was said from the error on, without what differs from run to run.
fn voice(bench: &Bench, stderr: &str) -> String {
    let error = stderr.find("error: ").map_or(stderr, |at| &stderr[at..]);
    error
        .replace(bench.instance(), "INSTANCE")
        .replace(&bench.port().to_string(), "PORT")
        .replace(&bench.folder().display().to_string(), "FOLDER")
}

#[test]
fn an_image_without_a_server_is_not_ready_in_time() {
    not_ready_in_time(Manner::NoServer, "there is no server here");
}

#[test]
fn a_server_that_never_answers_is_not_ready_in_time() {
    not_ready_in_time(Manner::NeverAnswers, "opencode is not ready after 3");
}

#[test]
fn a_server_that_answers_web_pages_only_is_not_ready_in_time() {
    not_ready_in_time(Manner::Html, "text/html");
}

fn not_ready_in_time(manner: Manner, words: &str) {
    let (_daemon, bench) = daemon_with(manner);
    let run = bench.run(["start", "--yes", "--timeout", "3", "--json"]).code(7).says(words);
    let run = run.says("did not become ready").says("occ start --timeout");
    assert_eq!(run.json()["error"]["kind"], "unhealthy");
    assert!(run.took < Duration::from_secs(25), "it took {:?}", run.took);
    bench.assert_nothing_left();
}

#[test]
fn a_server_without_a_lock_is_stopped() {
    let (_daemon, bench) = daemon_with(Manner::NoPassword);
    let run = bench.run(["start", "--yes"]).code(7).says("its door was open");
    insta::assert_snapshot!("a-server-without-a-lock", voice(&bench, &run.stderr));
    bench.assert_nothing_left();
}

#[test]
fn an_image_that_was_removed_is_made_again() {
    let (_daemon, bench) = daemon_with(Manner::Good);
    bench.run(["start", "--yes"]).success();
    bench.run(["exec", "--", "sh", "-c", "echo kept >/home/opencode/workspace/kept.txt"]).success();
    bench.run(["stop"]).success();
    let image = bench.inspect()["Image"].as_str().unwrap().to_owned();
    bench.api().delete(&format!("/images/{image}?force=1")).success();

    // The container that is there still has what it was made from.
    bench.run(["start"]).success();
    assert_eq!(bench.inspect()["Image"], image);

    bench.api().remove_container(&bench.container());
    bench.run(["start"]).success();
    assert_ne!(bench.inspect()["Image"], image);
    assert_eq!(bench.run(["exec", "cat", "kept.txt"]).success().stdout, "kept\n");
    bench.run(["status"]).success().prints("(built from source)");
}

#[test]
fn a_daemon_that_is_killed_during_the_start_is_exit_5_and_the_next_start_goes_on() {
    let (mut daemon, bench) = daemon_with(Manner::NeverAnswers);
    let mut start = bench.start(["start", "--yes", "--progress", "json", "--timeout", "100"]);
    start.until("waiting for");
    daemon.kill();
    let run = start.finish_within(Duration::from_secs(20)).code(5).says("hint: ");
    run.never_says("panicked");
    bench.run(["start", "--yes"]).code(5).says("not running").says("systemctl start docker");
    daemon.revive();
    bench.run(["start", "--yes", "--timeout", "3"]).code(7).says("did not become ready");
    stand_in(bench.api(), Manner::Good);
}
