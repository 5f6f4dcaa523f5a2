//! Which image runs: flags, versions, a newer one in the registry.

use occ_testkit::{Bench, Daemon, Manner, Registry, StandIn};

use super::{running, stand_in};
use crate::places::{bench_at, series};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A registry whose image for this version is a stand-in, which another one can take the place of.
struct Shelf {
    registry: Registry,
    repository: String,
}

impl Shelf {
    fn new() -> Self {
        let registry = Registry::start();
        let repository = format!("{}/prizz/opencode-cloud-sandbox", registry.host());
        Self { registry, repository }
    }

    /// Publishes a stand-in that says it is of `opencode`, and forgets it in the daemon.
    fn publish(&self, bench: &Bench, opencode: &str) {
        let name = format!("{}:{}", self.repository, series());
        let image = StandIn { name: &name, opencode, manner: Manner::Good, labelled: true };
        image.load_as(bench.api(), VERSION);
        bench.api().push(&self.repository, series());
        bench.api().delete(&format!("/images/{name}")).success();
    }
}

/// Returns a bench that gets images from the shelf.
fn customer(daemon: &Daemon, shelf: &Shelf) -> Bench {
    let mut bench = bench_at(daemon.api());
    bench.unset("OCC_IMAGE_SOURCE");
    bench.run(["config", "set", "image_source", "prebuilt"]).success();
    bench.run(["config", "set", "registries", &shelf.registry.host()]).success();
    bench
}

const NEWER: &str = "Info: A newer prebuilt image is there";

#[test]
fn a_newer_image_in_the_registry_is_told_and_taken_when_that_is_said() {
    let (daemon, shelf) = (Daemon::start(), Shelf::new());
    let bench = customer(&daemon, &shelf);
    shelf.publish(&bench, "1.0.1");
    bench.run(["start"]).success().never_says(NEWER);
    let first = bench.inspect();
    bench.run(["exec", "--", "sh", "-c", "echo kept >/home/opencode/workspace/kept.txt"]).success();

    shelf.publish(&bench, "1.0.2");
    bench.run(["stop"]).success();
    bench.run(["start", "--no-update-check"]).success().never_says(NEWER);
    bench.run(["stop"]).success();
    let run = bench.run(["start"]).success().says(NEWER);
    let _hint = run.says("occ start --pull-sandbox-image");
    assert_eq!(bench.inspect()["Id"], first["Id"]);

    let checked = bench.run(["update", "--check", "--json"]).success().data();
    assert_eq!((&checked["update"], &checked["current"]), (&true.into(), &first["Image"]));
    assert_ne!(checked["newest"], first["Image"]);
    let run = bench.run(["update", "--check"]).success().prints("an update is there: ");
    let _quiet = run.never_says("Pulling");

    // The sandbox runs: without a terminal that needs a yes, and nothing is brought before it.
    let run = bench.run(["start", "--pull-sandbox-image"]).code(2);
    let _run = run.says("there is no terminal to ask at").says("--yes");
    bench.run(["start", "--pull-sandbox-image", "--quiet"]).code(2);
    let plan = bench.run(["start", "--pull-sandbox-image", "--yes", "--dry-run"]).success().stdout;
    assert!(plan.starts_with(" 1. pull the image: "), "{plan}");
    assert!(plan.contains("changes image: "), "{plan}");
    assert_eq!(bench.inspect()["Id"], first["Id"]);

    let run = bench.run(["start", "--pull-sandbox-image", "--yes"]).success();
    let _run = run.says("Info: Pulling prebuilt image (per --pull-sandbox-image)");
    assert_ne!(bench.inspect()["Image"], first["Image"]);
    assert_eq!(
        bench.run(["exec", "cat", "/home/opencode/workspace/kept.txt"]).success().stdout,
        "kept\n"
    );
    bench.run(["update", "--check"]).success().prints("up to date\n");
    bench.run(["stop"]).success();
    bench.run(["start"]).success().never_says(NEWER);
}

#[test]
fn cfg_002_pi_014_the_look_is_once_or_never_as_said_and_a_dead_registry_blocks_nothing() {
    let (daemon, shelf) = (Daemon::start(), Shelf::new());
    let bench = customer(&daemon, &shelf);
    shelf.publish(&bench, "1.0.1");
    bench.run(["config", "set", "update_check", "once"]).success();
    bench.run(["start"]).success();
    shelf.publish(&bench, "1.0.2");
    bench.run(["stop"]).success();
    bench.run(["start"]).success().says(NEWER);
    let checks = std::fs::read_to_string(bench.state_dir().join("checks-v1.json")).unwrap();
    let checks: serde_json::Value = serde_json::from_str(&checks).unwrap();
    assert_eq!(checks["update"]["version"], VERSION);
    assert!(checks["update"]["at"].as_str().unwrap().ends_with('Z'), "{checks}");
    bench.run(["stop"]).success();
    bench.run(["start"]).success().never_says(NEWER);

    bench.run(["config", "set", "update_check", "always"]).success();
    bench.run(["stop"]).success();
    bench.run(["start"]).success().says(NEWER);
    bench.run(["stop"]).success();
    bench.run(["config", "set", "update_check", "never"]).success();
    bench.run(["start"]).success().never_says(NEWER);

    bench.run(["config", "set", "update_check", "always"]).success();
    bench.run(["stop"]).success();
    drop(shelf);
    bench.run(["start"]).success().never_says(NEWER).never_says("error");
}

