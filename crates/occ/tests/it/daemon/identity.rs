//! Which image it is, against this machine's daemon: a sandbox of ours, and an image full of secrets.

use std::fs;

use occ_oci::Digest;
use occ_testkit::Bench;
use serde_json::{Value, json};

use super::running;
use crate::places::bench;

/// An image whose maker left secrets in it; removed with the test.
pub(crate) struct Leaky<'a> {
    bench: &'a Bench,
    pub(crate) name: String,
}

impl<'a> Leaky<'a> {
    pub(crate) fn new(bench: &'a Bench) -> Self {
        let name = format!("occ-identity-test-{}:1", bench.instance());
        let (repository, tag) = name.split_once(':').unwrap();
        let changes = [
            "ENV%20API_KEY%3Dgeheim-1",
            "LABEL%20org.opencontainers.image.base.name%3Doven%2Fbun%3A1.3.4",
            "EXPOSE%204096",
            "CMD%20%5B%22serve%22%2C%22--token%22%2C%22geheim-2%22%5D",
        ];
        let changes: String = changes.iter().map(|it| format!("&changes={it}")).collect();
        let path = format!("/images/create?fromSrc=-&repo={repository}&tag={tag}{changes}");
        // Two blocks of zeros are an archive of nothing.
        bench.api().post_archive(&path, &[0; 1024]).success();
        Self { bench, name }
    }
}

impl Drop for Leaky<'_> {
    fn drop(&mut self) {
        drop(self.bench.api().delete(&format!("/images/{}", self.name)));
    }
}

/// Returns a bench whose sandbox runs the real opencode, and whose image's layers were made on this machine.
pub(crate) fn running_what_was_built_here() -> Bench {
    let bench = running();
    // The daemon may have had the image, so that nothing was built for the start.
    let layout = bench.folder().join("layout");
    let output = ["--output", layout.to_str().unwrap(), "--compression", "none"];
    bench.run([&["image", "build"], &output[..]].concat()).success();
    bench
}

fn outcome<'a>(identity: &'a Value, name: &str) -> &'a str {
    let checks = identity["sandbox"]["checks"].as_array().unwrap();
    checks.iter().find(|check| check["name"] == name).unwrap()["outcome"].as_str().unwrap()
}

#[test]
fn pol_006_a_sandbox_that_runs_is_what_was_recorded_and_locked_until_somebody_changes_it() {
    let bench = running_what_was_built_here();
    let first = bench.run(["identity", "--json"]).success();
    let identity = first.data()["identity"].clone();
    for name in ["image", "container", "opencode", "files", "settings"] {
        assert_eq!(outcome(&identity, name), "same", "{name}: {identity}");
    }
    assert_eq!(identity["user"], "opencode");
    assert_eq!(identity["ports"], serde_json::json!(["4096/tcp"]));
    assert_eq!(identity["credentials"], serde_json::json!([]));
    assert!(identity["base"]["digest"].as_str().unwrap().starts_with("sha256:"), "{identity}");
    let layers = identity["layers"].as_array().unwrap().len();
    assert_eq!(identity["history"].as_array().unwrap().len(), layers, "{identity}");

    let saved = bench.folder().join("identity.json");
    fs::write(&saved, &first.stdout).unwrap();
    let saved = saved.to_str().unwrap();
    bench.run(["identity", "--expect", saved]).success().prints("Check:       opencode: ok");
    let id = identity["id"].as_str().unwrap();
    bench.run(["identity", "--expect", id]).success();
    bench.run(["identity", bench.instance(), "--expect", id]).success();
    let zeros = format!("sha256:{}", "0".repeat(64));
    bench
        .run(["identity", "--expect", &zeros])
        .code(3)
        .prints(&format!("Difference:  digest: expected \"{zeros}\""));

    let replace = "rm /usr/bin/opencode && echo other > /usr/bin/opencode && echo x > /etc/more";
    bench.run(["exec", "--", "sudo", "sh", "-c", replace]).success();
    let changed =
        bench.run(["identity", "--json"]).code(3).says("not as it should be: opencode, files");
    let changed = changed.data()["identity"].clone();
    assert_eq!((outcome(&changed, "opencode"), outcome(&changed, "image")), ("differs", "same"));
    bench.run(["identity"]).code(3).prints("/etc/more (added)");
}

/// Returns where credentials were found.
fn places(identity: &Value) -> Vec<&str> {
    let found = identity["credentials"].as_array().unwrap().iter();
    found.map(|found| found["place"].as_str().unwrap()).collect()
}

#[test]
fn secrets_in_an_image_are_found_and_their_values_shown_nowhere() {
    let bench = bench();
    let leaky = Leaky::new(&bench);
    let run = bench.run(["identity", &leaky.name, "--json"]).success();
    assert!(!run.stdout.contains("geheim"), "{}", run.stdout);
    let identity = run.data()["identity"].clone();
    let places = places(&identity);
    assert!(places.contains(&"environment") && places.contains(&"command"), "{places:?}");
    assert_eq!(identity["base"]["name"], "oven/bun:1.3.4");
    let text =
        bench.run(["identity", &leaky.name]).success().prints("Variable:    API_KEY=[redacted]");
    assert!(!text.stdout.contains("geheim"), "{}", text.stdout);

    let saved = bench.folder().join("identity.json");
    fs::write(&saved, &run.stdout).unwrap();
    bench.run(["identity", &leaky.name, "--expect", saved.to_str().unwrap()]).success();
    let other = bench.run(["version", "--json"]).success().data()["image"].clone();
    let other = other.as_str().unwrap();
    bench
        .run(["identity", other, "--expect", saved.to_str().unwrap()])
        .code(3)
        .says("not as it should be: ")
        .prints("Difference:  id: expected");
}

