//! The doctor's findings, each with its exact fix, and what it mends.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use occ_testkit::{Bench, Registry};
use serde_json::{Value, json};

use crate::places::bench;

fn check(checks: &Value, name: &str) -> Value {
    let found = checks.as_array().unwrap().iter().find(|check| check["name"] == name);
    found.unwrap_or_else(|| panic!("no check {name} in {checks}")).clone()
}

fn examined(bench: &Bench, name: &str) -> Value {
    check(&bench.run(["doctor", "--json"]).data()["checks"], name)
}

#[test]
fn every_group_of_checks_answers() {
    let bench = bench();
    let checks = bench.run(["doctor", "--json"]).success().data()["checks"].clone();
    for name in [
        "config",
        "state",
        "permissions",
        "leftovers",
        "engine",
        "limits",
        "users",
        "processor",
        "memory",
        "disk",
        "image",
        "record",
        "sandbox",
        "port",
        "mounts",
        "registries",
        "clock",
        "building",
    ] {
        let check = check(&checks, name);
        assert_ne!(check["verdict"], "fail", "{check}");
        assert!(check["seen"].as_str().is_some_and(|seen| !seen.is_empty()), "{check}");
    }
}

#[test]
fn what_is_harmless_to_mend_is_mended_and_told() {
    let bench = bench();
    let dir = bench.state_dir();
    fs::create_dir_all(&dir).unwrap();
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
    let password = dir.join("password");
    fs::write(&password, "somebody has read me\n").unwrap();
    fs::set_permissions(&password, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(dir.join("record-v1.json"), "{ half").unwrap();
    // No process has the largest number.
    let stale = dir.join(format!(".record-v1.json.{}.tmp", i32::MAX));
    let busy = dir.join(format!(".record-v1.json.{}.tmp", std::process::id()));
    for file in [&stale, &busy] {
        fs::write(file, "x").unwrap();
    }

    let run = bench.run(["doctor"]).success().says("occ doctor --fix");
    let run = run.prints(&format!("chmod 700 {}", dir.display()));
    run.prints("occ password --rotate").prints("cannot be understood");
    assert!(stale.exists());

    let data = bench.run(["doctor", "--fix", "--json"]).success().data();
    assert_eq!(data["fixed"].as_array().unwrap().len(), 4, "{data}");
    for name in ["state", "permissions", "leftovers"] {
        assert_eq!(check(&data["checks"], name)["verdict"], "ok", "{data}");
    }
    assert!(!stale.exists() && busy.exists());
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&dir), mode(&password)), (0o700, 0o600));
    assert_eq!(fs::read_to_string(dir.join("record-v1.json.unreadable-1")).unwrap(), "{ half");

    let data = bench.run(["doctor", "--fix", "--json"]).success().data();
    assert_eq!(data["fixed"], json!([]), "a second one finds nothing left");
}

#[test]
fn a_folder_that_is_not_there_fails_with_the_command_that_makes_it() {
    let mut bench = bench();
    let folder = bench.folder().join("work");
    bench.set("OCC_WORKSPACE", &folder);
    let run = bench.run(["doctor", "--json"]).code(1);
    let mounts = check(&run.data()["checks"], "mounts");
    assert_eq!(mounts["hints"][0], format!("make it: mkdir -p {}", folder.display()));
}

#[test]
fn pu_007_a_config_that_is_wrong_is_told_with_what_is_expected() {
    let bench = bench();
    bench.write_config("{ \"port\": 70000 }");
    let run = bench.run(["doctor", "--json"]).code(1);
    let config = check(&run.data()["checks"], "config");
    let seen = config["seen"].as_str().unwrap();
    assert!(seen.contains("port: a port from 1 to 65535 is expected"), "{config}");
    assert!(config["hints"][0].as_str().unwrap().contains("occ config schema"), "{config}");
}

#[test]
fn a_taken_port_is_told_with_one_that_is_free() {
    let bench = bench();
    let _holder = std::net::TcpListener::bind(("127.0.0.1", bench.port())).unwrap();
    let port = examined(&bench, "port");
    assert_eq!(port["verdict"], "warn", "{port}");
    assert!(port["hints"][0].as_str().unwrap().starts_with("occ start --port "), "{port}");
}

#[test]
fn more_memory_than_the_engine_has_is_told_with_what_it_has() {
    let mut bench = bench();
    bench.set("OCC_MEMORY", "100TiB");
    let memory = examined(&bench, "memory");
    assert_eq!(memory["verdict"], "warn", "{memory}");
    assert!(memory["hints"][0].as_str().unwrap().starts_with("occ config set memory "), "{memory}");
}

#[test]
fn a_registry_that_does_not_answer_is_a_warning_and_one_that_does_sets_the_clock_right() {
    let mut bench = bench();
    bench.set("OCC_IMAGE_SOURCE", "prebuilt");
    // Whatever proxy this machine has, it does not lead to this machine.
    bench.set("NO_PROXY", "localhost");
    bench.set("no_proxy", "localhost");
    let registry = Registry::start();
    let (silent, _listener) = Registry::silent();
    bench.set("OCC_REGISTRIES", format!("{},{silent}", registry.host()));
    let checks = bench.run(["doctor", "--json"]).success().data()["checks"].clone();
    let registries = check(&checks, "registries");
    assert_eq!(registries["verdict"], "warn", "{registries}");
    let seen = registries["seen"].as_str().unwrap();
    assert!(seen.contains(&silent) && !seen.contains(&registry.host()), "{seen}");
    let clock = check(&checks, "clock");
    assert_eq!((&clock["verdict"], &clock["seen"]), (&json!("ok"), &json!("as the registry's")));
}

#[test]
fn an_image_that_the_engine_lost_and_a_container_that_is_gone_are_told() {
    let bench = bench();
    let dir = bench.state_dir();
    fs::create_dir_all(&dir).unwrap();
    let record = json!({
        "image": format!("sha256:{}", "0".repeat(64)), "container": "0".repeat(64),
        "opencode_version": "1.18.33", "owner": { "uid": 1000, "gid": 1000 },
        "proved_at": "2026-01-31T12:00:00Z",
    });
    fs::write(dir.join("record-v1.json"), record.to_string()).unwrap();
    for name in ["image", "record"] {
        let check = examined(&bench, name);
        assert_eq!(check["verdict"], "warn", "{check}");
        assert!(check["hints"][0].as_str().unwrap().ends_with("occ start"), "{check}");
    }
}
