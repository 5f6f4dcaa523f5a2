//! Holds the house to its plan: which room may lean on which, and who may open an outside door.
//!
//! ARCHITECTURE.md explains the table; `cargo metadata` says what is really there.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

mod workspace;

use workspace::none_of;

/// A crate of ours: its tier, and the crates of ours it may lean on.
struct Room {
    name: &'static str,
    tier: Option<u8>,
    leans_on: &'static [&'static str],
}

const fn room(name: &'static str, tier: u8, leans_on: &'static [&'static str]) -> Room {
    Room { name, tier: Some(tier), leans_on }
}

/// Beside the house: nothing that ships may lean on it.
const fn shed(name: &'static str, leans_on: &'static [&'static str]) -> Room {
    Room { name, tier: None, leans_on }
}

const ROOMS: &[Room] = &[
    room("occ-oci", 0, &[]),
    room("occ-layer", 1, &["occ-oci"]),
    room("occ-opencode", 1, &[]),
    room("occ-policy", 1, &[]),
    room("occ-registry", 1, &["occ-oci"]),
    room("occ-image", 2, &["occ-oci", "occ-layer"]),
    room("occ-engine", 2, &["occ-oci"]),
    room("occ-trust", 2, &["occ-oci", "occ-registry"]),
    room(
        "occ-sandbox",
        3,
        &[
            "occ-oci",
            "occ-layer",
            "occ-registry",
            "occ-trust",
            "occ-image",
            "occ-opencode",
            "occ-engine",
        ],
    ),
    room("occ-release", 3, &["occ-oci", "occ-image", "occ-registry", "occ-trust"]),
    room("occ-smoke", 3, &["occ-image", "occ-opencode", "occ-engine"]),
    room(
        "occ",
        4,
        &[
            "occ-oci",
            "occ-registry",
            "occ-trust",
            "occ-image",
            "occ-opencode",
            "occ-policy",
            "occ-engine",
            "occ-release",
            "occ-sandbox",
            "occ-smoke",
        ],
    ),
    shed("occ-testkit", &["occ-oci", "occ-image", "occ-opencode", "occ-engine"]),
    shed("xtask", &["occ", "occ-image"]),
];

/// An outside crate that only the named rooms may ship; a test may use it to make its material.
const OUTSIDE_DOORS: &[(&str, &[&str])] = &[
    ("bollard", &["occ-engine"]),
    ("clap", &["occ", "xtask"]),
    ("clap_complete", &["occ", "xtask"]),
    ("clap_mangen", &["occ", "xtask"]),
    ("flate2", &["occ", "occ-image", "occ-layer"]),
    ("hyper", &["occ-engine", "occ-opencode", "occ-registry"]),
    ("indicatif", &["occ"]),
    ("lzma-rust2", &["occ-layer"]),
    ("ring", &["occ-testkit", "occ-trust"]),
    ("sigstore-trust-root", &["occ-trust"]),
    ("sigstore-tuf", &["occ-trust"]),
    ("sigstore-verify", &["occ-trust"]),
    ("tar", &["occ", "occ-engine", "occ-image", "occ-layer", "occ-sandbox", "occ-testkit"]),
    ("tokio-rustls", &["occ-engine", "occ-registry"]),
    ("zstd", &["occ-layer"]),
];

/// A dependency as a manifest states it.
struct Arrow {
    from: String,
    to: String,
    for_tests: bool,
}

fn is_ours(name: &str) -> bool {
    ROOMS.iter().any(|room| room.name == name)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().expect("cargo metadata states it")
}

fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--locked"])
        .current_dir(workspace::root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo writes JSON");
    metadata["packages"].as_array().expect("a workspace has packages").clone()
}

fn arrows() -> Vec<Arrow> {
    let arrow = |package: &Value, dependency: &Value| Arrow {
        from: text(package, "name").to_owned(),
        to: text(dependency, "name").to_owned(),
        for_tests: dependency["kind"] == "dev",
    };
    let of = |package: &Value| -> Vec<Arrow> {
        let dependencies = package["dependencies"].as_array().expect("a list, even an empty one");
        dependencies.iter().map(|dependency| arrow(package, dependency)).collect()
    };
    packages().iter().flat_map(of).collect()
}

#[test]
fn the_table_of_rooms_lists_exactly_the_crates_of_the_workspace() {
    let packages = packages();
    let there: BTreeSet<_> = packages.iter().map(|package| text(package, "name")).collect();
    let listed: BTreeSet<_> = ROOMS.iter().map(|room| room.name).collect();
    assert_eq!(there, listed);
}

#[test]
fn the_table_of_rooms_allows_only_arrows_to_a_lower_tier() {
    let tier = |name: &str| ROOMS.iter().find(|room| room.name == name).and_then(|room| room.tier);
    let mut offenders = Vec::new();
    for room in ROOMS.iter().filter(|room| room.tier.is_some()) {
        let sideways =
            room.leans_on.iter().filter(|to| tier(to).is_none() || tier(to) >= room.tier);
        offenders.extend(sideways.map(|to| format!("{} -> {to}", room.name)));
    }
    none_of(&offenders, "an arrow points to a lower tier, never sideways or up");
}

#[test]
fn a_crate_leans_only_on_the_rooms_its_row_allows() {
    let mut offenders = Vec::new();
    for arrow in arrows().iter().filter(|arrow| is_ours(&arrow.to)) {
        let row = ROOMS.iter().find(|room| room.name == arrow.from);
        let allowed = row.is_some_and(|room| room.leans_on.contains(&arrow.to.as_str()));
        // A test may use the kit, and its own crate once more with the fake.
        let in_tests = arrow.for_tests && (arrow.to == "occ-testkit" || arrow.to == arrow.from);
        if !allowed && !in_tests {
            offenders.push(format!("{} -> {}", arrow.from, arrow.to));
        }
    }
    none_of(&offenders, "a crate leans only on what its row in ROOMS allows");
}

#[test]
fn an_outside_crate_with_a_door_is_used_only_in_the_rooms_that_own_it() {
    let mut offenders = Vec::new();
    for arrow in arrows().iter().filter(|arrow| !arrow.for_tests) {
        let door = OUTSIDE_DOORS.iter().find(|(name, _)| *name == arrow.to);
        if door.is_some_and(|(_, owners)| !owners.contains(&arrow.from.as_str())) {
            offenders.push(format!("{} -> {}", arrow.from, arrow.to));
        }
    }
    none_of(&offenders, "an outside crate is wrapped in the room that owns it");
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    let mut offenders = Vec::new();
    for package in packages() {
        let manifest = std::fs::read_to_string(text(&package, "manifest_path")).expect("readable");
        if !manifest.contains("\n[lints]\nworkspace = true\n") {
            offenders.push(text(&package, "name").to_owned());
        }
    }
    none_of(&offenders, "a manifest says `[lints]` `workspace = true`");
}

#[test]
fn no_crate_has_clippy_settings_of_its_own() {
    // They would replace those of the top folder, not add to them.
    let texts = workspace::texts();
    let settings = texts.iter().filter(|text| text.path.ends_with("clippy.toml"));
    let paths: Vec<_> = settings.map(|text| text.path.as_str()).collect();
    assert_eq!(paths, ["clippy.toml"]);
}

#[test]
fn every_library_opens_by_saying_what_it_is() {
    let texts = workspace::texts();
    let libraries = texts.iter().filter(|text| text.path.ends_with("/src/lib.rs"));
    let silent = libraries.filter(|text| {
        !text.content.starts_with("//! ") || text.content.starts_with("//! Placeholder")
    });
    none_of(
        &silent.map(|text| text.path.clone()).collect::<Vec<_>>(),
        "lib.rs begins with its docs",
    );
}

#[test]
fn the_table_in_architecture_md_names_every_crate() {
    let page = std::fs::read_to_string(workspace::root().join("ARCHITECTURE.md"))
        .expect("ARCHITECTURE.md is readable");
    let rows: Vec<_> = page.lines().filter(|line| line.starts_with('|')).collect();
    let named = |room: &&Room| rows.iter().any(|row| row.contains(&format!("`{}`", room.name)));
    let unnamed: Vec<_> =
        ROOMS.iter().filter(|room| !named(room)).map(|room| room.name.to_owned()).collect();
    none_of(&unnamed, "a row of the table in ARCHITECTURE.md names each crate");
}
