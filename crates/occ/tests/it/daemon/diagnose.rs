//! The archive for a bug report: useful, and without a secret wherever one was planted.

use std::fs;
use std::process::Command;

use occ_testkit::{Bench, Daemon, Manner};
use serde_json::{Value, json};

use super::{password, stand_in};
use crate::places::bench_at;

/// Everything that must not be in the archive has this in it.
const PLANTED: &str = "planted";

fn text_of(archive: &str) -> String {
    let output = Command::new("tar").args(["-xzOf", archive]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn plant(bench: &mut Bench) {
    let say = |text: &str| {
        let script = format!("echo '{text}' >/proc/1/fd/1");
        bench.run(["exec", "--", "sh", "-c", &script]).success();
    };
    say("Authorization: Bearer planted-in-a-header");
    say("{\"api_key\":\"planted-in-json\"}");
    say("fetching https://ann:planted-in-an-address@example.com/x?token=planted-in-a-query");
    say("sk-planted-by-its-looks-0123456789");
    say("a bare planted-outside without a name");
    say(&format!("the password is {}", password(bench)));
    let dir = bench.state_dir();
    let record = dir.join("record-v1.json");
    let mut value: Value = serde_json::from_slice(&fs::read(&record).unwrap()).unwrap();
    value["said"] = json!({ "secret_token": "planted-in-the-record" });
    fs::write(record, value.to_string()).unwrap();
    fs::write(dir.join("image-state.json"), "{ password: planted-in-the-image-state").unwrap();
    fs::create_dir_all(dir.join("watchdog")).unwrap();
    let evidence = json!({ "log": ["token=planted-in-evidence"], "answers": [] });
    fs::write(dir.join("watchdog/2026-01-31T12-00-00Z.json"), evidence.to_string()).unwrap();
    let units = bench.home().join("config/systemd/user");
    fs::create_dir_all(&units).unwrap();
    let unit = "[Service]\nEnvironment=\"HTTPS_PROXY=http://u:planted-in-a-unit@proxy\"\n";
    fs::write(units.join(format!("{}.service", bench.container())), unit).unwrap();
    bench.set("MY_TOKEN", "planted-outside");
    bench.set("OCC_WORKSPACE", "/srv/password=planted-in-a-setting");
}

#[test]
fn no_secret_that_was_planted_anywhere_is_in_the_archive() {
    let daemon = Daemon::start();
    let mut bench = bench_at(daemon.api());
    stand_in(bench.api(), Manner::Good);
    bench.run(["start", "--yes"]).success();
    plant(&mut bench);
    let password = password(&bench);
    let file = bench.folder().join("report.tar.gz").display().to_string();
    let run = bench.run(["diagnose", &file, "--json"]).success().never_says(PLANTED);
    let data = run.data();
    assert_eq!(data["path"], file.as_str());
    let text = text_of(&file);
    for line in text.lines() {
        assert!(!line.contains(PLANTED) && !line.contains(&password), "{line}");
    }

    let names: Vec<&str> = data["contents"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["name"].as_str().unwrap())
        .collect();
    for name in [
        "CONTENTS.txt",
        "about.json",
        "settings.json",
        "doctor.json",
        "container.json",
        "log.txt",
        "record-v1.json",
        "image-state.json",
        "watchdog/2026-01-31T12-00-00Z.json",
    ] {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
    for useful in ["example.com", "[redacted]", "\"engine\"", "opencode_version", "HTTPS_PROXY"] {
        assert!(text.contains(useful), "{useful} is not in {text}");
    }
    bench.run(["diagnose", &file]).code(2).says("there is a file already");
}

#[test]
fn a_report_is_made_without_an_engine_too() {
    let mut bench = crate::places::bench();
    bench.set("DOCKER_HOST", format!("unix://{}/none.sock", bench.folder().display()));
    let run = bench.run(["diagnose"]).success().says("Read it before you send it");
    let file = run.stdout.lines().next().unwrap().to_owned();
    assert!(file.contains(&bench.container()) && file.ends_with(".tar.gz"), "{file}");
    assert!(text_of(&file).contains("none.sock"));
}