/// An archive of files.
fn tarred(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(bytes.len() as u64);
        archive.append_data(&mut header, path, *bytes).unwrap();
    }
    archive.into_inner().unwrap()
}

/// Loads an image with a secret in a layer that another takes away, in its history and in its environment.
fn leaky_layers(bench: &Bench) -> Leaky<'_> {
    let name = format!("occ-identity-layers-{}:1", bench.instance());
    // Put together here, so that nobody who searches this repository for secrets finds one.
    let token = format!("ghp_{}", "q8ZrT0vLw2KsYd5Hb7NcXe9Jm1Pf4Ug6Ai3W");
    let script = format!("git clone https://x:{token}@git.example/a\n");
    let below = tarred(&[
        ("root/.netrc", b"machine a.example login x password geheim-3"),
        ("srv/build.sh", script.as_bytes()),
        ("srv/app.txt", b"nothing to see"),
    ]);
    let above = tarred(&[("root/.wh..netrc", b"")]);
    let config = json!({
        "architecture": "amd64", "os": "linux",
        "config": { "Env": ["API_KEY=geheim-1"] },
        "rootfs": {
            "type": "layers",
            "diff_ids": [Digest::sha256(&below), Digest::sha256(&above)],
        },
        "history": [
            { "created_by": "RUN |1 NPM_TOKEN=geheim-2 /bin/sh -c make # buildkit" },
            { "created_by": "RUN --mount=type=secret,id=x TOKEN=$(cat /run/secrets/x) rm /root/.netrc" },
        ],
    });
    let manifest =
        json!([{ "Config": "c.json", "RepoTags": [name], "Layers": ["1.tar", "2.tar"] }]);
    let archive = tarred(&[
        ("c.json", config.to_string().as_bytes()),
        ("1.tar", &below),
        ("2.tar", &above),
        ("manifest.json", manifest.to_string().as_bytes()),
    ]);
    bench.api().post_archive("/images/load", &archive).success();
    Leaky { bench, name }
}

#[test]
fn secrets_in_layers_are_found_also_where_a_later_layer_removes_them_and_our_own_image_has_none() {
    let bench = bench();
    let leaky = leaky_layers(&bench);
    let shallow = bench.run(["identity", &leaky.name]).success();
    let shallow = shallow.prints("not the files of the layers (--search-layers)");
    assert!(!shallow.stdout.contains("netrc:"), "{}", shallow.stdout);
    let shallow = bench.run(["identity", &leaky.name, "--json"]).success();
    assert_eq!(shallow.data()["identity"]["layer_search"], Value::Null);

    let run = bench.run(["identity", &leaky.name, "--search-layers", "--json"]).success();
    assert!(!run.stdout.contains("geheim") && !run.stdout.contains("q8ZrT0"), "{}", run.stdout);
    let identity = run.data()["identity"].clone();
    let places = places(&identity);
    assert_eq!(places, ["environment", "history, step 1"]);
    let lower = &identity["layers"][0];
    let found = |path, kind, hint, removed: bool| {
        json!({
            "number": 1, "layer": lower, "path": path, "kind": kind, "hint": hint,
            "removed_later": removed,
        })
    };
    let expected = json!([
        found("/root/.netrc", "netrc", "a.example", true),
        found("/srv/build.sh", "github-token", "ghp_…", false),
    ]);
    assert_eq!(identity["layer_search"]["found"], expected);
    let text = bench.run(["identity", &leaky.name, "--search-layers"]).success();
    let text = text
        .prints("in layer 1, /root/.netrc: netrc (a.example), removed by a later layer")
        .prints("3 files in 2 layers");
    assert!(!text.stdout.contains("geheim") && !text.stdout.contains("q8ZrT0"), "{}", text.stdout);

    // What was found before is no difference to what was not looked for, and rules judge by it.
    let saved = bench.folder().join("identity.json");
    fs::write(&saved, &run.stdout).unwrap();
    bench.run(["identity", &leaky.name, "--expect", saved.to_str().unwrap()]).success();
    let explain = ["policy", "explain", &leaky.name, "--search-layers", "--json"];
    let facts = bench.run(explain).success().data()["facts"].to_string();
    assert!(facts.contains("layer 1, /srv/build.sh: github-token (ghp_…)"), "{facts}");

    let ours = bench.run(["version", "--json"]).success().data()["image"].clone();
    let ours = ours.as_str().unwrap();
    let clean = bench.run(["identity", ours, "--search-layers", "--json"]).success().data();
    let searched = &clean["identity"]["layer_search"];
    assert_eq!(searched["found"], json!([]), "{searched}");
    assert!(searched["files"].as_u64().unwrap() > 1000, "{searched}");
}

#[test]
fn what_is_not_there_or_cannot_be_read_is_said() {
    let bench = bench();
    bench.run(["identity"]).code(1).says("there is no sandbox yet");
    bench
        .run(["identity", "nobody/has:this"])
        .code(1)
        .says("neither a sandbox nor an image of the engine: nobody/has:this");
    let garbage = bench.folder().join("garbage");
    fs::write(&garbage, "{}").unwrap();
    bench
        .run(["identity", "--expect", garbage.to_str().unwrap()])
        .code(4)
        .says("this is not what `occ identity --json` prints");
    bench.run(["identity", "--expect", "/nonexistent"]).code(4).says("cannot read the expectation");
}
