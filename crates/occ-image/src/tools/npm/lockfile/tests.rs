//! Picking packages, from locks of our own and beside the real npm.

use std::fs;
use std::path::Path;
use std::process::Command;

use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::tools::npm::needs::NODE;

/// Returns a lock of the given packages, of a project that asks for `a`.
fn lock(mut packages: Value) -> Lockfile {
    packages[""] = json!({ "dependencies": { "a": "*" } });
    Lockfile::parse(&json!({ "lockfileVersion": 3, "packages": packages }).to_string(), "a")
        .unwrap()
}

fn picked(packages: Value, architecture: Architecture) -> Option<Vec<String>> {
    let lock = lock(packages);
    let picked = lock.pick(architecture, &NODE)?;
    let short = |path: &&str| path.replace("node_modules/", "");
    Some(picked.iter().map(short).collect())
}

fn on_amd64(packages: Value) -> Vec<String> {
    picked(packages, Architecture::Amd64).unwrap()
}

#[test]
fn platforms_are_picked_by_system_processor_and_library() {
    let packages = || {
        json!({
            "node_modules/a": { "optionalDependencies": {
                "x64": "*", "arm": "*", "musl": "*", "mac": "*", "not-mac": "*", "any": "*", "wasm": "*",
            } },
            "node_modules/x64": { "os": ["linux"], "cpu": ["x64"], "libc": ["glibc"], "optional": true },
            "node_modules/arm": { "os": ["linux"], "cpu": ["arm64"], "libc": "glibc", "optional": true },
            "node_modules/musl": { "os": ["linux"], "cpu": ["x64", "arm64"], "libc": ["musl"] },
            "node_modules/mac": { "os": ["darwin"] },
            "node_modules/not-mac": { "os": ["!darwin"], "cpu": ["!ia32", "!arm"] },
            "node_modules/any": { "cpu": ["any"] },
            "node_modules/wasm": { "cpu": ["wasm32"] },
        })
    };
    assert_eq!(on_amd64(packages()), ["a", "any", "not-mac", "x64"]);
    assert_eq!(picked(packages(), Architecture::Arm64).unwrap(), ["a", "any", "arm", "not-mac"]);
}

#[test]
fn what_only_a_left_out_package_needs_is_left_out() {
    let packages = json!({
        "node_modules/a": { "optionalDependencies": { "wrapper": "*" }, "dependencies": { "both": "*" } },
        "node_modules/wrapper": { "dependencies": { "mac": "*", "both": "*" }, "optional": true },
        "node_modules/mac": { "os": ["darwin"], "dependencies": { "alone": "*" }, "optional": true },
        "node_modules/alone": { "dependencies": { "circle": "*" }, "optional": true },
        "node_modules/circle": { "dependencies": { "alone": "*" }, "optional": true },
        "node_modules/both": {},
        "node_modules/dev": { "dev": true },
    });
    assert_eq!(on_amd64(packages), ["a", "both"]);
}

#[test]
fn a_need_for_another_platform_leaves_nothing_to_pick() {
    let packages = json!({
        "node_modules/a": { "dependencies": { "b": "*" } },
        "node_modules/b": { "peerDependencies": { "c": "*" } },
        "node_modules/c": { "cpu": ["x64"] },
    });
    assert_eq!(on_amd64(packages.clone()), ["a", "b", "c"]);
    assert_eq!(picked(packages, Architecture::Arm64), None);
}

#[test]
fn peers_come_along_unless_they_are_optional_and_nobody_brings_them() {
    let packages = json!({
        "node_modules/a": {
            "peerDependencies": { "peer": "*", "maybe": "*", "brought": "*" },
            "peerDependenciesMeta": { "maybe": { "optional": true }, "brought": { "optional": true } },
            "dependencies": { "b": "*" },
        },
        "node_modules/b": { "dependencies": { "brought": "*" } },
        "node_modules/brought": {},
        "node_modules/peer": { "peer": true },
    });
    assert_eq!(on_amd64(packages), ["a", "b", "brought", "peer"]);
}

#[test]
fn engines_count_for_optional_packages_only() {
    let packages = json!({
        "node_modules/a": { "dependencies": { "new": "*" }, "optionalDependencies": { "newer": "*", "old": "*" } },
        "node_modules/new": { "engines": { "node": ">=999" } },
        "node_modules/newer": { "engines": { "node": ">=999" }, "optional": true },
        "node_modules/old": { "engines": ["node >= 0.4"], "optional": true },
    });
    assert_eq!(on_amd64(packages), ["a", "new", "old"]);
}

#[test]
fn the_nearest_package_of_a_name_is_the_one() {
    let packages = json!({
        "node_modules/a": { "dependencies": { "@s/b": "*", "c": "*" } },
        "node_modules/a/node_modules/@s/b": { "dependencies": { "c": "*" } },
        "node_modules/a/node_modules/c": {},
        "node_modules/@s/b": {},
        "node_modules/c": {},
    });
    assert_eq!(on_amd64(packages), ["a", "a/@s/b", "a/c"]);
}

