//! Staying with a sandbox, as a service does.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use occ_testkit::{Bench, Daemon, Manner, Running};
use rustix::process::{Pid, Signal, kill_process};

use super::{running, stand_in};
use crate::places::bench_at;

/// Returns a daemon and a bench whose sandbox is a stand-in that is all right.
fn stage() -> (Daemon, Bench) {
    let daemon = Daemon::start();
    let bench = bench_at(daemon.api());
    stand_in(bench.api(), Manner::Good);
    (daemon, bench)
}

fn foreground(bench: &Bench) -> Running {
    let mut running = bench.start(["start", "--foreground", "--yes"]);
    running.until("its door is locked");
    running
}

fn terminate(running: &Running) {
    let pid = Pid::from_raw(i32::try_from(running.id()).unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
}

fn is_running(bench: &Bench) -> bool {
    bench.inspect()["State"]["Running"] == true
}

#[test]
fn it_tells_its_manager_when_it_is_ready_and_stops_the_sandbox_when_told_to() {
    let (_daemon, mut bench) = stage();
    let socket = bench.folder().join("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    bench.set("NOTIFY_SOCKET", &socket);
    let service = foreground(&bench);
    let mut heard = [0; 256];
    let count = manager.recv(&mut heard).unwrap();
    assert!(heard[..count].starts_with(b"READY=1\n"), "{heard:?}");
    assert!(is_running(&bench));
    terminate(&service);
    service.finish_within(Duration::from_secs(45)).success().says("Stopping the sandbox");
    let count = manager.recv(&mut heard).unwrap();
    assert!(heard[..count].starts_with(b"STOPPING=1\n"), "{heard:?}");
    assert!(!is_running(&bench));
}

#[test]
fn it_ends_well_when_the_sandbox_is_stopped_or_removed_and_stays_through_a_restart() {
    let (_daemon, bench) = stage();
    let mut service = foreground(&bench);
    bench.run(["restart"]).success();
    // It is still there: another stop is what ends it.
    bench.run(["stop"]).success();
    service.until("was stopped");
    service.finish_within(Duration::from_secs(20)).success();

    let service = foreground(&bench);
    bench.api().remove_container(&bench.container());
    service.finish_within(Duration::from_secs(20)).success().says("nothing left to do");
}

#[test]
fn it_stays_with_a_sandbox_that_the_engine_starts_again() {
    let (_daemon, bench) = stage();
    let mut service = foreground(&bench);
    // The stand-in's first process ends with its server, and takes along who tells it to.
    let kill = "/bin/busybox kill -KILL $(/bin/busybox pidof nc)";
    drop(bench.run(["exec", "--", "sh", "-c", kill]));
    service.until("the engine starts it again");
    bench.run(["start"]).success();
    terminate(&service);
    service.finish_within(Duration::from_secs(45)).success();
    assert!(!is_running(&bench));
}

#[test]
fn a_crash_that_nobody_mends_is_exit_7_so_that_the_service_manager_does() {
    let (_daemon, mut bench) = stage();
    bench.set("OCC_RESTART", "no");
    let service = foreground(&bench);
    bench.api().act(&format!("/containers/{}/kill?signal=KILL", bench.container()));
    let run = service.finish_within(Duration::from_secs(30)).code(7);
    run.says("the sandbox ended with exit code 137").says("hint: see what it said: occ logs");
}

#[test]
fn it_waits_for_an_engine_that_comes_up_later() {
    let (mut daemon, mut bench) = stage();
    // Otherwise the engine starts the sandbox too, at the same moment.
    bench.set("OCC_RESTART", "no");
    bench.run(["start", "--yes"]).success();
    daemon.kill();
    let mut service = bench.start(["start", "--foreground", "--yes"]);
    service.until("Waiting for the container engine");
    daemon.revive();
    service.until("its door is locked");
    terminate(&service);
    service.finish_within(Duration::from_secs(45)).success();
}

/// Freezes the server inside and waits until the watchdog has it answering again.
fn thaw_by_watchdog(bench: &mut Bench, freeze: &str) {
    bench.set("OCC_WATCHDOG", "true");
    bench.set("OCC_WATCHDOG_INTERVAL", "1");
    let mut service = bench.start(["start", "--foreground", "--yes"]);
    service.until("URL:");
    let before = bench.inspect()["State"]["StartedAt"].clone();
    bench.run(["exec", "--", "sh", "-c", freeze]).success();
    service.until("starting it again (1)");
    bench.run(["start"]).success();
    assert_ne!(bench.inspect()["State"]["StartedAt"], before);
    assert_eq!(bench.run(["status", "--json"]).success().data()["health"]["state"], "healthy");

    let folder = bench.state_dir().join("watchdog");
    let files: Vec<_> = fs::read_dir(folder).unwrap().flatten().collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let evidence: serde_json::Value =
        serde_json::from_slice(&fs::read(files[0].path()).unwrap()).unwrap();
    assert_eq!(evidence["answers"].as_array().unwrap().len(), 3, "{evidence}");
    assert_eq!(evidence["container"]["phase"], "running", "{evidence}");
    assert!(evidence["container"].get("env").is_none(), "{evidence}");
    terminate(&service);
    service.finish_within(Duration::from_secs(60)).success();
}

#[test]
fn a_stand_in_that_was_frozen_is_started_again_by_the_watchdog() {
    let (_daemon, mut bench) = stage();
    thaw_by_watchdog(&mut bench, "/bin/busybox kill -STOP $(/bin/busybox pidof nc)");
}

#[test]
fn the_real_server_that_was_frozen_is_started_again_by_the_watchdog() {
    let mut bench = running();
    thaw_by_watchdog(&mut bench, "pkill -STOP -x opencode");
}
