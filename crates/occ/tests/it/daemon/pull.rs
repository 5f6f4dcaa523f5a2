//! `occ image pull` and what an engine then has, with registries that do wrong.

use std::io::Write as _;
use std::process::Command;

use occ_oci::{Descriptor, Digest, MediaType};
use occ_testkit::{Bench, Change, Daemon, FakeRegistry, Fault, Harm, Referring, Registry};
use serde_json::{Value, json};

use crate::material::{Image, REPOSITORY, architecture, image, image_of, layer};
use crate::places::{bench_at, series};

/// A daemon of the test's own, a bench at it that keeps what it fetches for itself, and a registry.
struct Stage {
    _daemon: Daemon,
    bench: Bench,
    registry: FakeRegistry,
}

impl Stage {
    fn new() -> Self {
        let daemon = Daemon::start();
        let mut bench = bench_at(daemon.api());
        bench.set("XDG_CACHE_HOME", bench.home().join("cache"));
        Self { _daemon: daemon, bench, registry: FakeRegistry::start(Referring::Unknown) }
    }

    fn name(&self, tag: &str) -> String {
        format!("{}/{REPOSITORY}:{tag}", self.registry.host())
    }

    fn pull(&self, tag: &str) -> occ_testkit::Run {
        self.bench.run(["image", "pull", &self.name(tag), "--json"])
    }

    /// Returns the ids of all images that the daemon has, those without a name included.
    fn images(&self) -> Vec<String> {
        let listed = self.bench.api().get("/images/json?all=1").json();
        let id = |image: &Value| image["Id"].as_str().unwrap().to_owned();
        listed.as_array().unwrap().iter().map(id).collect()
    }

    /// Panics when anything was loaded.
    #[track_caller]
    fn assert_nothing_loaded(&self) {
        assert_eq!(self.images(), Vec::<String>::new());
    }
}

#[test]
fn what_skopeo_pushed_is_pulled_and_an_update_fetches_the_layer_that_changed_and_no_other() {
    let stage = Stage::new();
    let registry = Registry::start();
    let lower = "l".repeat(5000);
    let (first, second) = (image(&[&lower, "one"]), image(&[&lower, "another"]));
    for (number, image) in [(1, &first), (2, &second)] {
        let folder = stage.bench.folder().join(format!("layout-{number}"));
        image.write_layout(&folder, "base");
        let (from, to) = (
            format!("oci:{}:base", folder.display()),
            format!("docker://{}/{REPOSITORY}:{number}", registry.host()),
        );
        let words = ["copy", "--quiet", "--dest-tls-verify=false", &from, &to];
        let status =
            Command::new("skopeo").args(words).status().expect("skopeo runs (package skopeo)");
        assert!(status.success());
    }
    let pull = |tag: &str| {
        let name = format!("{}/{REPOSITORY}:{tag}", registry.host());
        stage.bench.run(["image", "pull", &name, "--json"]).success().data()
    };
    let size = |image: &Image| image.layers.iter().map(Vec::len).sum::<usize>();
    let pulled = pull("1");
    assert_eq!((&pulled["image"], &pulled["bytes"]), (&first.id().into(), &size(&first).into()));
    assert_eq!(pull("1")["bytes"], 0, "what is there was fetched again");
    let pulled = pull("2");
    assert_eq!(
        (&pulled["image"], &pulled["bytes"]),
        (&second.id().into(), &second.layers[1].len().into())
    );
    let listed = stage.bench.run(["image", "ls", "--json"]).success().data();
    let images = listed["images"].as_array().unwrap();
    assert_eq!((images.len(), stage.images().len()), (2, 2), "parts of images are left over");
    let name = pulled["name"].as_str().unwrap();
    assert!(name.starts_with("opencode-cloud-sandbox:pulled-"), "{name}");

    stage.bench.run(["image", "rm", name]).code(2).says("occ image rm --yes");
    stage.bench.run(["image", "rm", name, "--dry-run"]).success().prints(name);
    assert_eq!(stage.images().len(), 2);
    stage.bench.run(["image", "rm", name, "--yes"]).success().prints("removed");
    assert_eq!(stage.images(), [first.id()]);
}

#[test]
fn what_we_pushed_docker_pulls_and_what_is_tagged_and_not_ours_stays() {
    let stage = Stage::new();
    let image = image(&["one", "another"]);
    let folder = stage.bench.folder().join("layout");
    image.write_layout(&folder, "base");
    let registry = Registry::start();
    let name = format!("{}/{REPOSITORY}:1.2.3", registry.host());
    let layout = folder.display().to_string();
    stage.bench.run(["image", "push", "base", &name, "--layout", &layout]).success();
    let host = registry.host();
    stage.bench.api().act(&format!("/images/create?fromImage={host}/{REPOSITORY}&tag=1.2.3"));
    assert_eq!(stage.images(), [image.id()]);
    stage.bench.run(["image", "tag", &image.id(), "mine:1"]).success();
    let listed = stage.bench.run(["image", "ls", "--json"]).success().data();
    assert!(
        listed["images"][0]["names"].as_array().unwrap().contains(&"mine:1".into()),
        "{listed}"
    );
    stage
        .bench
        .run(["image", "rm", "absent:1", "--yes"])
        .code(1)
        .says("the engine has no image absent:1");
}

