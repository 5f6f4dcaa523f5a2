//! Where an image may be used, on the command line, by facts in a file: no daemon is asked.

use std::fs;
use std::path::Path;

use occ_testkit::Bench;

use crate::places::bench_without_image as bench;

/// Returns a file of the repository.
fn shipped(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policy").join(name);
    path.to_str().unwrap().to_owned()
}

fn example() -> String {
    shipped("examples/mova-engine.facts.json")
}

fn write(bench: &Bench, name: &str, text: &str) -> String {
    let path = bench.folder().join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

const STRICT: &str = r#"{
  "version": 1,
  "rules": {
    // nothing is good enough here
    "never": { "when": { "any": [] }, "otherwise": "Nothing is used here" },
  },
  "environments": { "vault": { "title": "The vault", "requires": ["never"] } },
}"#;

#[test]
fn an_engine_built_by_hand_may_be_used_where_its_author_said_and_nowhere_else() {
    let bench = bench();
    let data = bench.run(["policy", "explain", "--facts", &example(), "--json"]).success().data();
    assert_eq!(data["policy"], "built in");
    assert_eq!(data["image"], "mova/opencode-engine:11b3927");
    let verdicts: Vec<_> = data["verdicts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| {
            format!("{} {}", it["environment"].as_str().unwrap(), it["verdict"].as_str().unwrap())
        })
        .collect();
    assert_eq!(
        verdicts,
        [
            "development approved",
            "local-testing approved",
            "ci approved",
            "production prohibited",
            "public-distribution prohibited",
            "compliance prohibited",
        ]
    );
    let reason = &data["verdicts"][3]["reasons"][0];
    assert_eq!(reason["reason"], "Image is not reproducibly built");
    assert_eq!(reason["because"][0]["fact"], "build.reproducible");
    assert_eq!(reason["because"][0]["value"], false);
    assert_eq!(reason["because"][0]["from"], "declared");

    // What comes out goes in again.
    let facts = serde_json::json!({ "version": 1, "facts": data["facts"] }).to_string();
    let again = write(&bench, "again.json", &facts);
    let again = bench.run(["policy", "explain", "--facts", &again, "--json"]).success().data();
    assert_eq!(again, data);
}

#[test]
fn one_environment_that_says_no_is_exit_3_and_says_which_fact_decided() {
    let bench = bench();
    let explain = |environment: &str| {
        bench.run(["policy", "explain", "--facts", &example(), "--environment", environment])
    };
    explain("development").success().prints("development: approved").prints("note    Periodically");
    explain("production")
        .code(3)
        .prints("production: prohibited (Production deployments)")
        .prints("reason  Image is not reproducibly built [reproducible]")
        .prints(
            "build.reproducible is false (declared: no Dockerfile or build script is committed)",
        )
        .prints("source.commit is not known (nobody has looked into the image for the commit)")
        .prints("advice: build it from a recipe and a lock: occ image build");
    explain("moon").code(2).says("no environment \"moon\"").says("development, local-testing, ci");
}

#[test]
fn a_policy_of_your_own_judges_once_it_is_there_or_named() {
    let bench = bench();
    let strict = write(&bench, "strict.json", STRICT);
    let explain = ["policy", "explain", "--facts", &example()];
    let named = bench.run([&explain[..], &["--policy", &strict]].concat()).success();
    named.prints(&format!("Policy:  {strict}")).prints("vault: prohibited (The vault)");
    bench.run(["policy", "show"]).success().prints("\"identified\"");

    let own = bench.config_file().with_file_name("policy.json");
    fs::create_dir_all(own.parent().unwrap()).unwrap();
    fs::write(&own, STRICT).unwrap();
    bench.run(explain).success().prints("vault: prohibited");
    bench.run(["policy", "show"]).success().prints("// nothing is good enough here");
    fs::write(&own, "{}").unwrap();
    bench.run(explain).code(4).says("policy.json is invalid").says("\"version\" is missing");
}

