//! Identities of images that were made up, secrets and all.

use occ_engine::{
    ContainerId, ContainerState, Engine as _, FakeEngine, FakeImage, FileChange, FileChangeKind,
    HealthCheck, ImageId, Phase,
};
use occ_image::secrets::Found;
use occ_oci::Digest;
use occ_sandbox::{Drift, Owner, Record};
use serde_json::{Value, json};

use super::*;

const TOKEN: &str = "ghp_0123456789abcdefghij0123456789abcdef";

fn config() -> Value {
    json!({
        "architecture": "arm64", "variant": "v8", "os": "linux",
        "created": "2025-12-16T21:10:22Z", "author": "somebody",
        "config": {
            "Labels": { "org.opencontainers.image.base.name": "oven/bun:1.3.4", "token": TOKEN },
            "Env": ["PATH=/bin", "API_KEY=geheim-1", "EMPTY_TOKEN=", "URL=https://ann:geheim-2@x.test/"],
            "Entrypoint": ["/entry"], "Cmd": ["serve", "--password", "geheim-3"],
            "ExposedPorts": { "4096/tcp": {} }, "WorkingDir": "/work", "User": "bun",
            "Healthcheck": { "Test": ["CMD", "curl", "-H", "Authorization: Bearer geheim-4-geheim"] },
        },
        "rootfs": { "type": "layers", "diff_ids": ["sha256:aa", "sha256:bb"] },
        "history": [
            { "created": "2025-12-16T21:10:22Z", "created_by": "ADD rootfs" },
            { "created": "2025-12-16T21:10:22Z", "created_by": "ENV SECRET_TOKEN=geheim-5" },
            { "created_by": "RUN curl https://ann:geheim-6@x.test/", "comment": "buildkit" },
        ],
    })
}

/// Returns the identity of an image with this configuration.
fn identity(config: &Value) -> Identity {
    let image = FakeImage::configured(config);
    let engine = FakeEngine::new().with_image("mova/engine:1", &image);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let details = runtime.block_on(engine.image_details("mova/engine:1")).expect("an answer");
    Identity::of("mova/engine:1", details.expect("an image"))
}

#[test]
fn everything_that_was_observed_is_told() {
    let identity = identity(&config());
    assert_eq!(identity.platform, "linux/arm64/v8");
    assert_eq!(identity.tags, ["mova/engine:1"]);
    assert_eq!((identity.user.as_str(), identity.folder.as_str()), ("bun", "/work"));
    assert_eq!(
        (identity.ports, identity.layers),
        (vec!["4096/tcp".into()], vec!["sha256:aa".into(), "sha256:bb".into()])
    );
    assert_eq!(identity.base.expect("a base").name.as_deref(), Some("oven/bun:1.3.4"));
    assert_eq!(identity.history[0].created.as_deref(), Some("2025-12-16T21:10:22Z"));
    assert_eq!(identity.history[0].done, "ADD rootfs");
    assert_eq!((identity.history.len(), identity.author.as_deref()), (3, Some("somebody")));
}

#[test]
fn secrets_in_environment_labels_and_history_are_found_and_shown_nowhere() {
    let identity = identity(&config());
    let found: Vec<String> = identity.credentials.iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "environment: API_KEY",
            "environment: URL",
            "label: token",
            "command",
            "health check",
            "history, step 2",
            "history, step 3",
        ]
    );
    for shown in [text(&identity), json!(identity).to_string(), format!("{identity:?}")] {
        assert!(!shown.contains("geheim") && !shown.contains(TOKEN), "{shown}");
        assert!(shown.contains("API_KEY=[redacted]"), "{shown}");
    }
}

#[test]
fn a_name_without_a_value_is_no_secret_and_ordinary_words_are_none() {
    let clean = json!({
        "architecture": "amd64", "os": "linux",
        "config": { "Env": ["PATH=/bin", "EMPTY_TOKEN=", "LANG=C.UTF-8"], "Labels": { "a": "b", "x.build-key": Digest::sha256(b"x").to_string() } },
        "history": [{ "created_by": "tool: opencode 1.18.33 from npm" }],
    });
    assert_eq!(identity(&clean).credentials, []);
}

