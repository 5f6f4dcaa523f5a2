//! Ready-made images from a registry.

use occ_testkit::{Api, Daemon, Manner, Registry, StandIn};

use super::running;
use crate::places::{bench_at, series};

const VERSION: &str = env!("CARGO_PKG_VERSION");
const REPOSITORY: &str = "prizz/opencode-cloud-sandbox";

#[test]
fn lif_018_cfg_006_cfg_007_a_prebuilt_image_is_pulled_and_remembered_with_where_it_came_from() {
    let registry = Registry::start();
    let host = registry.host();
    let source = running();
    let image = source.inspect()["Image"].as_str().unwrap().to_owned();
    push(source.api(), &image, &host);

    let daemon = Daemon::start();
    let mut bench = bench_at(daemon.api());
    bench.unset("OCC_IMAGE_SOURCE");
    bench.run(["config", "set", "registries", &host]).success();
    let run = bench.run(["start"]).success();
    let run = run.says("Info: Pulling prebuilt image (per config.image_source=prebuilt)");
    let run = run.says("To change: occ config set image_source build");
    let _said = run.says(&format!("Pulling prebuilt image v{} from {host}...", series()));
    let line = format!("Image:       v{VERSION} (prebuilt from {host})\n");
    bench.run(["status"]).success().prints(&line);
    let file = std::fs::read(bench.state_dir().join("image-state.json")).unwrap();
    let state: serde_json::Value = serde_json::from_slice(&file).unwrap();
    assert_eq!(state["version"], VERSION);
    assert_eq!(state["source"], "prebuilt");
    assert_eq!(state["registry"], host);
    assert!(state["acquired_at"].as_str().unwrap().ends_with('Z'), "{state}");
    assert_eq!(state["image_id"], bench.inspect()["Image"]);
    assert!(state["digest"].as_str().unwrap().starts_with("sha256:"), "{state}");

    drop(registry);
    bench.api().remove_container(&bench.container());
    bench.run(["start"]).success();
    bench.run(["status"]).success().prints(&line);
}

#[test]
fn a_foreign_image_in_a_registry_is_refused_with_the_reason_and_building_is_offered() {
    let registry = Registry::start();
    let daemon = Daemon::start();
    let mut bench = bench_at(daemon.api());
    let name = format!("{}/{REPOSITORY}:{}", registry.host(), series());
    let foreign = StandIn { name: &name, opencode: "1", manner: Manner::Good, labelled: false };
    foreign.load(bench.api());
    bench.api().push(&format!("{}/{REPOSITORY}", registry.host()), series());
    bench.unset("OCC_IMAGE_SOURCE");
    bench.set("OCC_REGISTRIES", registry.host());

    let refused = bench.run(["start"]).code(2).says("was not made by opencode-cloud");
    let refused = refused.says("hint: to build: occ start --yes");
    assert_eq!(refused.stdout, "");
    bench.assert_nothing_left();

    bench.run(["start", "--yes"]).success().says("was not made by opencode-cloud");
    bench.run(["status"]).success().prints("(built from source)");
}

#[test]
fn acq_010_pw_012_pw_013_wiz_007_a_registry_that_does_not_answer_needs_a_decision() {
    let daemon = Daemon::start();
    let mut bench = bench_at(daemon.api());
    bench.unset("OCC_IMAGE_SOURCE");
    bench.set("OCC_REGISTRIES", "localhost:1,localhost:2");
    let run = bench.run(["start", "--json"]).code(2).says("hint: to build: occ start --yes");
    let causes = run.json()["error"]["causes"].clone();
    assert_eq!(causes.as_array().unwrap().len(), 2, "{causes}");
    assert!(causes[1].as_str().unwrap().starts_with("localhost:2/"), "{causes}");
    bench.assert_nothing_left();

    // Nobody has said yet where images come from; the answer is kept.
    let mut terminal = bench.at_terminal(["start"]);
    terminal.until("How would you like to get the Docker image?");
    terminal.until("Choose [1]:");
    terminal.enter("\r");
    terminal.until("Build from source instead? [Y/n]");
    terminal.enter("n\r");
    let (code, shown) = terminal.finish();
    assert_eq!(code, Some(6), "{shown}");
    assert!(shown.contains("Failed to pull prebuilt image: localhost:1/"), "{shown}");
    let declined = "Cannot proceed without image. Run 'occ start --full-rebuild-sandbox-image' to build from source.";
    assert!(shown.contains(declined), "{shown}");
    assert_eq!(bench.run(["config", "get", "image_source"]).success().stdout, "prebuilt\n");
    bench.assert_nothing_left();

    let mut terminal = bench.at_terminal(["start"]);
    terminal.until("Build from source instead? [Y/n]");
    assert!(!terminal.shown().contains("How would you like"), "{}", terminal.shown());
    terminal.enter("\u{3}");
    assert_eq!(terminal.finish().0, Some(130));
    bench.assert_nothing_left();
}

/// Pushes an image under the name that a release would give it, and forgets the name here.
fn push(api: &Api, image: &str, host: &str) {
    let repository = format!("{host}/{REPOSITORY}");
    api.tag(image, &repository, series());
    api.push(&repository, series());
    api.delete(&format!("/images/{repository}:{}", series())).success();
}