#[test]
fn a_pull_that_was_cut_off_goes_on_where_it_stopped() {
    let stage = Stage::new();
    let mut noise = Vec::new();
    (0..60_000_u32).for_each(|n| noise.extend(n.wrapping_mul(2_654_435_761).to_le_bytes()));
    let image = image_of(vec![layer("a", b"small"), layer("b", &noise)]);
    image.publish(&stage.registry, "1");
    let blob = image.blob(1);
    stage.registry.fault(Fault::on("GET", &blob, Harm::Truncated).times(1));
    stage.registry.fault(Fault::on("GET", &blob, Harm::status(403)).times(1));
    stage.pull("1").code(6).says("access is denied");
    let pulled = stage.pull("1").success().data();
    assert_eq!(pulled["image"], image.id());
    assert!(pulled["bytes"].as_u64().unwrap() < image.layers[1].len() as u64, "{pulled}");
    let requests = stage.registry.requests();
    let last = requests.iter().rfind(|request| request.target.contains(&blob)).unwrap();
    assert!(last.header("range").is_some(), "{last:?}");
    let kept = stage.bench.home().join("cache/opencode-cloud/pulls");
    assert_eq!(std::fs::read_dir(kept).unwrap().count(), 0, "what was fetched is kept for nothing");
    assert_eq!(stage.images(), [image.id()]);
}

#[test]
fn attack_22_a_busy_registry_is_asked_again_and_the_image_arrives() {
    let stage = Stage::new();
    let image = image(&["one"]);
    image.publish(&stage.registry, "1");
    stage.registry.fault(Fault::on("GET", "", Harm::busy(0)).times(1));
    stage.registry.fault(Fault::on("GET", "/blobs/", Harm::HangsUp).times(1));
    assert_eq!(stage.pull("1").success().data()["image"], image.id());
}

#[test]
fn attack_2_a_tag_that_moves_after_it_was_resolved_changes_nothing() {
    let stage = Stage::new();
    let (image, other) = (image(&["one"]), image(&["another"]));
    image.publish(&stage.registry, "1");
    let change = Change::Put {
        repository: REPOSITORY.to_owned(),
        name: "1".to_owned(),
        media_type: MediaType::ImageManifest.to_string(),
        bytes: other.manifest.clone(),
    };
    stage.registry.fault(Fault::on("GET", "/manifests/1", Harm::Then(change)).times(1));
    let pulled = stage.pull("1").success().data();
    assert_eq!((&pulled["digest"], &pulled["image"]), (&image.digest().into(), &image.id().into()));
}

#[test]
fn attack_3_other_bytes_than_the_promised_ones_are_never_loaded() {
    let stage = Stage::new();
    let image = image(&["one", "another"]);
    image.publish(&stage.registry, "1");
    for target in ["/blobs/".to_owned(), image.blob(1)] {
        stage.registry.fault(Fault::on("GET", &target, Harm::Flipped).times(1));
        stage.pull("1").code(3).says("the bytes are not the promised ones");
    }
    let config = Digest::sha256(&image.config).to_string();
    stage.registry.fault(Fault::on("GET", &config, Harm::Endless).times(1));
    stage.pull("1").code(3);
    assert!(!stage.images().contains(&image.id()));
    assert_eq!(stage.pull("1").success().data()["image"], image.id());
}

#[test]
fn attack_4_registries_that_disagree_are_an_alarm_and_building_is_not_offered() {
    let mut stage = Stage::new();
    let other = FakeRegistry::start(Referring::Unknown);
    let version = series();
    image(&["one"]).publish(&stage.registry, version);
    image(&["another"]).publish(&other, version);
    let names = [stage.name(version), format!("{}/{REPOSITORY}:{version}", other.host())];
    stage
        .bench
        .run(["image", "pull", &names[0], &names[1]])
        .code(3)
        .says("the registries disagree");
    stage.assert_nothing_loaded();
    stage.bench.unset("OCC_IMAGE_SOURCE");
    stage.bench.set("OCC_REGISTRIES", format!("{},{}", stage.registry.host(), other.host()));
    let run = stage.bench.run(["start", "--yes"]).code(3).says("the registries disagree");
    let _said = run.never_says("Build from source");
    stage.bench.assert_nothing_left();
    stage.assert_nothing_loaded();
}

