use std::fs;
use std::sync::atomic::AtomicBool;

use occ_image::{
    BuildPlan, Difference, Image, Inventory, Layer, Layout, LayoutError, Lock, PackageKind,
    Release, Target, diff,
};
use occ_layer::Compression;
use occ_layer::tree::{Entry, Kind};
use occ_oci::Platform;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::material::{Shelf, debian_pin, file, lock, pin, plan, recipe};

const AMD64: Platform = Platform::LinuxAmd64;

/// Compares an image with another one; they are called `base` and `full`.
fn compare(shelf: &Shelf, before: &Image, after: &Image) -> Difference {
    let layout = shelf.write(&[before.clone(), after.clone()]).unwrap();
    between(&layout, &before.variant, &after.variant).unwrap()
}

fn between(layout: &Layout, before: &str, after: &str) -> Result<Difference, LayoutError> {
    let image = |name: &str| layout.image(&name.parse().unwrap(), AMD64).unwrap();
    diff(&image(before), &image(after), &AtomicBool::new(false))
}

fn layer(shelf: &Shelf, entries: &[(&str, Entry)]) -> Layer {
    shelf.layer(entries, Compression::Gzip)
}

fn pair(shelf: &Shelf, before: &[(&str, Entry)], after: &[(&str, Entry)]) -> Difference {
    let before = Shelf::image_of(&plan("base", AMD64), vec![layer(shelf, before)]);
    let after = Shelf::image_of(&plan("full", AMD64), vec![layer(shelf, after)]);
    compare(shelf, &before, &after)
}

/// Returns changed files as `PATH BEFORE -> AFTER`.
fn files(difference: &Difference) -> Vec<String> {
    let text = |state: &Option<occ_image::FileState>| {
        state.as_ref().map_or("nothing".to_owned(), ToString::to_string)
    };
    let line = |it: &occ_image::FileChange| {
        format!("{} {} -> {}", it.path, text(&it.before), text(&it.after))
    };
    difference.files.iter().map(line).collect()
}

#[test]
fn an_image_is_no_different_from_itself() {
    let shelf = Shelf::new();
    let layout = shelf.write(&shelf.both("base", "x")).unwrap();
    let same = between(&layout, "base", "base@amd64").unwrap();
    assert!(same.identical);
    assert_eq!((same.packages.len(), same.settings.len(), same.files.len()), (0, 0, 0));
    assert_eq!((same.layers.to_fetch, same.layers.shared.len()), (0, 3));
    assert_eq!(same.to_string(), format!("both are {}\n", same.before.digest));
    assert_eq!(serde_json::to_value(&same).unwrap()["identical"], true);

    let other = between(&layout, "base", "base@arm64").unwrap();
    assert!(!other.identical && other.files.is_empty());
    assert_eq!(
        (other.before.platform, other.after.platform),
        ("linux/amd64".into(), "linux/arm64".into())
    );
}

#[test]
fn files_are_compared_by_what_they_are() {
    let shelf = Shelf::new();
    let link = |target: &str| Entry::new(Kind::Symlink(target.to_owned()), 0o777);
    let folder = || Entry::new(Kind::Folder, 0o755);
    let mut newer = file("same");
    newer.mtime = 7;
    let mut mode = file("mode");
    mode.mode = 0o4755;
    let difference = pair(
        &shelf,
        &[
            ("a/bytes", file("one")),
            ("a/gone", file("gone")),
            ("a/kind", folder()),
            ("a/link", link("x")),
            ("a/mode", file("mode")),
            ("a/owner", file("owner")),
            ("a/same", file("same")),
        ],
        &[
            ("a/bytes", file("two")),
            ("a/kind", link("same")),
            ("a/link", link("y")),
            ("a/mode", mode),
            ("a/new", file(&"n".repeat(2000))),
            ("a/owner", file("owner").owned_by(1000, 7)),
            ("a/same", newer),
        ],
    );
    assert_eq!(
        files(&difference),
        [
            "a/bytes file 0644 0:0 3 B -> file 0644 0:0 3 B",
            "a/gone file 0644 0:0 4 B -> nothing",
            "a/kind folder 0755 0:0 -> link 0777 0:0 same",
            "a/link link 0777 0:0 x -> link 0777 0:0 y",
            "a/mode file 0644 0:0 4 B -> file 4755 0:0 4 B",
            "a/new nothing -> file 0644 0:0 2.0 kB",
            "a/owner file 0644 0:0 5 B -> file 0644 1000:7 5 B",
        ]
    );
    let shown = difference.to_string();
    assert!(shown.contains("\nfiles 1 added, 1 removed, 5 changed (+2.0 kB)\n"), "{shown}");
    assert!(shown.contains("  ~ a/bytes file 0644 0:0 3 B, other bytes\n"), "{shown}");
    assert!(shown.contains("  - a/gone file 0644 0:0 4 B\n  ~ a/kind folder"), "{shown}");
}