#[test]
fn a_policy_is_checked_and_every_mistake_has_its_place() {
    let bench = bench();
    bench
        .run(["policy", "check", &shipped("default.json")])
        .success()
        .prints("valid: 8 rules for development, local-testing, ci, production");
    let wrong = STRICT.replace("\"when\"", "\"wen\"").replace("\"title\"", "\"titel\"");
    let wrong = write(&bench, "wrong.json", &wrong);
    bench
        .run(["policy", "check", &wrong])
        .code(4)
        .says(&format!("the policy {wrong} is invalid:"))
        .says("line 5, column 16: unknown field \"wen\"; did you mean \"when\"?")
        .says("line 7, column 32: unknown field \"titel\"; did you mean \"title\"?")
        .says("hint: see what may stand in it: occ policy schema");
    let failure = bench.run(["policy", "check", &wrong, "--json"]).code(4).json();
    assert_eq!(failure["error"]["kind"], "config");
    bench.run(["policy", "check", "/nonexistent"]).code(4).says("there is none");
    let bytes = bench.folder().join("bytes");
    fs::write(&bytes, [0xff, 0xfe]).unwrap();
    bench.run(["policy", "check", bytes.to_str().unwrap()]).code(4).says("it is not UTF-8");
    bench.run(["policy", "check"]).code(2);
}

#[test]
fn cases_that_come_out_otherwise_are_exit_3() {
    let bench = bench();
    let cases = shipped("default.cases.json");
    let tested = bench.run(["policy", "test", &cases]).success().prints("ok    ");
    assert!(!tested.stdout.contains("FAIL"));
    let strict = write(&bench, "strict.json", STRICT);
    bench
        .run(["policy", "test", &cases, "--policy", &strict])
        .code(3)
        .prints("FAIL  an engine that was built by hand with credentials inside: development")
        .prints("got:      the policy has no environment \"development\"; it has vault")
        .says("came out otherwise");
    let data = bench.run(["policy", "test", &cases, "--policy", &strict, "--json"]).code(3).data();
    assert_eq!(data["passed"], false);
    let none = write(&bench, "none.json", "{ \"version\": 1, \"cases\": [] }");
    bench.run(["policy", "test", &none]).code(4).says("without a case nothing is tested");
}

#[test]
fn a_document_is_written_from_facts_and_checked_against_them() {
    let bench = bench();
    let document = bench.run(["provenance", "--facts", &example()]).success();
    let document = document.prints("# Provenance: `mova/opencode-engine:11b3927`");
    let document = document.prints("**Status**: NOT VERIFIED, NOT REPRODUCIBLE");
    let committed = write(&bench, "PROVENANCE.md", &document.stdout);
    let check = ["provenance", "--facts", &example(), "--check", &committed];
    bench.run(check).success();
    let changed = document.stdout.replace("5eb2145b", "00000000");
    fs::write(&committed, changed).unwrap();
    bench
        .run(check)
        .code(3)
        .prints("- - **Revision of the base**: `00000000")
        .prints("+ - **Revision of the base**: `5eb2145b")
        .says("the document no longer says what is so");
    let json = bench.run(["provenance", "--facts", &example(), "--json"]).success();
    fs::write(&committed, &json.stdout).unwrap();
    bench.run(check).success();
    fs::write(&committed, json.stdout.replace("5eb2145b", "00000000")).unwrap();
    bench.run(check).code(3).prints("sections differs");
    fs::write(&committed, "{ \"schema\": \"occ/status\" }").unwrap();
    bench.run(check).code(4).says("it is no provenance");
}

#[test]
fn schemas_are_printed() {
    let bench = bench();
    for (of, title) in [
        ("policy", "opencode-cloud usage policy"),
        ("facts", "opencode-cloud facts about an image"),
        ("cases", "opencode-cloud cases of a usage policy"),
    ] {
        let printed = bench.run(["policy", "schema", of]).success().json();
        assert_eq!(printed["title"], title);
    }
}
