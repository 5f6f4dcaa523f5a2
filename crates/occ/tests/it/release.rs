//! What is told about a release, and what runs it: on the command line, without an engine.

use std::fs;

use occ_testkit::{Bench, Fault, Harm, Hub, Run};

use crate::places::bench_without_image as bench;

const REPOSITORY: &str = "prizz/sandbox";
const PLACE: &str = "/v2/repositories/prizz/sandbox/";

/// A bench that is logged in, and the built-in recipe.
fn desk(password: &str) -> Bench {
    let mut bench = bench();
    bench.unset("OCC_IMAGE_RECIPE");
    bench.set("OCC_REGISTRY_HOST", "docker.io");
    bench.set("OCC_REGISTRY_USERNAME", Hub::USER);
    bench.set("OCC_REGISTRY_PASSWORD", password);
    bench
}

fn push(bench: &Bench, hub: &Hub, more: &[&str]) -> Run {
    let url = hub.url();
    let words = [&["release", "describe", "--push", REPOSITORY, "--api", &url], more].concat();
    bench.run(words).never_says(Hub::PASSWORD)
}

fn file(bench: &Bench, name: &str) -> String {
    bench.folder().join(name).display().to_string()
}

#[test]
fn doc_006_a_page_that_is_not_what_would_be_written_is_told_with_the_line_and_the_command() {
    let bench = desk(Hub::PASSWORD);
    let page = file(&bench, "page.md");
    let words = ["release", "describe", "--output", &page];
    let check = [&words[..], &["--check"]].concat();
    let mend = format!("hint: occ release describe --output {page}\n");
    bench.run(&check).code(1).says("it is not there").says(&mend);
    bench.run([&words[..], &["--dry-run"]].concat()).success().prints("would be written: ");
    bench.run(&check).code(1);
    bench.run(words).success().prints(&format!("written: {page}"));
    bench.run(&check).success().prints("everything is as it would be written");
    let written = bench.run([&words[..], &["--json"]].concat()).success().data();
    assert_eq!(written["changed"], false);

    let text = fs::read_to_string(&page).unwrap();
    let shown = bench.run(["release", "describe", "--output", "-"]).success().stdout;
    assert_eq!(shown, text);
    fs::write(&page, text.replacen("# opencode-cloud sandbox", "# by hand", 1)).unwrap();
    bench
        .run(&check)
        .code(1)
        .says("line 3 is \"# by hand\" and would be \"# opencode-cloud sandbox\"")
        .says(&mend);
}

#[test]
fn doc_007_a_page_that_is_too_long_is_refused_with_its_count_before_anything_is_sent() {
    let bench = desk(Hub::PASSWORD);
    let hub = Hub::start(REPOSITORY);
    let template = file(&bench, "template.md");
    fs::write(&template, format!("<!-- short: x -->\n{}\n", "y".repeat(25_000))).unwrap();
    push(&bench, &hub, &["--template", &template])
        .code(3)
        .says("the full description has ")
        .says(", and may have 25000");
    fs::write(&template, format!("<!-- short: {} -->\n", "x".repeat(101))).unwrap();
    push(&bench, &hub, &["--template", &template])
        .code(3)
        .says("the short description has 101 bytes, and may have 100");
    fs::write(&template, "<!-- short: x -->\n<<whatever>>\n").unwrap();
    push(&bench, &hub, &["--template", &template])
        .code(4)
        .says("template.md, line 2: nothing is called <<whatever>>");
    assert!(hub.requests().is_empty());
}

#[test]
fn doc_008_the_page_is_put_on_docker_hub_and_not_twice() {
    let bench = desk(Hub::PASSWORD);
    let hub = Hub::start(REPOSITORY);
    push(&bench, &hub, &["--dry-run"]).success().prints("would be sent: full description (");
    assert_eq!(hub.asked("PATCH"), 0);
    let digest = format!("sha256:{}", "7d".repeat(32));
    let with = ["--release", "v1.2.3b", "--digest", &format!("omos={digest}"), "--json"];
    let data = push(&bench, &hub, &with).success().data();
    assert_eq!(data["sent"], serde_json::json!(["short description", "full description"]));
    let page = hub.page("full_description").unwrap();
    assert!(page.contains("`v1.2.3b-omos`") && page.contains(&digest), "{page}");
    push(&bench, &hub, &with).success();
    assert_eq!(hub.asked("PATCH"), 1);
    push(&bench, &hub, &with[..4]).success().prints("docker.io/prizz/sandbox says that already");

    for (wrong, why) in [
        (&["--digest", "omos"][..], "there is no ="),
        (&["--digest", "x=sha256:1"], "the variants are base, omos"),
        (&["--digest", "base=1"], "--digest base=1"),
        (&["--release", "1.2"], "vX.Y.Z"),
        (&["--check"], "cannot be used with"),
    ] {
        push(&bench, &hub, wrong).code(2).says(why);
    }
    bench.run(["release", "describe", "--push", "sandbox"]).code(2).says("NAMESPACE/NAME");
}