#[test]
fn history_that_says_where_a_secret_comes_from_has_none() {
    let found = |step: &str| {
        let config = json!({
            "architecture": "amd64", "os": "linux", "history": [{ "created_by": step }],
        });
        identity(&config).credentials.len()
    };
    for step in [
        "ARG NPM_TOKEN",
        "ENV GPG_KEY=A035C8C19219BA821ECEA86B64E628F8D684696D",
        "RUN --mount=type=secret,id=npm_token NPM_TOKEN=$(cat /run/secrets/npm_token) npm ci",
        "RUN npm config set //npm.example/:_authToken=$NPM_TOKEN && npm ci",
        "RUN git clone https://x:${TOKEN}@git.example/a && git clone https://$TOKEN@git.example/b",
        "RUN curl -H \"Authorization: Bearer $TOKEN\" https://a.example && curl -u x:$TOKEN https://a.example",
        "RUN useradd -u 1000:1000 x && curl https://a.example",
        "COPY --chown=1000:1000 token.txt /app # buildkit",
    ] {
        assert_eq!(found(step), 0, "{step}");
    }
    for step in [
        "RUN |2 A=b NPM_TOKEN=geheim /bin/sh -c npm ci # buildkit",
        "RUN npm config set //npm.example/:_authToken=geheim",
        "RUN git clone https://x:geheim@git.example/a",
        "RUN curl -u x:geheim https://a.example",
        "RUN curl -H \"Authorization: Bearer geheim\" https://a.example",
        "RUN echo $HOME && export API_KEY=geheim",
        "RUN echo costs 5$ && export API_KEY=geheim",
    ] {
        assert_eq!(found(step), 1, "{step}");
    }
    assert_eq!(found(&format!("RUN echo {TOKEN} > /etc/token")), 1);
}