#[test]
fn only_what_is_seen_counts_whichever_layer_has_it() {
    let shelf = Shelf::new();
    let low = layer(&shelf, &[("etc/a", file("a")), ("etc/b", file("b")), ("etc/c", file("c"))]);
    let flat = layer(&shelf, &[("etc/a", file("A")), ("etc/c", file("c"))]);
    let upper = layer(&shelf, &[("etc/a", file("A")), ("etc/.wh.b", file(""))]);
    let before = Shelf::image_of(&plan("base", AMD64), vec![low, upper]);
    let after = Shelf::image_of(&plan("full", AMD64), vec![flat]);
    let difference = compare(&shelf, &before, &after);
    assert_eq!(files(&difference), Vec::<String>::new());
    assert_eq!(difference.layers.shared.len(), 0);
    assert!(difference.to_string().ends_with("\nall files are the same\n"), "{difference}");

    // Which of a file's names holds the bytes is an accident.
    let link = |target: &str| Entry::new(Kind::Hardlink(target.to_owned()), 0o644);
    let one = [("x", file("x")), ("y", link("x"))];
    let other = [("x", file("x")), ("y", file("x"))];
    assert_eq!(files(&pair(&shelf, &one, &other)), Vec::<String>::new());
}

#[test]
fn many_changes_are_counted_by_folder_and_listed_when_asked_for() {
    let shelf = Shelf::new();
    let paths: Vec<String> = (0..30).map(|at| format!("usr/lib/x/{at:02}")).collect();
    let mut after: Vec<(&str, Entry)> =
        paths.iter().map(|path| (path.as_str(), file("new"))).collect();
    after.push(("top", file("t")));
    let difference = pair(&shelf, &[("etc/old/file", file("old"))], &after);
    let shown = difference.to_string();
    // The folders themselves came and went too.
    assert!(shown.contains("\nfiles 34 added, 3 removed (+88 B)\n"), "{shown}");
    assert!(shown.contains("    /etc/old 1 removed (-3 B)\n"), "{shown}");
    assert!(shown.contains("    /usr/lib 31 added (+90 B)\n"), "{shown}");
    assert!(!shown.contains("usr/lib/x/07"), "{shown}");
    let all = format!("{difference:#}");
    assert!(all.contains("  + usr/lib/x/07 file 0644 0:0 3 B\n"), "{all}");
    assert_eq!(difference.files.len(), 37);
}

fn plan_of(variant: &str, change: impl FnOnce(&mut Lock)) -> BuildPlan {
    let recipe = recipe();
    let mut lock = lock(&recipe);
    change(&mut lock);
    let release = Release { version: "2.0.0".to_owned(), ..Release::default() };
    BuildPlan::new(&recipe, &lock, &Target::new(AMD64, variant), &release).unwrap()
}