#[test]
fn a_package_under_another_name_keeps_its_own() {
    let lock = lock(json!({
        "node_modules/a": {},
        "node_modules/old-width": { "name": "width" },
        "node_modules/a/node_modules/@s/b": {},
    }));
    let name = |path| lock.get(path).unwrap().name(path);
    assert_eq!(name("node_modules/old-width"), "width");
    assert_eq!(name("node_modules/a/node_modules/@s/b"), "@s/b");
}

#[test]
fn what_is_no_lock_is_no_answer() {
    for text in ["", "{}", "[]", "{\"packages\": {\"\": 1}}", "<html>"] {
        let parsed = Lockfile::parse(text, "a").map(|_| ());
        assert!(matches!(parsed, Err(BuildError::Answer { .. })), "{text:?}");
    }
}

#[test]
fn the_sandboxs_node_is_the_recipes() {
    let recipe = crate::recipe::Recipe::embedded().unwrap();
    let crate::recipe::Source::Npm { version, .. } = &recipe.tools["node"].source else { panic!() };
    assert!(engines::allows(version, &NODE), "{version} does not allow {NODE}");
}

fn any_lock() -> impl Strategy<Value = Value> {
    const NAMES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let names = || proptest::collection::vec(proptest::sample::select(&NAMES), 0..4);
    let cpu = proptest::option::of(prop_oneof![Just("x64"), Just("arm64"), Just("ia32")]);
    let package = (names(), names(), names(), cpu, any::<bool>()).prop_map(
        |(needed, optional, peers, cpu, is_optional)| {
            let map = |names: Vec<&'static str>| -> BTreeMap<_, _> {
                names.into_iter().map(|name| (name, "*")).collect()
            };
            let mut package = json!({
                "dependencies": map(needed), "optionalDependencies": map(optional),
                "peerDependencies": map(peers), "optional": is_optional,
            });
            if let Some(cpu) = cpu {
                package["cpu"] = json!([cpu]);
            }
            package
        },
    );
    proptest::collection::vec(package, NAMES.len()).prop_map(|packages| {
        let named = NAMES.into_iter().zip(packages);
        named.map(|(name, package)| (format!("node_modules/{name}"), package)).collect()
    })
}

proptest! {
    #[test]
    fn picked_packages_are_for_the_platform_and_have_what_they_need(packages in any_lock()) {
        let lock = lock(packages);
        if let Some(picked) = lock.pick(Architecture::Amd64, &NODE) {
            prop_assert!(picked.contains("node_modules/a"));
            for path in &picked {
                let package = lock.get(path).unwrap();
                prop_assert!(package.is_for(Architecture::Amd64));
                for edge in package.edges().filter(|edge| edge.needed) {
                    let found = lock.found(path, edge.name).unwrap();
                    prop_assert!(picked.contains(found), "{path} needs {found}");
                }
            }
        }
    }
}

fn npm(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("npm")
        .args(arguments)
        .args(["--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// npm refuses a lock in which an optional package is missing, be it that the registry does not have it.
fn without_lacking(lock: &Lockfile, text: &str) -> String {
    let mut trimmed: Value = serde_json::from_str(text).unwrap();
    for (path, package) in trimmed["packages"].as_object_mut().unwrap() {
        if let Some(optional) = package.get_mut("optionalDependencies") {
            let optional = optional.as_object_mut().unwrap();
            optional.retain(|name, _| lock.found(path, name).is_some());
        }
    }
    trimmed.to_string()
}

#[test]
fn the_real_npm_installs_just_what_is_picked() {
    let version = npm(Path::new("/"), &["--version"]);
    if Version::parse(version.trim()).unwrap() < Version::new(10, 4, 0) {
        // It cannot be asked about other platforms than its own.
        return;
    }
    let node: Value = serde_json::from_str(&npm(Path::new("/"), &["version", "--json"])).unwrap();
    let node = Version::parse(node["node"].as_str().unwrap()).unwrap();
    let folder = TempDir::new().unwrap();
    // Parts for platforms, engines, peers, other names, packages that a mirror lacks.
    let project =
        json!({ "dependencies": { "oh-my-opencode-slim": "*", "vitest": "5", "jest": "*" } });
    fs::write(folder.path().join("package.json"), project.to_string()).unwrap();
    npm(folder.path(), &["install", "--package-lock-only"]);
    let path = folder.path().join("package-lock.json");
    let text = fs::read_to_string(&path).unwrap();
    let lock = Lockfile::parse(&text, "a").unwrap();
    fs::write(&path, without_lacking(&lock, &text)).unwrap();
    for architecture in [Architecture::Amd64, Architecture::Arm64] {
        let cpu = format!("--cpu={}", cpu(architecture));
        let told = npm(folder.path(), &["ci", "--dry-run", "--os=linux", &cpu, "--libc=glibc"]);
        let mut installed: Vec<_> =
            told.lines().filter_map(|line| line.strip_prefix("add ")).collect();
        installed.sort_unstable();
        let picked = lock.pick(architecture, &node).unwrap();
        let described = |path: &str| {
            let (_, folder) = path.rsplit_once("node_modules/").unwrap();
            format!("{folder} {}", lock.get(path).unwrap().version.as_deref().unwrap())
        };
        let mut picked: Vec<_> = picked.into_iter().map(described).collect();
        picked.sort_unstable();
        assert!(picked.len() > 100);
        assert_eq!(picked, installed, "on {architecture}");
    }
}