#[test]
fn it_is_said_whether_the_layers_were_searched_and_what_was_found() {
    let mut identity = identity(&config());
    let shown = text(&identity);
    assert!(
        shown.contains("and history; not the files of the layers (--search-layers)"),
        "{shown}"
    );
    let found = Found {
        number: 2,
        layer: Digest::sha256(b"layer"),
        path: "/root/\u{1b}.npmrc".to_owned(),
        kind: "npm-login",
        hint: "_auth".to_owned(),
        removed_later: true,
    };
    let search =
        LayerSearch { layers: 2, files: 9, larger: 3, samples: 1, found: vec![found], more: 4 };
    identity.layer_search = Some(search);
    let shown = text(&identity);
    for part in [
        "in layer 2, /root/\\u{1b}.npmrc: npm-login (_auth), removed by a later layer",
        "9 files in 2 layers, not 3 larger than 1 MiB",
        "packages (1 files)",
        "4 more secrets than the 1 listed",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert_eq!(identity.places_of_secrets().count(), identity.credentials.len() + 1);
}

#[test]
fn what_others_wrote_moves_no_cursor() {
    let mut config = config();
    config["config"]["Labels"] = json!({ "x": "a\u{1b}[2Jb\nName: other" });
    let text = text(&identity(&config));
    assert!(text.contains("x=a\\u{1b}[2Jb\\nName: other"), "{text}");
    assert!(!text.contains('\u{1b}'));
}

#[test]
fn an_image_is_as_it_was_saved_and_every_difference_is_named() {
    let before = identity(&config());
    let saved = json!({ "schema": "occ/identity", "version": 1, "data": { "identity": before } });
    let expected = Expectation::saved(&saved.to_string()).expect("a saved identity");
    assert_eq!(expected.differences(&before), []);
    let mut changed = config();
    changed["config"]["Env"] = json!(["PATH=/bin"]);
    changed["config"]["Cmd"] = json!(["serve"]);
    changed["rootfs"]["diff_ids"][1] = json!("sha256:cc");
    let fields: Vec<String> =
        expected.differences(&identity(&changed)).into_iter().map(|one| one.field).collect();
    for field in ["id", "command/2", "environment/2", "layers/2", "credentials/1"] {
        assert!(fields.iter().any(|found| found.starts_with(field)), "{field}: {fields:?}");
    }
    assert!(!fields.iter().any(|field| field == "layers/1" || field == "user"), "{fields:?}");
    let elsewhere = Identity { name: "other".to_owned(), ..before };
    assert_eq!(expected.differences(&elsewhere), []);
}

#[test]
fn a_digest_is_the_id_or_that_of_a_manifest() {
    let image = identity(&config());
    let image = Identity { digests: vec!["ghcr.io/a/b@sha256:11".into()], ..image };
    for digest in [image.id.clone(), "sha256:11".to_owned()] {
        assert_eq!(Expectation::Digest(digest).differences(&image), []);
    }
    let other = Expectation::Digest("sha256:22".to_owned()).differences(&image);
    assert_eq!((other.len(), other[0].field.as_str()), (1, "digest"));
    assert_eq!(other[0].found, json!(["sha256:11", image.id]));
}

#[test]
fn what_is_no_saved_identity_is_refused() {
    for (text, why) in [
        ("", "EOF"),
        ("[]", "no \"id\""),
        ("{}", "no \"id\""),
        ("{ \"id\": 1 }", "no \"layers\""),
        ("{ \"schema\": \"occ/status\" }", "its schema is occ/status"),
    ] {
        let error = Expectation::saved(text).expect_err(text).to_string();
        assert!(error.contains(why), "{text}: {error}");
    }
}

fn seen() -> Seen {
    let (image, container) = (ImageId("sha256:1".into()), ContainerId("c1".into()));
    let binary = Digest::sha256(b"opencode");
    let record = Record {
        image: image.clone(),
        container: container.clone(),
        opencode_version: "1".into(),
        said: BTreeMap::new(),
        owner: Owner { uid: 1000, gid: 1000 },
        proved_at: "2026-01-01T00:00:00Z".into(),
        acquired: None,
        change: 0,
        previous: None,
    };
    let state = ContainerState {
        id: container,
        name: "opencode-cloud-sandbox".into(),
        image,
        phase: Phase::Running,
        labels: BTreeMap::new(),
        env: BTreeMap::new(),
        mounts: Vec::new(),
        publish: Vec::new(),
        health: HealthCheck::None,
        privileged: false,
        exit: None,
        created_at: None,
        started_at: None,
        finished_at: None,
        restarts: 0,
    };
    Seen {
        container: state,
        record: Some(record),
        binary: Some(binary.clone()),
        locked: Ok(binary),
        labelled: None,
        changes: Vec::new(),
        drift: Ok(Vec::new()),
    }
}

fn outcomes(seen: &Seen) -> Vec<(&'static str, Outcome)> {
    checks(seen).into_iter().map(|check| (check.name, check.outcome)).collect()
}

fn outcome(seen: &Seen, name: &str) -> (Outcome, String) {
    let check = checks(seen).into_iter().find(|check| check.name == name).expect("a check");
    (check.outcome, check.seen)
}

#[test]
fn a_sandbox_that_is_as_it_was_recorded_passes_every_check() {
    let all = outcomes(&seen());
    assert_eq!(
        all.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
        ["image", "container", "opencode", "files", "settings"]
    );
    assert!(all.iter().all(|(_, outcome)| *outcome == Outcome::Same), "{all:?}");
}

#[test]
fn another_image_container_binary_or_setting_than_there_should_be_is_named() {
    let mut other = seen();
    other.container.image = ImageId("sha256:2".into());
    other.container.id = ContainerId("c2".into());
    other.locked = Ok(Digest::sha256(b"another"));
    other.drift = Ok(vec![Drift::Setting { name: "memory".into(), from: json!(1), to: json!(2) }]);
    for (name, part) in [
        ("image", "it runs sha256:2, and sha256:1 was recorded"),
        ("container", "it is c2, and c1 was recorded"),
        ("opencode", "and the lock gives sha256:"),
        ("settings", "memory: 1 -> 2"),
    ] {
        let (outcome, seen) = outcome(&other, name);
        assert_eq!(outcome, Outcome::Differs, "{name}");
        assert!(seen.contains(part), "{name}: {seen}");
    }
    assert_eq!(outcome(&Seen { binary: None, ..seen() }, "opencode").0, Outcome::Differs);
}

#[test]
fn what_cannot_be_found_out_is_not_called_the_same() {
    let blind = Seen {
        record: None,
        locked: Err("nothing to compare with".into()),
        drift: Err("the settings cannot be read".into()),
        ..seen()
    };
    for name in ["image", "container", "opencode", "settings"] {
        assert_eq!(outcome(&blind, name).0, Outcome::Unknown, "{name}");
    }
    // That the binary was touched is known without the lock.
    let kind = FileChangeKind::Changed;
    let changes = vec![FileChange { path: "/usr/bin/opencode".into(), kind }];
    assert_eq!(outcome(&Seen { changes, ..blind }, "opencode").0, Outcome::Differs);
}

#[test]
fn where_no_lock_tells_the_binary_is_compared_with_the_label_and_that_is_said() {
    let locked = Err("nothing to compare with".to_owned());
    let labelled = Some(Digest::sha256(b"opencode"));
    let (outcome_of, said) =
        outcome(&Seen { locked: locked.clone(), labelled, ..seen() }, "opencode");
    assert_eq!(outcome_of, Outcome::Same);
    assert!(said.contains("the image's label"), "{said}");
    let labelled = Some(Digest::sha256(b"another"));
    assert_eq!(outcome(&Seen { locked, labelled, ..seen() }, "opencode").0, Outcome::Differs);
    // What the lock gives counts, whatever a label says.
    let labelled = Some(Digest::sha256(b"another"));
    assert_eq!(outcome(&Seen { labelled, ..seen() }, "opencode").0, Outcome::Same);
}

#[test]
fn files_that_programs_write_while_they_run_are_no_drift() {
    let change = |path: &str, kind| FileChange { path: path.to_owned(), kind };
    let (added, changed) = (FileChangeKind::Added, FileChangeKind::Changed);
    let mut seen = seen();
    seen.changes = vec![
        change("/etc", changed),
        change("/etc/resolv.conf", added),
        change("/home/opencode/x", added),
        change("/run", changed),
        change("/run/opencode-cloud/password", added),
        change("/tmp/x", added),
    ];
    assert_eq!(outcome(&seen, "files").0, Outcome::Same);
    seen.changes.push(change("/usr/bin/opencode", changed));
    seen.changes.push(change("/etc/passwd", FileChangeKind::Removed));
    let (outcome, text) = outcome(&seen, "files");
    assert_eq!(outcome, Outcome::Differs);
    assert_eq!(text, "/usr/bin/opencode (changed), /etc/passwd (removed)");
}
