//! Images in registries, without an engine: pushed, copied, tagged, listed.

use std::process::Command;

use occ_testkit::{Bench, FakeRegistry, Fault, Harm, Referring, Registry, Run};

use crate::material::{Image, REPOSITORY, image};
use crate::places::bench_without_image as bench;

/// Writes a layout into a folder of the bench.
fn layout(bench: &Bench, image: &Image, name: &str) -> (String, String) {
    let folder = bench.folder().join(name);
    let digest = image.write_layout(&folder, "base");
    (folder.display().to_string(), digest)
}

fn push(bench: &Bench, layout: &str, name: &str) -> Run {
    bench.run(["image", "push", "base", name, "--layout", layout, "--json"])
}

/// Asks skopeo for the bytes of a manifest.
fn raw(name: &str) -> Vec<u8> {
    let words = ["inspect", "--raw", "--tls-verify=false", &format!("docker://{name}")];
    let output = Command::new("skopeo").args(words).output().expect("skopeo runs (package skopeo)");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[test]
fn a_layout_is_pushed_and_copied_byte_for_byte_with_what_refers_to_it() {
    let (first, second) = (Registry::start(), Registry::start());
    let bench = bench();
    let image = image(&["lower", "the upper one"]);
    let (folder, digest) = layout(&bench, &image, "layout");
    let name = format!("{}/{REPOSITORY}:1.2.3", first.host());
    let pushed = push(&bench, &folder, &name).success().data();
    assert_eq!(pushed["digest"], digest);
    assert!(pushed["bytes"].as_u64().unwrap() > 0, "{pushed}");
    // Once more nothing is sent.
    assert_eq!(push(&bench, &folder, &name).success().data()["bytes"], 0);

    let mirror = format!("{}/{REPOSITORY}:1.2.3", second.host());
    let copied = bench.run(["image", "copy", &name, &mirror, "--json"]).success().data();
    assert_eq!((&copied["digest"], &copied["referrers"]), (&digest.into(), &1.into()));
    assert_eq!(raw(&mirror), raw(&name));
    let pinned = format!("{}/{REPOSITORY}@{}", second.host(), image.digest());
    assert_eq!(raw(&pinned), image.manifest);

    let tree = bench.run(["image", "tree", &mirror, "--json"]).success().data();
    let platform = &tree["root"]["manifests"][0];
    assert_eq!(
        (&tree["root"]["kind"], &platform["digest"]),
        (&"index".into(), &image.digest().into())
    );
    assert_eq!(platform["referrers"][0]["artifact_type"], "application/vnd.cyclonedx+json");
    bench
        .run(["image", "tree", &mirror])
        .success()
        .prints("└─ linux/")
        .prints("   └─ application/vnd.cyclonedx+json");

    let seen = bench.run(["image", "inspect", &mirror, "--json"]).success().data();
    let seen = &seen["remote"][0];
    assert_eq!((&seen["digest"], &seen["image_id"]), (&image.digest().into(), &image.id().into()));
    assert_eq!(seen["layers"][1]["digest"], image.blob(1));
    bench.run(["image", "inspect", &mirror]).success().prints("  to fetch ");

    let repository = format!("{}/{REPOSITORY}", second.host());
    let listed = bench.run(["image", "ls", &repository]).success().stdout;
    assert_eq!(listed, "1.2.3\n");
}

#[test]
fn attack_17_the_tag_of_a_release_never_moves_and_others_do() {
    let registry = FakeRegistry::start(Referring::Api);
    let bench = bench();
    let (one, other) = (image(&["one"]), image(&["another"]));
    let ((first, _), (second, second_digest)) =
        (layout(&bench, &one, "1"), layout(&bench, &other, "2"));
    let name = |tag: &str| format!("{}/{REPOSITORY}:{tag}", registry.host());
    for tag in ["1.2.3", "latest"] {
        push(&bench, &first, &name(tag)).success();
    }
    let before = registry.manifest(REPOSITORY, "1.2.3");
    let sent = registry.asked("PUT", "");
    push(&bench, &second, &name("1.2.3")).code(3).says("the tag of a release does not move");
    assert_eq!(registry.asked("PUT", ""), sent, "something was sent");
    push(&bench, &second, &name("latest")).success();

    let latest = name("latest");
    bench.run(["image", "tag", &latest, "edge", "1.2.3"]).code(3).says("does not move");
    assert_eq!(
        registry.manifest(REPOSITORY, "edge"),
        None,
        "one was moved before all were looked at"
    );
    bench.run(["image", "copy", &latest, &name("1.2.3")]).code(3).says("does not move");
    assert_eq!(registry.manifest(REPOSITORY, "1.2.3"), before);

    let tagged = bench.run(["image", "tag", &latest, "edge", "v1.3.0", "--json"]).success().data();
    assert_eq!((&tagged["digest"], &tagged["changed"]), (&second_digest.into(), &true.into()));
    let again = bench.run(["image", "tag", &latest, "v1.3.0", "--json"]).success().data();
    assert_eq!(again["changed"], false);
    assert_eq!(registry.tags(REPOSITORY), ["1.2.3", "edge", "latest", "v1.3.0"]);
}

#[test]
fn nothing_is_changed_where_that_was_said() {
    let registry = FakeRegistry::start(Referring::Api);
    let bench = bench();
    let (folder, _) = layout(&bench, &image(&["one"]), "layout");
    let name = format!("{}/{REPOSITORY}:1", registry.host());
    bench.run(["image", "push", "base", &name, "--layout", &folder, "--dry-run"]).success();
    assert_eq!(registry.tags(REPOSITORY), Vec::<String>::new());
    push(&bench, &folder, &name).success();
    let other = format!("{}/other:1", registry.host());
    bench.run(["image", "copy", &name, &other, "--dry-run"]).success();
    bench.run(["image", "tag", &name, "2", "--dry-run"]).success();
    assert_eq!((registry.tags("other").len(), registry.tags(REPOSITORY).len()), (0, 1));
    assert_eq!(bench.run(["image", "tag", &name, "2", "--quiet"]).success().stderr, "");
}

#[test]
fn names_that_name_no_registry_are_usage_errors_with_what_is_meant() {
    let bench = bench();
    for words in [
        ["image", "tree", "prizz/x:1"].as_slice(),
        &["image", "copy", "prizz/x:1", "ghcr.io/prizz/x:1"],
        &["image", "ls", "prizz/x"],
        &["image", "tag", "ghcr.io/prizz/x:1", "ghcr.io/prizz/y:1"],
        &["image", "tree", "ghcr.io/UPPER"],
    ] {
        let run = bench.run(words).code(2).says("error: ");
        assert_eq!(run.stdout, "", "{words:?}");
    }
    bench.run(["image", "tree", "prizz/x:1"]).code(2).says("for example: ghcr.io/prizz/x:1");
}

#[test]
fn a_registry_that_does_not_answer_or_refuses_is_exit_6_with_what_to_do() {
    let bench = bench();
    bench.run(["image", "tree", "localhost:1/a:1"]).code(6).says("localhost:1").says("occ doctor");
    let registry = FakeRegistry::start(Referring::Api);
    let name = format!("{}/a:1", registry.host());
    bench.run(["image", "tree", &name]).code(6).says("it is not there").says("occ image ls");
    registry.fault(Fault::on("GET", "", Harm::status(403)));
    bench.run(["image", "tree", &name]).code(6).says("docker login");
}

#[test]
fn attack_20_an_answer_without_an_end_is_cut_off() {
    let registry = FakeRegistry::start(Referring::Api);
    image(&["one"]).publish(&registry, "1");
    registry.fault(Fault::on("GET", "", Harm::Endless));
    let bench = bench();
    let name = format!("{}/{REPOSITORY}", registry.host());
    bench.run(["image", "ls", &name]).code(6).says("the answer has more than");
    bench.run(["image", "tree", &format!("{name}:1")]).code(6).says("the answer has more than");
}

#[test]
fn attack_21_a_login_from_the_environment_is_for_its_host_and_shown_to_nobody_else() {
    let registry = FakeRegistry::start(Referring::Api);
    image(&["one"]).publish(&registry, "1");
    let mut bench = bench();
    bench.set("OCC_REGISTRY_USERNAME", "me");
    bench.set("OCC_REGISTRY_PASSWORD", "hunter2");
    let name = format!("{}/{REPOSITORY}:1", registry.host());
    let run = bench.run(["image", "tree", &name]).code(4).says("OCC_REGISTRY_HOST");
    let _silent = run.never_says("hunter2");
    bench.set("OCC_REGISTRY_HOST", "registry.example");
    bench.run(["image", "tree", &name]).success();
    let shown = |request: &occ_testkit::Request| request.header("authorization").is_some();
    assert!(!registry.requests().iter().any(shown));
}

#[test]
fn registries_without_encryption_are_a_list_that_may_be_empty() {
    let bench = bench();
    bench.run(["config", "set", "insecure_registries", "mirror.example:5000"]).success();
    let listed = bench.run(["config", "get", "insecure_registries"]).success();
    listed.prints("mirror.example:5000");
    bench.run(["config", "set", "insecure_registries", "[]"]).success();
    bench.run(["config", "set", "insecure_registries", "a/b"]).code(2);
    bench.run(["config", "set", "registries", "[]"]).code(2);
}

#[test]
fn an_image_goes_into_a_layout_and_back_byte_for_byte_with_what_refers_to_it() {
    let (first, second) = (Registry::start(), Registry::start());
    let bench = bench();
    let image = image(&["lower", "the upper one"]);
    let (folder, digest) = layout(&bench, &image, "layout");
    let name = format!("{}/{REPOSITORY}:1.2.3", first.host());
    push(&bench, &folder, &name).success();
    let kept = bench.folder().join("kept");
    let spot = |name: &str| format!("oci:{}:{name}", kept.display());
    let copy = |from: &str, to: &str| bench.run(["image", "copy", from, to, "--json"]);
    let copied = copy(&name, &spot("mine")).success().data();
    assert_eq!(
        (&copied["digest"], &copied["referrers"]),
        (&serde_json::Value::from(digest.clone()), &1.into())
    );
    assert!(copied["bytes"].as_u64().unwrap() > 0, "{copied}");
    // Once more nothing is fetched; and without a name it is called after the tag.
    let again = copy(&name, &format!("oci:{}", kept.display())).success().data();
    assert_eq!((&again["bytes"], &again["blobs"]["uploaded"]), (&0.into(), &0.into()));

    // Others read it too.
    let words = ["inspect", "--raw", &spot("1.2.3")];
    let output = Command::new("skopeo").args(words).output().expect("skopeo runs (package skopeo)");
    assert_eq!(output.stdout, raw(&name), "{}", String::from_utf8_lossy(&output.stderr));

    let back = format!("{}/{REPOSITORY}:1.2.3", second.host());
    let copied = copy(&spot("mine"), &back).success().data();
    assert_eq!(
        (&copied["digest"], &copied["referrers"]),
        (&serde_json::Value::from(digest.clone()), &1.into())
    );
    assert_eq!(raw(&back), raw(&name));
    let pinned = format!("{}/{REPOSITORY}:by-digest", second.host());
    copy(&spot(&digest), &pinned).success();
    assert_eq!(raw(&pinned), raw(&name));
}

#[test]
fn a_copy_into_a_layout_that_fails_lists_nothing_and_can_be_done_again() {
    let registry = FakeRegistry::start(Referring::Api);
    let bench = bench();
    let image = image(&["one", "two"]);
    image.publish(&registry, "1");
    let name = format!("{}/{REPOSITORY}:1", registry.host());
    let folder = bench.folder().join("kept");
    let to = format!("oci:{}:mine", folder.display());
    registry.fault(Fault::on("GET", &image.blob(1), Harm::Flipped).times(1));
    let run = bench.run(["image", "copy", &name, &to]).code(3);
    let _run = run.says("the bytes are not the promised ones");
    assert!(!folder.join("index.json").exists());
    bench.run(["image", "copy", &name, &to]).success();
    let asked = registry.asked("GET", "/blobs/");
    std::fs::write(folder.join("blobs/sha256").join(&image.blob(0)[7..]), "damaged").unwrap();
    let mended = bench.run(["image", "copy", &name, &to, "--json"]).success().data();
    assert_eq!(mended["blobs"]["uploaded"], 1, "what is damaged is fetched again: {mended}");
    assert_eq!(registry.asked("GET", "/blobs/"), asked + 1);

    let other = bench.folder().join("other");
    let to = format!("oci:{}:mine", other.display());
    bench.run(["image", "copy", &name, &to, "--dry-run"]).success();
    assert!(!other.exists());
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("a letter"), "mine").unwrap();
    bench.run(["image", "copy", &name, &to]).code(1).says("is not an OCI image layout");
}

#[test]
fn places_that_cannot_be_copied_between_are_usage_errors() {
    let bench = bench();
    for (from, to) in [
        ("oci:a:b", "oci:c:d"),
        ("oci:a", "ghcr.io/a/b:1"),
        ("oci:", "ghcr.io/a/b:1"),
        ("ghcr.io/a/b:1", "oci::x"),
        ("ghcr.io/a/b:1", "oci:folder:base@arm64"),
    ] {
        bench.run(["image", "copy", from, to]).code(2).says("error: ");
    }
    let run = bench.run(["image", "copy", "oci:/nowhere:base", "localhost:1/a:1"]);
    let _run = run.code(1).says("is not an OCI image layout");
}