#[test]
fn packages_and_tools_are_compared_by_bills_of_materials() {
    let shelf = Shelf::new();
    let before = Shelf::image_of(&plan("base", AMD64), Vec::new());
    let after = plan_of("full", |lock| {
        let system = &mut lock.debian[0].packages;
        system.remove(0);
        system[0].version = "1:2.10-6".to_owned();
        system.push(debian_pin("zsh", "5.9-8", None));
        let prettier = &mut lock.tools.get_mut("prettier").unwrap().packages;
        prettier[0].version = "3.6.0".to_owned();
        prettier.push(pin("@a/b", "2.0.0", None));
    });
    let difference = compare(&shelf, &before, &Shelf::image_of(&after, Vec::new()));
    assert_eq!(difference.inventory, Inventory::Sbom);
    let lines: Vec<String> = difference
        .packages
        .iter()
        .map(|it| format!("{} {} {:?} {:?}", it.kind.plural(), it.name, it.before, it.after))
        .collect();
    assert_eq!(
        lines,
        [
            r#"tools jet [] ["1.2.3"]"#,
            r#"tools nextest [] ["0.9.1"]"#,
            r#"tools prettier ["3.5.0"] ["3.6.0"]"#,
            r#"packages of Debian hello ["1:2.10-5~1"] ["1:2.10-6"]"#,
            r#"packages of Debian libstdc++6 ["14.2.0-19"] []"#,
            r#"packages of Debian zsh [] ["5.9-8"]"#,
            r#"packages (cargo) cargo-nextest [] ["0.9.1"]"#,
            r#"packages (generic) jet [] ["1.2.3"]"#,
            r#"packages (npm) @a/b ["1.0.0"] ["1.0.0", "2.0.0"]"#,
            r#"packages (npm) prettier ["3.5.0"] ["3.6.0"]"#,
        ]
    );
    let shown = difference.to_string();
    assert!(
        shown.contains("\ntools\n  + jet 1.2.3\n  + nextest 0.9.1\n  ~ prettier 3.5.0 -> 3.6.0\n"),
        "{shown}"
    );
    assert!(
        shown.contains(
            "\npackages of Debian\n  ~ hello 1:2.10-5~1 -> 1:2.10-6\n  - libstdc++6 14.2.0-19\n"
        ),
        "{shown}"
    );
    assert!(shown.contains("  ~ @a/b 1.0.0 -> 1.0.0, 2.0.0\n"), "{shown}");

    let settings: Vec<&str> = difference.settings.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(
        settings,
        [
            "label.org.opencode-cloud.base-key",
            "label.org.opencode-cloud.build-key",
            "label.org.opencode-cloud.variant",
            "label.org.opencode-cloud.version",
            "label.org.opencontainers.image.version",
        ]
    );
    assert!(shown.contains("  ~ label.org.opencode-cloud.version 1.0.0 -> 2.0.0\n"), "{shown}");
}

#[test]
fn layers_in_common_are_found_and_what_is_to_be_fetched_is_counted() {
    let shelf = Shelf::new();
    let base = layer(&shelf, &[("base", file(&"base".repeat(999)))]);
    let (old, new) = (layer(&shelf, &[("t", file("old"))]), layer(&shelf, &[("t", file("new"))]));
    let top = layer(&shelf, &[("top", file("top"))]);
    let other_form = shelf.layer(&[("top", file("top"))], Compression::Zstd);
    assert_eq!(top.diff_id, other_form.diff_id);
    let before = Shelf::image_of(&plan("base", AMD64), vec![base.clone(), old.clone(), top]);
    let layers = vec![base.clone(), new.clone(), other_form.clone()];
    let after = Shelf::image_of(&plan("full", AMD64), layers);
    let difference = compare(&shelf, &before, &after);
    let layers = &difference.layers;
    let shared: Vec<_> = layers.shared.iter().map(|it| (&it.diff_id, it.same_blob)).collect();
    assert_eq!(shared, [(&base.diff_id, true), (&other_form.diff_id, false)]);
    assert_eq!((layers.removed.len(), layers.added.len()), (1, 1));
    assert_eq!(layers.removed[0].diff_id, old.diff_id);
    assert_eq!(layers.added[0].history, "layer 1");
    assert_eq!(layers.to_fetch, new.blob.size + other_form.blob.size);
    assert_eq!(files(&difference), ["t file 0644 0:0 3 B -> file 0644 0:0 3 B"]);
    assert!(difference.to_string().contains("layers 2 of 3 are in both, "), "{difference}");
}

/// Takes the bills of materials away, as tools do that copy images.
fn without_sboms(layout: &Layout) {
    let path = layout.folder().join("index.json");
    let mut index: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    index["manifests"].as_array_mut().unwrap().retain(|it| it.get("artifactType").is_none());
    fs::write(path, index.to_string()).unwrap();
}