#[test]
fn lif_010_an_image_flag_asks_while_the_sandbox_runs_and_no_is_the_default() {
    let (daemon, shelf) = (Daemon::start(), Shelf::new());
    let bench = customer(&daemon, &shelf);
    shelf.publish(&bench, "1.0.1");
    bench.run(["start"]).success();
    let before = bench.inspect()["Id"].clone();
    for keys in ["\r", "n\r"] {
        let mut terminal = bench.at_terminal(["start", "--pull-sandbox-image"]);
        terminal.until("Container is running. Stop and rebuild? [y/N]");
        terminal.enter(keys);
        let (code, shown) = terminal.finish();
        assert_eq!(code, Some(1), "{shown}");
        assert!(shown.contains("Aborted. Stop container first with: occ stop"), "{shown}");
        assert!(!shown.contains("Pulling"), "{shown}");
    }
    let mut terminal = bench.at_terminal(["start", "--pull-sandbox-image"]);
    terminal.until("Container is running. Stop and rebuild? [y/N]");
    terminal.enter("y\r");
    let (code, shown) = terminal.finish();
    assert_eq!(code, Some(0), "{shown}");
    // The registry has what runs already.
    assert_eq!(bench.inspect()["Id"], before);
    assert_eq!(bench.inspect()["State"]["Running"], true);
}

#[test]
fn pi_015_lif_013_lif_014_other_versions_are_warned_about_once_an_hour_and_asked_about_at_a_terminal()
 {
    const WARNING: &str = "the image is v0.0.1, and this occ is v";
    let daemon = Daemon::start();
    let bench = bench_at(daemon.api());
    stand_in(bench.api(), Manner::Good);
    bench.run(["start", "--ignore-version"]).success().never_says(WARNING);
    bench.run(["status"]).success().prints(" (differs from CLI)");

    let mut terminal = bench.at_terminal(["start"]);
    terminal.until("What should be done about it?");
    terminal.until("Choose [1]:");
    for option in
        ["1. Pull new image (recommended)", "2. Rebuild from source", "3. Continue anyway"]
    {
        assert!(terminal.shown().contains(option), "{}", terminal.shown());
    }
    terminal.enter("3\r");
    let (code, shown) = terminal.finish();
    assert_eq!(code, Some(0), "{shown}");
    let (code, shown) = bench.at_terminal(["start"]).finish();
    assert_eq!(code, Some(0), "{shown}");
    assert!(!shown.contains(WARNING), "said again within the hour: {shown}");

    std::fs::remove_file(bench.state_dir().join("checks-v1.json")).unwrap();
    let run = bench.run(["start"]).success().says(WARNING);
    let _hint = run.says("occ start --pull-sandbox-image");
    bench.run(["start"]).success().never_says(WARNING);
}

#[test]
fn acq_013_a_cached_rebuild_needs_no_package_client_and_a_full_one_uses_nothing_that_is_kept() {
    let mut bench = running();
    let before = bench.inspect();
    bench.fake_program("npm", "echo 'no npm here' >&2; exit 1");
    let run = bench.run(["start", "--yes", "--cached-rebuild-sandbox-image"]).success();
    let line = "Info: Rebuilding image from source (per --cached-rebuild-sandbox-image)";
    let _run = run.says(line);
    // The same bytes: nothing to replace.
    assert_eq!(bench.inspect()["Id"], before["Id"]);
    assert_eq!(bench.inspect()["State"]["StartedAt"], before["State"]["StartedAt"]);

    let run = bench.run(["start", "--yes", "--full-rebuild-sandbox-image"]).code(1);
    let _run = run.says("could not build the image").says("no npm here");
    assert_eq!(bench.inspect()["State"]["StartedAt"], before["State"]["StartedAt"]);
    assert_eq!(bench.inspect()["State"]["Running"], true);
    let left = std::fs::read_dir(bench.shared_cache().join("opencode-cloud")).unwrap();
    let left = left.filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_string_lossy().starts_with("rebuild-")
    });
    assert_eq!(left.count(), 0, "what the rebuild worked in is still there");
}
