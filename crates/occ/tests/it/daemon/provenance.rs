//! Where an image comes from and may be used, against this machine's daemon.

use std::fs;
use std::process::Command;

use occ_testkit::{Bench, Registry};
use serde_json::{Value, json};

use super::identity::{Leaky, running_what_was_built_here};
use crate::places::bench;
use crate::trust::Desk;

/// Returns the statements of a document, by the fact they make.
fn statements(data: &Value) -> Vec<(String, Value)> {
    let sections = data["sections"].as_array().unwrap();
    let all = sections.iter().flat_map(|section| section["statements"].as_array().unwrap());
    all.map(|it| (it["fact"].as_str().unwrap().to_owned(), it.clone())).collect()
}

/// What no build on this machine could have known: what only a registry, a signer or a commit gives.
const BEYOND_A_BUILD: [&str; 6] = [
    "image.digest",
    "provenance.builder",
    "provenance.level",
    "sbom.signed",
    "signature.signer",
    "source.commit",
];

fn verdict(bench: &Bench, name: &str, environment: &str, code: i32) -> Value {
    let words = ["policy", "explain", name, "--environment", environment, "--json"];
    bench.run(words).code(code).data()["verdicts"][0].clone()
}

#[test]
fn sig_019_the_document_of_our_own_image_has_no_unknown_that_its_build_could_have_known() {
    let bench = running_what_was_built_here();
    let first = bench.run(["provenance", "--json"]).success();
    let data = first.data();
    assert_eq!(data["status"], serde_json::json!(["NOT VERIFIED", "REPRODUCIBLE"]));
    let unknown: Vec<String> = statements(&data)
        .into_iter()
        .filter(|(_, statement)| statement["from"] == "unknown")
        .map(|(fact, _)| fact)
        .filter(|fact| !BEYOND_A_BUILD.contains(&fact.as_str()))
        .collect();
    assert_eq!(unknown, Vec::<String>::new());
    let of = |fact: &str| {
        let all = statements(&data);
        all.into_iter().find(|(name, _)| name == fact).unwrap().1
    };
    assert_eq!(of("build.reproducible")["from"], "observation");
    assert_eq!(of("opencode.digest")["from"], "lock");
    assert_eq!(of("credentials.inside")["value"], false);

    let text = bench.run(["provenance"]).success().stdout;
    for title in [
        "Image Identity",
        "Build Origin",
        "Upstream Source",
        "Build Process",
        "Image Contents",
        "Policy & Usage Constraints",
        "Verification Commands",
        "Change Log",
    ] {
        assert!(text.contains(&format!("\n## {title}\n")), "{title}: {text}");
    }
    for (name, document) in [("PROVENANCE.md", &text), ("provenance.json", &first.stdout)] {
        let path = bench.folder().join(name);
        fs::write(&path, document).unwrap();
        bench.run(["provenance", "--check", path.to_str().unwrap()]).success();
        fs::write(&path, document.replace("REPRODUCIBLE", "PERFECT")).unwrap();
        bench
            .run(["provenance", "--check", path.to_str().unwrap()])
            .code(3)
            .says("the document no longer says what is so");
    }

    // A sandbox that serves is started for a use that its image is good for, and for no other.
    bench.run(["start", "--yes", "--environment", "development"]).success();
    let since = || bench.api().container(&bench.container()).unwrap()["State"]["StartedAt"].clone();
    let before = since();
    for command in ["start", "restart", "update"] {
        bench
            .run([command, "--yes", "--environment", "production"])
            .code(3)
            .says("its image may not be used here: production")
            .says("Provenance cannot be verified");
        assert_eq!(since(), before, "{command} touched what runs");
    }
    bench.run(["update", "--yes", "--environment", "development"]).success();
    bench.run(["restart", "--yes", "--environment", "development"]).success();
    assert_ne!(since(), before);
    bench.run(["start", "--environment", "moon"]).code(2).says("no environment \"moon\"");
}

