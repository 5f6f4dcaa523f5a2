use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::sync::atomic::AtomicBool;

use occ_image::{Event, Phase, build};
use occ_oci::Digest;

use crate::bench::Bench;

const ALL: [Phase; 3] = [Phase::Guest, Phase::Opencode, Phase::Base];

fn files(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
    tar::Archive::new(archive)
        .entries()
        .unwrap()
        .map(|entry| {
            let mut entry = entry.unwrap();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            (String::from_utf8(entry.path_bytes().into_owned()).unwrap(), bytes)
        })
        .collect()
}

#[test]
fn an_archive_is_an_oci_layout_and_a_docker_archive_at_once() {
    let image = Bench::new().build().0;
    // The workshop is gone by now, and with it the layers.
    assert!(image.unwrap().archive().is_err());

    let bench = Bench::new();
    let image = bench.build().0.unwrap();
    let mut archive = image.archive().unwrap();
    let promised = archive.len();
    let mut bytes = Vec::new();
    archive.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes.len() as u64, promised);

    let files = files(&bytes);
    for (path, bytes) in files.iter().filter(|(path, _)| path.starts_with("blobs/")) {
        assert_eq!(*path, format!("blobs/sha256/{}", Digest::sha256(bytes).hex()));
    }
    let json = |path: &str| serde_json::from_slice::<serde_json::Value>(&files[path]).unwrap();
    let docker = json("manifest.json");
    assert_eq!(docker[0]["RepoTags"][0], image.name.as_str());
    assert_eq!(docker[0]["Layers"].as_array().unwrap().len(), 3);
    let manifest = json("index.json")["manifests"][0]["digest"].as_str().unwrap().to_owned();
    assert_eq!(manifest, image.manifest_digest().to_string());
    let manifest = json(&format!("blobs/{}", manifest.replace(':', "/")));
    assert_eq!(manifest["config"]["digest"], image.config_digest().to_string());
    let config = json(docker[0]["Config"].as_str().unwrap());
    assert_eq!(config["config"]["User"], "opencode");
    assert_eq!(config["rootfs"]["diff_ids"][0], image.layers[0].diff_id.to_string());
    assert_eq!(config["history"].as_array().unwrap().len(), 3);
    assert_eq!(
        config["config"]["Labels"]["org.opencode-cloud.build-key"],
        bench.plan.key().to_string()
    );
}

#[test]
fn a_second_build_runs_nothing_and_gives_the_same_image() {
    let bench = Bench::new();
    let (first, events) = bench.build();
    for phase in ALL {
        assert!(events.contains(&Event::Done(phase)), "{events:?}");
    }
    for program in ["mmdebstrap", "npm", "apt-get", "apt-config"] {
        fs::remove_file(bench.path(program)).unwrap();
    }
    let (second, events) = bench.build();
    assert_eq!(second.unwrap(), first.unwrap());
    let expected: Vec<Event> =
        ALL.into_iter().flat_map(|phase| [Event::Checking(phase), Event::Reused(phase)]).collect();
    assert_eq!(events, expected);
}

#[test]
fn another_workshop_makes_the_same_image() {
    let (one, other) = (Bench::new(), Bench::new());
    let bytes = |bench: &Bench| {
        let mut bytes = Vec::new();
        bench.build().0.unwrap().archive().unwrap().read_to_end(&mut bytes).unwrap();
        Digest::sha256(&bytes)
    };
    assert_eq!(bytes(&one), bytes(&other));
}