#[test]
fn without_bills_of_materials_debians_own_list_is_read() {
    let shelf = Shelf::new();
    let status = |versions: &[(&str, &str)]| {
        let paragraph = |(name, version): &(&str, &str)| {
            format!("Package: {name}\nStatus: install ok installed\nVersion: {version}\n")
        };
        file(&versions.iter().map(paragraph).collect::<Vec<_>>().join("\n"))
    };
    let image = |variant, versions: &[&[(&str, &str)]]| {
        let layer = |versions: &&[_]| layer(&shelf, &[("var/lib/dpkg/status", status(versions))]);
        Shelf::image_of(&plan(variant, AMD64), versions.iter().map(layer).collect())
    };
    // An upper layer's list is the one that counts.
    let before = image("base", &[&[("old", "0")], &[("a", "1"), ("b", "1")]]);
    let after = image("full", &[&[("a", "2"), ("b", "1"), ("c", "1")]]);
    let layout = shelf.write(&[before, after]).unwrap();
    assert_eq!(between(&layout, "base", "full").unwrap().inventory, Inventory::Sbom);
    without_sboms(&layout);
    let difference = between(&layout, "base", "full").unwrap();
    assert_eq!(difference.inventory, Inventory::Dpkg);
    let names: Vec<_> = difference.packages.iter().map(|it| (&it.kind, it.name.as_str())).collect();
    assert_eq!(names, [(&PackageKind::Deb, "a"), (&PackageKind::Deb, "c")]);
    let same = between(&layout, "full", "full").unwrap();
    assert!(same.packages.is_empty());
}

#[test]
fn images_without_any_list_of_packages_are_compared_all_the_same() {
    let shelf = Shelf::new();
    let layout =
        shelf.write(&[shelf.image("base", AMD64, "x"), shelf.image("full", AMD64, "y")]).unwrap();
    without_sboms(&layout);
    let difference = between(&layout, "base", "full").unwrap();
    assert_eq!(difference.inventory, Inventory::Unknown);
    assert!(difference.to_string().contains("\nnothing says which packages are in them\n"));
    assert_eq!(difference.files.len(), 1);
}

#[test]
fn programs_read_the_same_in_json() {
    let shelf = Shelf::new();
    let difference = pair(&shelf, &[("a", file("a"))], &[("a", file("b"))]);
    let json = serde_json::to_value(&difference).unwrap();
    assert_eq!(json["version"], 1);
    assert_eq!((&json["inventory"], &json["identical"]), (&json!("sbom"), &json!(false)));
    assert_eq!(json["files"][0]["path"], "a");
    assert_eq!(json["files"][0]["before"]["mode"], "0644");
    assert_eq!(
        json["packages"][0],
        json!({ "kind": "tool", "name": "jet", "before": [], "after": ["1.2.3"] })
    );
    assert_eq!(json["packages"][2]["kind"], "cargo");
}

#[test]
fn a_broken_bill_of_materials_is_named_and_comparing_can_be_interrupted() {
    let shelf = Shelf::new();
    let layout = shelf.write(&[shelf.image("base", AMD64, "x")]).unwrap();
    let image = layout.image(&"base".parse().unwrap(), AMD64).unwrap();
    let error = diff(&image, &image, &AtomicBool::new(true)).unwrap_err();
    assert!(matches!(error, LayoutError::Cancelled), "{error:?}");
    let sbom = layout
        .folder()
        .join("blobs/sha256")
        .join(occ_oci::Digest::sha256(&image.sbom().unwrap().unwrap()).hex());
    fs::write(&sbom, "{}").unwrap();
    let error = between(&layout, "base", "base").unwrap_err();
    assert!(matches!(error, LayoutError::Damaged { .. }), "{error:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_comes_one_way_goes_the_other(
        before in prop::collection::btree_map("[a-c]/[a-d]", "[xy]{0,2}", 0..6),
        after in prop::collection::btree_map("[a-c]/[a-d]", "[xy]{0,2}", 0..6),
    ) {
        let shelf = Shelf::new();
        let image = |variant, files: &std::collections::BTreeMap<String, String>| {
            let entries: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), file(text))).collect();
            Shelf::image_of(&plan(variant, AMD64), vec![layer(&shelf, &entries)])
        };
        let layout = shelf.write(&[image("base", &before), image("full", &after)]).unwrap();
        let there = between(&layout, "base", "full").unwrap();
        let back = between(&layout, "full", "base").unwrap();
        prop_assert_eq!(there.files.len(), back.files.len());
        for (there, back) in there.files.iter().zip(&back.files) {
            prop_assert_eq!((&there.before, &there.after), (&back.after, &back.before));
        }
        let changed = before.keys().chain(after.keys()).collect::<std::collections::BTreeSet<_>>();
        let changed = changed.into_iter().filter(|path| before.get(*path) != after.get(*path));
        let seen = there.files.iter().filter(|it| it.path.contains('/')).map(|it| &it.path);
        prop_assert_eq!(seen.collect::<Vec<_>>(), changed.collect::<Vec<_>>());
    }
}
