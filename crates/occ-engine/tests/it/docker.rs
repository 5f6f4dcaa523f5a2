//! What a real daemon makes of a wish, seen from outside and from inside.

use std::collections::BTreeSet;

use occ_engine::{
    Capability, ContainerSpec, Docker, Engine as _, Error, Isolation, Limits, LogRotation,
    LogsQuery, Mount, Phase, RestartPolicy,
};
use serde_json::json;

use crate::bench::{Bench, RUNS, docker, soon};
use crate::server::inspected;

/// Runs a container to its end and returns what it wrote.
async fn said(bench: &Bench<Docker>, spec: &ContainerSpec) -> String {
    let name = bench.start(spec).await;
    let exit = soon(bench.engine.wait_container(&name)).await.unwrap();
    let log = bench.log(&name, &LogsQuery::default()).await;
    assert_eq!(exit.code, 0, "{log:?}");
    log.into_iter().map(|(_, text)| text).collect()
}

#[tokio::test]
async fn limits_walls_and_rotation_are_those_asked_for() {
    let bench = docker().await;
    let spec = ContainerSpec {
        isolation: Isolation::Capabilities(BTreeSet::from([Capability::Kill, Capability::Chown])),
        limits: Limits { memory: Some(64 << 20), cpu_millis: Some(500), pids: Some(99) },
        restart: RestartPolicy::UnlessStopped,
        logs: LogRotation { max_size: 123_456, max_files: 3 },
        ..bench.spec("box", RUNS)
    };
    bench.engine.create_container(&spec).await.unwrap();
    let found = inspected(&spec.name);
    let host = &found["HostConfig"];
    assert_eq!(host["Memory"], json!(64 << 20));
    assert_eq!(host["MemorySwap"], json!(64 << 20));
    assert_eq!(host["NanoCpus"], json!(500_000_000));
    assert_eq!(host["PidsLimit"], json!(99));
    assert_eq!(host["CapDrop"], json!(["ALL"]));
    let kept: BTreeSet<&str> =
        host["CapAdd"].as_array().unwrap().iter().filter_map(|cap| cap.as_str()).collect();
    let kept: BTreeSet<_> = kept.iter().map(|cap| cap.trim_start_matches("CAP_")).collect();
    assert_eq!(kept, BTreeSet::from(["CHOWN", "KILL"]));
    assert_eq!(host["RestartPolicy"]["Name"], "unless-stopped");
    let rotation =
        json!({ "Type": "json-file", "Config": { "max-file": "3", "max-size": "123456" } });
    assert_eq!(host["LogConfig"], rotation);
    assert_eq!((&host["Privileged"], &host["Init"]), (&json!(false), &json!(false)));
    assert_eq!((&host["NetworkMode"], &host["PidMode"]), (&json!("none"), &json!("")));
    assert_eq!(found["Config"]["Hostname"], "sandbox");
}

#[tokio::test]
async fn the_kernel_holds_exactly_the_capabilities_kept() {
    let bench = docker().await;
    let script = "grep -E '^(CapBnd|NoNewPrivs)' /proc/self/status";
    let strict = bench.spec("strict", script);
    assert_eq!(said(&bench, &strict).await, "CapBnd:\t0000000000000000\nNoNewPrivs:\t1\n");
    // Bit 0 is CAP_CHOWN, bit 5 is CAP_KILL; see capabilities(7).
    let kept = BTreeSet::from([Capability::Kill, Capability::Chown]);
    let some =
        ContainerSpec { isolation: Isolation::Capabilities(kept), ..bench.spec("some", script) };
    assert_eq!(said(&bench, &some).await, "CapBnd:\t0000000000000021\nNoNewPrivs:\t0\n");
}

#[tokio::test]
async fn memory_is_mounted_with_its_size_and_programs_may_run_from_it() {
    let bench = docker().await;
    let script = "grep ' /tmp ' /proc/mounts; cat /bin/busybox > /tmp/echo; \
                  stat -c %a /tmp; sh -c 'chmod 755 /tmp/echo' 2>/dev/null; \
                  /bin/busybox chmod 755 /tmp/echo; /tmp/echo ran";
    let mounts = vec![Mount::Tmpfs { target: "/tmp".to_owned(), size: 8 << 20, owner: None }];
    let said = said(&bench, &ContainerSpec { mounts, ..bench.spec("box", script) }).await;
    let options = said.lines().next().unwrap();
    assert!(options.contains("nosuid,nodev") && !options.contains("noexec"), "{options}");
    assert!(options.contains("size=8192k"), "{options}");
    assert!(said.ends_with("1777\nran\n"), "{said}");
}

#[tokio::test]
async fn a_container_is_held_to_its_memory() {
    let bench = docker().await;
    let facts = bench.engine.facts().await.unwrap();
    assert!(facts.can_limit.memory, "the test needs a daemon that can limit memory");
    let limits = Limits { memory: Some(8 << 20), cpu_millis: None, pids: None };
    let spec = ContainerSpec { limits, ..bench.spec("box", "exec tail /dev/zero") };
    let name = bench.start(&spec).await;
    let exit = soon(bench.engine.wait_container(&name)).await.unwrap();
    // SIGKILL. Docker 20.10 does not always note that memory was the reason.
    assert_eq!(exit.code, 137);
}

#[tokio::test]
async fn a_log_with_long_lines_and_many_bytes_comes_whole() {
    let bench = docker().await;
    // One line of 100 000 bytes, longer than any piece the daemon cuts.
    let script = "head -c 100000 /dev/zero | /bin/busybox tr '\\000' x; echo; echo end";
    let spec = ContainerSpec {
        logs: LogRotation { max_size: 10 << 20, max_files: 2 },
        ..bench.spec("box", script)
    };
    let said = said(&bench, &spec).await;
    assert_eq!(said.len(), 100_001 + 4);
    assert!(said.ends_with("x\nend\n"));
}

#[tokio::test]
async fn a_program_that_cannot_be_started_is_refused_and_the_container_tells_why() {
    let bench = docker().await;
    let command = Some(vec!["/nonesuch".to_owned()]);
    let spec = ContainerSpec { command, ..bench.spec("box", RUNS) };
    bench.engine.create_container(&spec).await.unwrap();
    let error = bench.engine.start_container(&spec.name).await.unwrap_err();
    assert!(matches!(error, Error::Refused { .. } | Error::NotFound { .. }), "{error:?}");
    let state = bench.engine.container(&spec.name).await.unwrap().unwrap();
    assert_eq!(state.phase, Phase::Created);
    assert_eq!(state.exit.map(|exit| (exit.code, exit.error.is_some())), Some((127, true)));
}

#[tokio::test]
async fn an_unclear_name_is_refused_before_it_reaches_the_daemon() {
    let bench = docker().await;
    let error = bench.engine.container("../images").await.unwrap_err();
    assert!(matches!(error, Error::Refused { status: 400, .. }), "{error:?}");
}
