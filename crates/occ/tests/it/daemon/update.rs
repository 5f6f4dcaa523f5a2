//! Another image, the one before, and everything anew: on a real daemon, also where it is cut short.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use occ_testkit::{Bench, Daemon, Manner, StandIn};

use crate::places::bench_at;

/// A place on the volume of opencode's data.
const KEPT: &str = "/home/opencode/.local/share/opencode/kept";

/// Puts a stand-in of this version under the name that this program's own image has.
fn offer(bench: &Bench, manner: Manner, opencode: &str) {
    let version = bench.run(["version", "--json"]).success().data();
    let name = version["image"].as_str().unwrap().to_owned();
    StandIn { name: &name, opencode, manner, labelled: true }.load(bench.api());
}

/// A sandbox that runs, with words in its data, and a newer image beside it.
fn running(daemon: &Daemon) -> Bench {
    let bench = bench_at(daemon.api());
    offer(&bench, Manner::Good, "1.0.1");
    bench.run(["start", "--yes"]).success();
    write(&bench, "words");
    offer(&bench, Manner::Good, "1.0.2");
    bench
}

fn write(bench: &Bench, text: &str) {
    bench.run(["exec", "--", "sh", "-c", &format!("echo {text} >{KEPT}")]).success();
}

fn kept(bench: &Bench) -> String {
    bench.run(["exec", "--", "cat", KEPT]).success().stdout
}

fn version(bench: &Bench) -> String {
    let data = bench.run(["status", "--json"]).success().data();
    data["health"]["opencode_version"].as_str().unwrap().to_owned()
}

#[test]
fn an_update_keeps_the_data_and_a_rollback_brings_back_the_sandbox_before_as_it_was() {
    let daemon = Daemon::start();
    let bench = running(&daemon);
    let old = bench.inspect()["Id"].clone();
    let checked = bench.run(["update", "--check", "--json"]).success().data();
    assert_eq!(checked["update"], true);
    bench.run(["update"]).code(2).says("occ start --yes");
    bench.run(["update", "--yes"]).success().says("To go back: occ rollback");
    assert_eq!((version(&bench), kept(&bench)), ("1.0.2".to_owned(), "words\n".to_owned()));
    assert_ne!(bench.inspect()["Id"], old);
    bench.run(["update", "--yes"]).success().prints("up to date");

    write(&bench, "newer");
    bench.run(["rollback"]).code(2).says("to go back: occ rollback --yes");
    bench.run(["rollback", "--yes"]).success();
    assert_eq!((version(&bench), kept(&bench)), ("1.0.1".to_owned(), "words\n".to_owned()));
    assert_eq!(bench.inspect()["Id"], old);
    bench.run(["rollback", "--yes"]).success();
    assert_eq!((version(&bench), kept(&bench)), ("1.0.2".to_owned(), "newer\n".to_owned()));
    let history = bench.run(["history"]).success().stdout;
    assert_eq!(history.matches("rollback  done").count(), 2, "{history}");
}

#[test]
fn pu_002_pu_003_a_broken_image_never_stops_the_sandbox_and_leaves_no_way_back_to_nothing() {
    let daemon = Daemon::start();
    let mut bench = running(&daemon);
    let before = bench.inspect();
    offer(&bench, Manner::NeverAnswers, "1.0.2");
    bench.set("OCC_START_TIMEOUT", "4");
    bench.run(["update", "--yes"]).code(7).says("did not become ready");
    let after = bench.inspect();
    assert_eq!(after["Id"], before["Id"]);
    assert_eq!(after["State"]["StartedAt"], before["State"]["StartedAt"], "it was stopped");
    assert_eq!(kept(&bench), "words\n");
    assert_eq!(bench.api().containers_of(bench.instance()).len(), 1, "the trial is left");
    bench.run(["rollback", "--yes"]).code(1).says("No previous image available for rollback");
    bench.run(["history"]).success().prints("update    failed, all as before");
}

#[test]
fn a_reset_empties_what_was_named_and_can_be_taken_back() {
    let daemon = Daemon::start();
    let bench = running(&daemon);
    bench.run(["reset", "--volume", "data"]).code(2).says("to reset: occ reset --yes");
    bench.run(["reset", "--volume", "data", "--yes"]).success();
    bench.run(["exec", "--", "cat", KEPT]).code(1);
    bench.run(["rollback", "--yes"]).success();
    assert_eq!(kept(&bench), "words\n");
}

/// What happens at the beginning of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blow {
    /// The command is killed.
    Killed,
    /// The daemon and everything that it runs is killed.
    DaemonKilled,
    /// There is no room left on the daemon's disk.
    DiskFull,
}

fn signal(child: &Child, signal: &str) {
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status();
    assert!(sent.expect("kill runs").success());
}

/// Runs a command that something happens to as soon as it begins its step of that number; returns whether
/// it came so far. Afterwards the world is as it should be.
fn run_and_strike(
    bench: &Bench,
    daemon: &mut Daemon,
    words: &[&str],
    (blow, step): (Blow, usize),
) -> bool {
    let flags = ["--yes", "--verbose", "--progress", "plain"];
    let mut child = bench.command(words.iter().chain(&flags));
    child.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = child.spawn().expect("occ runs");
    let mut said =
        BufReader::new(child.stderr.take().expect("piped")).lines().map_while(Result::ok);
    let mark = format!("[{step}/");
    let mut before = Vec::new();
    let reached = said.any(|line| {
        before.push(line);
        before.last().is_some_and(|line| line.starts_with(&mark))
    });
    match blow {
        _ if !reached => {}
        Blow::Killed => signal(&child, "-KILL"),
        Blow::DaemonKilled => daemon.kill(),
        Blow::DiskFull => {
            signal(&child, "-STOP");
            daemon.disk().fill();
            signal(&child, "-CONT");
        }
    }
    said.for_each(drop);
    let ended = child.wait().expect("it ends");
    assert!(reached || ended.success(), "{words:?} failed by itself: {}", before.join("\n"));
    match blow {
        Blow::DaemonKilled if reached => daemon.revive(),
        Blow::DiskFull => daemon.disk().clear(),
        _ => {}
    }
    reached
}

