//! Releases on the command line, as far as they go without building anything.

use occ_testkit::{Bench, FakeRegistry, Fault, Harm, Referring, Run};

use crate::places::bench_without_image as bench;

const PATH: &str = "acme/sandbox";

/// The built-in recipe, and two registries.
fn press() -> (Bench, [FakeRegistry; 2]) {
    let mut bench = bench();
    bench.unset("OCC_IMAGE_RECIPE");
    (bench, [Referring::Api, Referring::Unknown].map(FakeRegistry::start))
}

fn run(bench: &Bench, registries: &[FakeRegistry; 2], words: &[&str]) -> Run {
    let [one, two] = registries.each_ref().map(|registry| format!("{}/{PATH}", registry.host()));
    bench.run([&["release"], words, &["--to", &one, "--to", &two]].concat())
}

#[test]
fn a_plan_is_shown_before_anything_happens() {
    let (bench, registries) = press();
    let words = ["plan", "--platform", "linux/amd64", "--revision", "0123456789abcdef", "--json"];
    let data = run(&bench, &registries, &words).success().data();
    assert_eq!(data["objections"], serde_json::json!([]));
    assert_eq!(data["plan"]["base"]["decision"]["do"], "build");
    let version = data["plan"]["channel"].as_str().unwrap().to_owned();
    let tags = data["plan"]["tags"].as_array().unwrap();
    let tag = |name: &str| tags.iter().find(|tag| tag["tag"] == name);
    assert_eq!(tag(&format!("{version}-omos")).unwrap()["moves"], false);
    assert_eq!(tag("latest-with-pi").unwrap()["moves"], true);
    assert_eq!(tag("sha-0123456789ab").unwrap()["of"], "base");
    assert_eq!(data["steps"].as_array().unwrap().last().unwrap(), "promote");
    let words = ["run", &version, "--platform", "linux/amd64", "--dry-run"];
    let text = run(&bench, &registries, &words).success().stdout;
    assert!(text.contains("moving     ") && text.contains("latest-omos"), "{text}");
    assert!(registries.iter().all(|registry| registry.manifests(PATH) == 0));
    bench.run(["release", "status"]).success().says("no release was begun here");
}

#[test]
fn a_bad_plan_is_refused_with_every_reason_and_nothing_is_done() {
    let (bench, registries) = press();
    let refused = run(&bench, &registries, &["run", "v0.0.1", "--created", "2999-01-01T00:00:00Z"]);
    refused.code(3).says("v0.0.1 is released with opencode").says("the clock is wrong");
    run(&bench, &registries, &["run", "0.0.1"]).code(2).says("is no version of a release");
    run(&bench, &registries, &["plan", "--compression", "bzip2"]).code(2);
    assert!(registries.iter().all(|registry| registry.manifests(PATH) == 0));
    bench.run(["release", "plan", "--to", "acme"]).code(2).says("names no registry");
}

#[test]
fn what_was_never_begun_is_not_gone_on_with() {
    let (bench, registries) = press();
    bench
        .run(["release", "resume"])
        .code(1)
        .says("no release is under way here")
        .says("occ release run");
    bench.run(["release", "abandon", "v1.2.3"]).code(1).says("v1.2.3 was not begun here");
    run(&bench, &registries, &["verify", "v1.2.3"])
        .code(1)
        .says("no registry has a receipt of v1.2.3");
    run(&bench, &registries, &["rollback", "v1.2.3"]).code(1).says("no registry has a receipt");
    run(&bench, &registries, &["diff", "v1.2.3", "v1.2.4"]).code(1);
    let data = run(&bench, &registries, &["sync", "--json"]).success().data();
    assert_eq!(data["changed"], false);
    run(&bench, &registries, &["retain", "--yes"]).success();
    run(&bench, &registries, &["sizes"]).success();
    let one = format!("{}/{PATH}", registries[0].host());
    bench.run(["release", "sync", "--to", &one]).code(2).says("name a second one with --to");
}

#[test]
fn a_registry_that_does_not_answer_ends_a_plan() {
    let (bench, registries) = press();
    registries[1].fault(Fault::on("GET", "/tags/list", Harm::status(401)));
    let words = ["plan", "--platform", "linux/amd64"];
    run(&bench, &registries, &words).code(6).says(&registries[1].host());
    registries[0].fault(Fault::on("GET", "/tags/list", Harm::status(404)));
    bench
        .run(["release", "plan", "--to", "127.0.0.1:1/acme/sandbox"])
        .code(6)
        .says("cannot connect");
}