#[test]
fn attack_25_a_layer_that_is_not_what_the_image_says_or_grows_beyond_any_use_is_not_loaded() {
    let stage = Stage::new();
    let (bytes, _) = layer("a", b"one");
    image_of(vec![(bytes, Digest::sha256(b"something else"))]).publish(&stage.registry, "1");
    stage.pull("1").code(3).says("is not what the image says");
    let zeros = vec![0; 1 << 20];
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    (0..300).for_each(|_| bomb.write_all(&zeros).unwrap());
    let bomb = (bomb.finish().unwrap(), Digest::sha256(b"whatever"));
    image_of(vec![bomb]).publish(&stage.registry, "2");
    stage.pull("2").code(3).says("it unpacks to more than 200 times its size");
    let many = (0..200).map(|_| layer("a", b"one")).collect();
    image_of(many).publish(&stage.registry, "3");
    stage.pull("3").code(3).says("more than 127 layers");
    stage.assert_nothing_loaded();
}

#[test]
fn attack_19_of_a_list_the_one_image_for_the_platform_is_taken_and_of_two_none() {
    let stage = Stage::new();
    let (one, other) = (image(&["one"]), image(&["another"]));
    other.publish(&stage.registry, "other");
    let entry = |image: &Image, platform: Value| {
        let mut entry = json!(Descriptor::of(MediaType::ImageManifest, &image.manifest));
        entry["platform"] = platform;
        entry
    };
    let own = json!({ "architecture": architecture(), "os": "linux" });
    let unknown = json!({ "architecture": "unknown", "os": "unknown" });
    let list = |entries: &[Value]| {
        json!({ "schemaVersion": 2, "mediaType": MediaType::ImageIndex, "manifests": entries })
            .to_string()
    };
    let publish = |tag: &str, entries: &[Value]| {
        one.publish_in(&stage.registry, tag, MediaType::ImageIndex, list(entries).as_bytes());
    };
    publish("1", &[entry(&other, unknown.clone()), entry(&one, own.clone())]);
    publish("2", &[entry(&other, own.clone()), entry(&one, own.clone())]);
    publish("3", &[entry(&other, unknown)]);
    let mut nested = entry(&one, own);
    nested["mediaType"] = json!(MediaType::ImageIndex);
    publish("4", &[nested]);
    stage.pull("2").code(3).says("lists two images for linux/");
    stage.pull("3").code(1).says("it is for unknown/unknown");
    stage.pull("4").code(1).says("is not for linux/");
    stage.assert_nothing_loaded();
    let dry = stage.bench.run(["image", "pull", &stage.name("1"), "--dry-run", "--json"]);
    let dry = dry.success().data();
    assert_eq!(
        (&dry["manifest"], &dry["bytes"]),
        (&one.digest().into(), &one.layers[0].len().into())
    );
    stage.assert_nothing_loaded();
    assert_eq!(stage.pull("1").success().data()["image"], one.id());
}

#[test]
fn an_image_of_the_engine_is_pushed_and_is_the_same_image_where_it_is_pulled() {
    let stage = Stage::new();
    let image = image(&["lower", &"u".repeat(3 << 20)]);
    image.publish(&stage.registry, "1");
    let pulled = stage.pull("1").success().data();
    let local = pulled["name"].as_str().unwrap();
    let shelf = Registry::start();
    let names = ["a", "b"].map(|path| format!("{}/{path}:1.2.3", shelf.host()));
    let push = |what: &str| {
        stage.bench.run(["image", "push", "--engine", what, &names[0], &names[1], "--json"])
    };
    let pushed = push(local).success().data();
    assert!(pushed["bytes"].as_u64().unwrap() > 0, "{pushed}");
    // The same layers become the same bytes.
    let again = push(&image.id()).success().data();
    assert_eq!((&again["digest"], &again["bytes"]), (&pushed["digest"], &0.into()));
    for name in &names {
        let seen = stage.bench.run(["image", "inspect", name, "--json"]).success().data();
        assert_eq!(seen["remote"][0]["image_id"], image.id().as_str());
    }
    stage.bench.run(["image", "rm", "--yes", local]).success();
    stage.assert_nothing_loaded();
    let pulled = stage.bench.run(["image", "pull", &names[1], "--json"]).success().data();
    assert_eq!(pulled["image"], image.id());
    let left = std::fs::read_dir(stage.bench.home().join("cache/opencode-cloud/workshop-v3/work"));
    assert_eq!(left.map_or(0, Iterator::count), 0, "what was exported is still there");
    stage
        .bench
        .run(["image", "push", "--engine", "nothing:1", &names[0]])
        .code(1)
        .says("the engine has no image nothing:1");
}