/// Lets something happen to a command at every step it has, and shows each time that the next command ends
/// healthy with the data still there.
fn survives_at_every_step(words: &[&str], blow: Blow, again: impl Fn(&Bench)) {
    let mut daemon = match blow {
        Blow::DiskFull => Daemon::on_small_disk("300m"),
        _ => Daemon::start(),
    };
    let bench = running(&daemon);
    let mut step = 1;
    loop {
        again(&bench);
        let reached = run_and_strike(&bench, &mut daemon, words, (blow, step));
        let what = format!("{}, {blow:?} at step {step}", words.join(" "));
        bench.run(["start", "--yes"]).success();
        assert_eq!(bench.inspect()["State"]["Running"], true, "{what}");
        let data = bench.run(["status", "--json"]).success().data();
        assert_eq!(data["health"]["state"], "healthy", "{what}");
        let there = bench.run(["exec", "--", "cat", KEPT]).stdout;
        let emptied = words[0] == "reset";
        assert!(there == "words\n" || (emptied && there.is_empty()), "{what}: {there:?}");
        assert!(bench.api().containers_of(bench.instance()).len() <= 2, "{what}: left over");
        assert!(!bench.state_dir().join("change-v1.json").exists(), "{what}: the journal is left");
        if !reached {
            break;
        }
        step += 1;
        assert!(step < 40, "{what}: no end of steps");
    }
    assert!(step > 8, "{words:?} has only {step} steps");
}

/// Whatever the last round ended with, there is another image to update to.
fn offer_another(bench: &Bench) {
    let next = if version(bench) == "1.0.1" { "1.0.2" } else { "1.0.1" };
    offer(bench, Manner::Good, next);
}

fn have_a_way_back(bench: &Bench) {
    let point = bench.run(["rollback", "--dry-run", "--yes"]);
    if point.stdout.is_empty() {
        offer_another(bench);
        bench.run(["update", "--yes"]).success();
    }
}

fn have_words(bench: &Bench) {
    write(bench, "words");
}

fn set_another_limit(bench: &Bench) {
    let data = bench.run(["config", "get", "pids_limit"]).success().stdout;
    let next = if data.trim() == "300" { "301" } else { "300" };
    bench.run(["config", "set", "pids_limit", next]).success();
}

#[test]
fn an_update_killed_at_any_step_ends_healthy_with_all_data() {
    survives_at_every_step(&["update"], Blow::Killed, offer_another);
}

#[test]
fn an_update_that_loses_the_daemon_at_any_step_ends_healthy_with_all_data() {
    survives_at_every_step(&["update"], Blow::DaemonKilled, offer_another);
}

#[test]
fn an_update_that_finds_the_disk_full_at_any_step_ends_healthy_with_all_data() {
    survives_at_every_step(&["update"], Blow::DiskFull, offer_another);
}

#[test]
fn a_rollback_killed_at_any_step_ends_healthy_with_all_data() {
    survives_at_every_step(&["rollback"], Blow::Killed, have_a_way_back);
}

#[test]
fn a_rollback_that_loses_the_daemon_at_any_step_ends_healthy_with_all_data() {
    survives_at_every_step(&["rollback"], Blow::DaemonKilled, have_a_way_back);
}

#[test]
fn a_rollback_that_finds_the_disk_full_at_any_step_ends_healthy_with_all_data() {
    survives_at_every_step(&["rollback"], Blow::DiskFull, have_a_way_back);
}

#[test]
fn a_reset_killed_at_any_step_ends_healthy() {
    survives_at_every_step(&["reset", "--volume", "data"], Blow::Killed, have_words);
}

#[test]
fn a_reset_that_loses_the_daemon_at_any_step_ends_healthy() {
    survives_at_every_step(&["reset", "--volume", "data"], Blow::DaemonKilled, have_words);
}

#[test]
fn a_reset_that_finds_the_disk_full_at_any_step_ends_healthy() {
    survives_at_every_step(&["reset", "--volume", "data"], Blow::DiskFull, have_words);
}

/// A backup restored again and again.
fn survives_a_restore(blow: Blow) {
    let folder = tempfile::tempdir().expect("tempdir");
    let file = folder.path().join("one.occ-backup");
    let name = file.to_str().expect("text");
    survives_at_every_step(&["backup", "restore", name], blow, |bench| {
        if !file.exists() {
            bench.run(["backup", "create", name]).success();
        }
    });
}

#[test]
fn a_restore_killed_at_any_step_ends_healthy_with_all_data() {
    survives_a_restore(Blow::Killed);
}

#[test]
fn a_restore_that_finds_the_disk_full_at_any_step_ends_healthy_with_all_data() {
    survives_a_restore(Blow::DiskFull);
}

#[test]
fn a_start_with_another_setting_killed_at_any_step_ends_healthy_with_all_data() {
    survives_at_every_step(&["start"], Blow::Killed, set_another_limit);
}

#[test]
fn a_start_that_loses_the_daemon_at_any_step_ends_healthy_with_all_data() {
    survives_at_every_step(&["start"], Blow::DaemonKilled, set_another_limit);
}

#[test]
fn a_start_that_finds_the_disk_full_at_any_step_ends_healthy_with_all_data() {
    survives_at_every_step(&["start"], Blow::DiskFull, set_another_limit);
}