#[test]
fn an_image_with_secrets_and_without_a_source_is_told_as_that_and_kept_from_production() {
    let bench = bench();
    let leaky = Leaky::new(&bench);
    let run = bench.run(["provenance", &leaky.name, "--json"]).success();
    assert!(!run.stdout.contains("geheim"), "{}", run.stdout);
    let data = run.data();
    assert_eq!(data["status"], serde_json::json!(["NOT VERIFIED", "NOT REPRODUCIBLE"]));
    let text = bench.run(["provenance", &leaky.name]).success();
    let text = text.prints("- **Credentials inside**: yes").prints("`environment: API_KEY`");
    let text = text.prints("- **Reproducible**: NOT REPRODUCIBLE. Missing: no recipe is known");
    assert!(!text.stdout.contains("geheim"), "{}", text.stdout);

    let development = verdict(&bench, &leaky.name, "development", 0);
    assert!(development["notes"].to_string().contains("Auth credentials are in the image"));
    let public = verdict(&bench, &leaky.name, "public-distribution", 3);
    assert_eq!(public["reasons"][0]["reason"], "Contains unverified auth credentials");
    let found = bench.run(["provenance", &leaky.name, "--check", "/nonexistent"]).code(4);
    found.says("cannot read the document /nonexistent");
}

#[test]
fn a_sandbox_whose_image_is_prohibited_is_not_made() {
    let bench = bench();
    bench
        .run(["start", "--yes", "--environment", "compliance"])
        .code(3)
        .says("its image may not be used here: compliance");
    assert!(bench.api().container(&bench.container()).is_none());
    assert_eq!(bench.api().volumes_of(bench.instance()), Vec::<String>::new());
    bench.run(["start", "--yes", "--environment", "ci"]).success();
}

/// An image in the daemon; removed with the test.
struct Pulled(String);

impl Pulled {
    fn new(name: &str) -> Self {
        docker(&["pull", "--quiet", name]);
        Self(name.to_owned())
    }
}

impl Drop for Pulled {
    fn drop(&mut self) {
        docker(&["image", "rm", &self.0]);
    }
}

fn docker(arguments: &[&str]) {
    let output = Command::new("docker").args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn what_was_signed_and_attested_is_told_as_that_and_by_whom() {
    let registry = Registry::start();
    let desk = Desk::at(&registry.host());
    let (key, public) = desk.key("one.key");
    desk.sign(&["--key", &key]);
    let attest = ["attest", &desk.name, "--key", &key];
    let provenance = ["--provenance", "--layout", &desk.layout];
    desk.bench.run([&attest[..], &provenance].concat()).success();
    let bill = desk.write("bill.json", r#"{"bomFormat":"CycloneDX","specVersion":"1.6"}"#);
    desk.bench.run([&attest[..], &["--sbom", &bill]].concat()).success();
    let pulled = Pulled::new(&desk.name);

    // Nobody has named the signer.
    let stranger = verdict(&desk.bench, &pulled.0, "development", 3);
    assert_eq!(stranger["reasons"][0]["rule"], "not-forged");
    let policy = desk.bench.config_file().with_file_name("trust-policy.json");
    fs::create_dir_all(policy.parent().unwrap()).unwrap();
    let public = fs::read_to_string(public).unwrap();
    fs::write(&policy, json!({ "keys": [public] }).to_string()).unwrap();
    let data = desk.bench.run(["provenance", &pulled.0, "--json"]).success().data();
    assert_eq!(data["status"][0], "VERIFIED");
    for (fact, value) in [
        ("signature.verdict", json!("verified")),
        ("provenance.level", json!(1)),
        ("sbom.signed", json!(true)),
        ("build.builder", json!("https://github.com/prizz/opencode-cloud/local/unverified")),
    ] {
        let found = &data["facts"][fact];
        assert_eq!(
            (&found["value"], &found["from"]),
            (&value, &json!("signed-provenance")),
            "{fact}"
        );
    }
    let production = verdict(&desk.bench, &pulled.0, "production", 3);
    let rules: Vec<&str> = production["reasons"]
        .as_array()
        .unwrap()
        .iter()
        .map(|reason| reason["rule"].as_str().unwrap())
        .collect();
    assert!(rules.contains(&"reproducible") && !rules.contains(&"provenance"), "{rules:?}");

    drop(registry);
    let asleep = desk.bench.run(["provenance", &pulled.0, "--json"]).success().data();
    assert_eq!(asleep["facts"]["signature.verdict"]["from"], "unknown");
    verdict(&desk.bench, &pulled.0, "development", 3);
}
