//! What keeps the sandbox in and strangers out.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use occ_opencode::{Client, Error, prove_locked};
use serde_json::{Value, json};

use super::{address, client, client_with, password, running, wait};
use crate::places::bench;

#[test]
fn nobody_gets_in_without_the_password() {
    let bench = running();
    wait(async {
        prove_locked(address(&bench), Duration::from_secs(10)).await.unwrap();
        let stranger = Client::new(address(&bench).into(), None);
        assert!(matches!(stranger.health().await, Err(Error::Unauthorized { .. })));
        let guessing = client_with(&bench, "opencode");
        assert!(matches!(guessing.sessions().await, Err(Error::Unauthorized { .. })));
        client(&bench).health().await.unwrap();
    });
}

#[test]
fn the_password_is_in_one_file_and_nowhere_else() {
    let bench = running();
    let password = password(&bench);
    assert!(!bench.inspect().to_string().contains(&password), "in what the engine shows");
    let image = bench.inspect()["Image"].as_str().unwrap().to_owned();
    let image = bench.api().get(&format!("/images/{image}/json")).json();
    assert!(!image.to_string().contains(&password), "in the image");
    bench.run(["logs", "-n", "all"]).success().never_says(&password);
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        // A process may end while we look.
        let arguments = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let arguments = String::from_utf8_lossy(&arguments).into_owned();
        assert!(!arguments.contains(&password), "in the arguments of {:?}", entry.path());
    }
    let file = bench.state_dir().join("password");
    assert_eq!(fs::read_to_string(&file).unwrap(), format!("{password}\n"));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    for file in ["record-v1.json", "image-state.json"] {
        // Only who got an image has an image state.
        let text = fs::read_to_string(bench.state_dir().join(file)).unwrap_or_default();
        assert!(!text.contains(&password), "in {file}");
    }
    let inside =
        ["exec", "--user", "root", "--", "stat", "-c", "%a %U", "/run/opencode-cloud/password"];
    assert_eq!(bench.run(inside).success().stdout, "400 opencode\n");
}

#[test]
fn a_rotated_password_replaces_the_old_one() {
    let bench = running();
    let old = password(&bench);
    let new = bench.run(["password", "--rotate"]).success().stdout;
    assert_ne!(new.trim_end(), old);
    assert_eq!(new.trim_end(), password(&bench));
    wait(async {
        let refused = client_with(&bench, &old).health().await;
        assert!(matches!(refused, Err(Error::Unauthorized { .. })), "{refused:?}");
        client(&bench).health().await.unwrap();
    });
    bench.run(["stop"]).success();
    let newest = bench.run(["password", "--rotate", "--json"]).success().data();
    let newest = newest["password"].as_str().unwrap();
    assert_ne!(newest, new.trim_end());
    bench.run(["start"]).success();
    wait(async { client_with(&bench, newest).health().await.unwrap() });
}

#[test]
fn the_container_has_the_walls_and_limits_that_were_promised() {
    let bench = running();
    let container = bench.inspect();
    let host = &container["HostConfig"];
    assert_eq!(host["Privileged"], false);
    for namespace in ["PidMode", "UTSMode", "UsernsMode"] {
        assert_eq!(host[namespace], "", "{namespace}");
    }
    assert_ne!(host["IpcMode"], "host");
    assert_ne!(host["NetworkMode"], "host");
    assert_eq!(host["CapDrop"], json!(["ALL"]));
    let kept: BTreeSet<&str> = strings(&host["CapAdd"]);
    let promised =
        ["AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID"];
    assert_eq!(kept, promised.into());
    assert_eq!(host["Memory"], json!(2_u64 << 30));
    assert_eq!(host["MemorySwap"], host["Memory"]);
    assert_eq!(host["NanoCpus"], json!(2_000_000_000_u64));
    assert_eq!(host["PidsLimit"], 512);
    assert_eq!(host["RestartPolicy"]["Name"], "unless-stopped");
    let rotation = &host["LogConfig"]["Config"];
    assert_eq!(rotation["max-file"], "3");
    assert_eq!(rotation["max-size"].as_str().map(str::is_empty), Some(false));
    let ports = &host["PortBindings"]["4096/tcp"];
    assert_eq!(*ports, json!([{ "HostIp": "127.0.0.1", "HostPort": bench.port().to_string() }]));
    assert_eq!(host["PortBindings"].as_object().map(serde_json::Map::len), Some(1));
    let mounts = container["Mounts"].as_array().unwrap();
    assert_eq!(mounts.len(), 6, "{mounts:?}");
    assert!(mounts.iter().all(|mount| mount["Type"] == "volume"), "{mounts:?}");
    // Nothing of the host, least of all the engine's socket.
    assert_eq!(host["Devices"].as_array().map_or(0, Vec::len), 0);
    assert!(!container.to_string().contains("docker.sock"));
}

fn strings(list: &Value) -> BTreeSet<&str> {
    let list = list.as_array().into_iter().flatten().filter_map(Value::as_str);
    list.map(|name| name.strip_prefix("CAP_").unwrap_or(name)).collect()
}

#[test]
fn sudo_works_in_a_standard_sandbox() {
    let bench = running();
    assert_eq!(bench.run(["exec", "--", "sudo", "-n", "id", "-u"]).success().stdout, "0\n");
}

#[test]
fn a_strict_sandbox_starts_and_sudo_does_not_work_in_it() {
    let bench = bench();
    bench.run(["config", "set", "isolation", "strict"]).success();
    bench.run(["start", "--yes"]).success();
    let status = bench.run(["status", "--json"]).success().data();
    assert_eq!(status["health"]["state"], "healthy");
    let run = bench.run(["exec", "--", "sudo", "-n", "id", "-u"]);
    assert_ne!(run.code, Some(0), "sudo worked");
    let host = &bench.inspect()["HostConfig"];
    assert_eq!(host["CapDrop"], json!(["ALL"]));
    assert_eq!(host["CapAdd"].as_array().map_or(0, Vec::len), 0);
    let options = host["SecurityOpt"].to_string();
    assert!(options.contains("no-new-privileges"), "{options}");
}

#[test]
fn a_sandbox_for_other_machines_is_announced_and_shown_as_exposed() {
    let bench = bench();
    bench.run(["config", "set", "bind_address", "0.0.0.0"]).success();
    bench.run(["start", "--yes"]).success().says("[NETWORK EXPOSED]");
    let status = bench.run(["status", "--json"]).success().data();
    assert_eq!(status["exposed"], true);
    bench.run(["status"]).success().prints("[NETWORK EXPOSED]");
}