#[test]
fn the_base_forgets_the_machine_and_knows_the_user() {
    let bench = Bench::new();
    let image = bench.build().0.unwrap();
    let archive = fs::read(&image.layers[0].path).unwrap();
    let files = files(&archive);
    let text = |path: &str| String::from_utf8(files[path].clone()).unwrap();
    for gone in [
        "etc/resolv.conf",
        "etc/hostname",
        "etc/apt/apt.conf.d/99mmdebstrap",
        "var/log/apt/term.log",
        "dev/null",
    ] {
        assert!(!files.contains_key(gone), "{gone} is in the base");
    }
    assert!(files.contains_key("dev/") && files.contains_key("var/log/apt/"));
    assert_eq!(text("etc/apt/sources.list"), "deb http://mirror.test/debian/ trixie main\n");
    assert_eq!(
        text("etc/passwd"),
        "root:x:0:0:root:/root:/bin/bash\nopencode:x:1000:1000:opencode:/home/opencode:/bin/bash\n"
    );
    assert_eq!(text("etc/group"), "root:x:0:\nopencode:x:1000:\n");
    assert!(text("etc/shadow").ends_with("\nopencode:*::0:99999:7:::\n"));
    let mut archive = tar::Archive::new(&archive[..]);
    let mut ping = archive
        .entries()
        .unwrap()
        .map(Result::unwrap)
        .find(|entry| entry.path_bytes().as_ref() == b"usr/bin/ping")
        .unwrap();
    let capability = ping.pax_extensions().unwrap().unwrap().next().unwrap().unwrap();
    assert_eq!(capability.value_bytes(), b"\x01\0\0\x02");
}

#[test]
fn mmdebstrap_is_told_the_machines_own_sources_and_proxy() {
    let bench = Bench::new();
    fs::write(bench.path("keyring"), "").unwrap();
    bench.build().0.unwrap();
    let arguments = fs::read_to_string(bench.path("arguments")).unwrap();
    let keyring = bench.path("keyring");
    for expected in [
        "--variant=minbase".to_owned(),
        "--architectures=amd64".to_owned(),
        "--aptopt=Acquire::http::Proxy \"http://proxy.test\";".to_owned(),
        "--dpkgopt=path-exclude=/usr/share/man/*".to_owned(),
        format!(
            "deb [signed-by={}] http://me:secret@mirror.test/debian/ trixie-updates main",
            keyring.display()
        ),
    ] {
        assert!(arguments.lines().any(|line| line == expected), "{expected} not in\n{arguments}");
    }
}

#[test]
fn a_machine_without_apt_leaves_the_archive_to_mmdebstrap() {
    let bench = Bench::new();
    fs::remove_file(bench.path("apt-get")).unwrap();
    bench.script("apt-config", "exit 1");
    bench.build().0.unwrap();
    let arguments = fs::read_to_string(bench.path("arguments")).unwrap();
    assert!(!arguments.contains("deb ") && !arguments.contains("--aptopt"), "{arguments}");
    assert!(arguments.lines().any(|line| line == "trixie"));
}

#[test]
fn two_builds_at_once_make_every_layer_once() {
    let bench = Bench::new();
    bench.script(
        "npm",
        &format!("echo run >> {}\nsleep 1\n{}", bench.path("runs").display(), bench.working_npm()),
    );
    let (one, other) = std::thread::scope(|scope| {
        let one = scope.spawn(|| bench.build());
        let other = scope.spawn(|| bench.build());
        (one.join().unwrap(), other.join().unwrap())
    });
    assert_eq!(one.0.unwrap(), other.0.unwrap());
    assert_eq!(fs::read_to_string(bench.path("runs")).unwrap(), "run\n");
    let waited =
        one.1.iter().chain(&other.1).filter(|event| **event == Event::WaitingForOtherBuild);
    assert_eq!(waited.count(), 1);
}

#[test]
fn a_build_that_waits_for_another_can_be_interrupted() {
    let bench = Bench::new();
    bench.script("npm", &format!("sleep 2\n{}", bench.working_npm()));
    std::thread::scope(|scope| {
        let one = scope.spawn(|| bench.build());
        std::thread::sleep(std::time::Duration::from_millis(500));
        let result = build(&bench.plan, &bench.workshop, &|_| (), &AtomicBool::new(true));
        assert!(matches!(result, Err(occ_image::BuildError::Cancelled)), "{result:?}");
        one.join().unwrap().0.unwrap();
    });
}