#[test]
fn whoever_may_not_change_the_page_hears_what_to_do() {
    let hub = Hub::start(REPOSITORY);
    push(&desk("wrong"), &hub, &[]).code(6).says("cannot log in").says("docker login");
    let mut nobody = desk(Hub::PASSWORD);
    for name in ["OCC_REGISTRY_HOST", "OCC_REGISTRY_USERNAME", "OCC_REGISTRY_PASSWORD"] {
        nobody.unset(name);
    }
    push(&nobody, &hub, &[]).code(4).says("no credentials for docker.io").says("docker login");
    nobody.set("OCC_REGISTRY_HOST", "docker.io");
    nobody.set("OCC_REGISTRY_TOKEN", Hub::PASSWORD);
    push(&nobody, &hub, &[]).code(4).says("no user name with a password");

    let bench = desk(Hub::PASSWORD);
    hub.tokens_last(0);
    push(&bench, &hub, &[]).code(6).says("cannot read the description").says("the right to write");
    hub.tokens_last(1);
    push(&bench, &hub, &["--dry-run"]).success();
    push(&bench, &hub, &[]).success();

    let other = Hub::start("prizz/other");
    push(&bench, &other, &[]).code(6).says("it is not there").says("make the repository there");
    let closed = Hub::start(REPOSITORY);
    closed.fault(Fault::on("PATCH", PLACE, Harm::status(403)));
    push(&bench, &closed, &[]).code(6).says("access is denied").says("to administer docker.io/");
    let picky = Hub::start(REPOSITORY);
    let body = br#"{"message":"no such luck","errinfo":{}}"#.to_vec();
    picky.fault(Fault::on("PATCH", PLACE, Harm::Answers { status: 400, headers: vec![], body }));
    push(&bench, &picky, &[]).code(6).says("it answers 400").says("--output -");
}

#[test]
fn a_server_that_does_not_do_its_part_is_told_from_one_that_refuses() {
    let bench = desk(Hub::PASSWORD);
    let after = |place: (&str, &str), harm: Harm| {
        let hub = Hub::start(REPOSITORY);
        hub.fault(Fault::on(place.0, place.1, harm));
        push(&bench, &hub, &[])
    };
    let (entering, reading, writing) =
        (("POST", "/v2/auth/token"), ("GET", PLACE), ("PATCH", PLACE));
    after(entering, Harm::busy(3600)).code(6).says("asked too often").says("try again in 3600 s");
    after(reading, Harm::busy(3600)).code(6).says("try again in 3600 s");
    after(writing, Harm::status(503)).code(6).says("it answers 503").says("try again later");
    let page = || Harm::Body(b"<html>".to_vec());
    after(entering, page()).code(6).says("is not a token").says("--api");
    after(reading, page()).code(6).says("is not a repository").says("--api");
    after(writing, Harm::Body(b"{}".to_vec())).code(6).says("is not a repository");

    let hub = Hub::start(REPOSITORY);
    hub.fault(Fault::on("PATCH", PLACE, Harm::busy(1)).times(1));
    push(&bench, &hub, &[]).success().prints("sent: short description");
    hub.keeps(50);
    push(&bench, &hub, &["--release", "v9.9.9"])
        .code(3)
        .says("keeps 50 bytes of the full description");
    let words = ["release", "describe", "--push", REPOSITORY, "--api"];
    let gone = format!("http://127.0.0.1:{}", occ_testkit::free_port());
    bench.run([&words[..], &[&gone]].concat()).code(6).says("cannot connect");
    bench.run([&words[..], &["http://hub.example"]].concat()).code(6).says("without encryption");
}

#[test]
fn workflows_are_written_and_compared() {
    let bench = desk(Hub::PASSWORD);
    let root = file(&bench, "repository");
    let words = ["release", "ci", "--output", &root];
    let check = [&words[..], &["--check"]].concat();
    bench.run(&check).code(1).says("it is not there");
    let written = bench.run(words).success().stdout;
    assert_eq!(written.lines().count(), 8, "{written}");
    bench.run(&check).success();
    let release = bench.folder().join("repository/.gitea/workflows/release.yml");
    let text = fs::read_to_string(&release).unwrap();
    fs::write(&release, text.replacen("v*", "*", 1)).unwrap();
    let mend = format!("hint: occ release ci --output {root}\n");
    bench
        .run(&check)
        .code(1)
        .says(".gitea/workflows/release.yml: line ")
        .says("tags: [")
        .says(&mend);
    bench.run([&check[..], &["--forge", "github"]].concat()).success();
    let told = bench.run([&check[..], &["--forge", "gitea"]].concat()).code(1);
    told.says(&format!("hint: occ release ci --forge gitea --output {root}\n"));
    let dry = bench.run([&words[..], &["--dry-run", "--json"]].concat()).success().data();
    assert_eq!((&dry["changed"], dry["stale"].as_array().map(Vec::len)), (&false.into(), Some(1)));
    bench.run(["release", "ci", "--forge", "forgejo"]).code(2).says("github");
}
