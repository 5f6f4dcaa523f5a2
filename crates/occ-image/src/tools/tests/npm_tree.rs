//! Tools that are an npm package with everything it needs.

use std::collections::BTreeMap;

use occ_layer::tree::{Entry, Kind};
use occ_oci::Platform;
use serde_json::{Value, json};

use super::packed::elf;
use super::registry::{Package, Registry};
use super::shop::{Shop, bytes, plan, tool};
use crate::error::BuildError;
use crate::event::Event;
use crate::recipe::{Architecture, Tool};

pub(super) const HOME: &str = "usr/local/lib/opencode-cloud/one/node_modules";

pub(super) fn one() -> Tool {
    tool("one", "source = \"npm\"\ncommands = [\"one\"]")
}

/// The tool's own package, with a command.
pub(super) fn own(fields: Value) -> Package {
    let bin = json!({ "bin": { "one": "./bin/one.js", "other": "other.js" } });
    let package = Package::new("one", "1.0.0").with(bin).with(fields);
    package.file("bin/one.js", "#!/usr/bin/env node\n").file("other.js", "")
}

pub(super) fn for_platform(name: &str, cpu: &str) -> Package {
    Package::new(name, "1.0.0").with(json!({ "os": ["linux"], "cpu": [cpu] }))
}

pub(super) fn entries(
    shop: &Shop,
    platform: Platform,
) -> Result<BTreeMap<String, Entry>, BuildError> {
    let lock = shop.resolve(&one())?;
    shop.entries(&plan(&one(), Some(&lock), platform))
}

fn symlink(entry: &Entry) -> &str {
    match &entry.kind {
        Kind::Symlink(target) => target,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_package_is_laid_out_with_all_it_needs() {
    let mut registry = Registry::new();
    registry.publish(&Package::new("deep", "1.0.0").file("old", "1"));
    registry.publish(&Package::new("deep", "2.0.0").file("new", "2"));
    let beside = Package::new("@scope/beside", "3.0.0").root("odd");
    let beside = beside.with(json!({ "dependencies": { "deep": "^1.0.0" } })).file("run*", "x");
    registry.publish(&beside);
    registry.publish(&for_platform("native-x64", "x64").file("native.node", elf(62)));
    registry.publish(&for_platform("native-arm64", "arm64").file("native.node", elf(183)));
    let windows = json!({ "os": ["win32"], "dependencies": { "only-there": "*" } });
    registry.publish(&Package::new("for-windows", "1.0.0").with(windows));
    registry.publish(&Package::new("only-there", "1.0.0"));
    registry.publish(&own(json!({
        "dependencies": { "@scope/beside": "*", "deep": "2" },
        "optionalDependencies": { "native-x64": "*", "native-arm64": "*", "for-windows": "*" },
        "devDependencies": { "not-there-at-all": "1" },
    })));
    let shop = registry.shop();
    let lock = shop.resolve(&one()).unwrap();
    let pins: Vec<_> = lock
        .packages
        .iter()
        .map(|pin| (pin.spec(), pin.architecture, pin.path.as_deref().unwrap()))
        .collect();
    let expected = [
        ("one@1.0.0", None, "node_modules/one"),
        ("@scope/beside@3.0.0", None, "node_modules/@scope/beside"),
        ("deep@1.0.0", None, "node_modules/@scope/beside/node_modules/deep"),
        ("deep@2.0.0", None, "node_modules/deep"),
        ("native-arm64@1.0.0", Some(Architecture::Arm64), "node_modules/native-arm64"),
        ("native-x64@1.0.0", Some(Architecture::Amd64), "node_modules/native-x64"),
    ];
    assert_eq!(pins, expected.map(|(spec, on, path)| (spec.to_owned(), on, path)));

    let entries = shop.entries(&plan(&one(), Some(&lock), Platform::LinuxArm64)).unwrap();
    let files: Vec<&str> = entries
        .iter()
        .filter(|(_, entry)| matches!(entry.kind, Kind::File(_)))
        .map(|(path, _)| path.strip_prefix(HOME).unwrap())
        .collect();
    let expected = [
        "/@scope/beside/node_modules/deep/old",
        "/@scope/beside/node_modules/deep/package.json",
        "/@scope/beside/package.json",
        "/@scope/beside/run",
        "/deep/new",
        "/deep/package.json",
        "/native-arm64/native.node",
        "/native-arm64/package.json",
        "/one/bin/one.js",
        "/one/other.js",
        "/one/package.json",
    ];
    assert_eq!(files, expected);
    let command = &entries["usr/local/bin/one"];
    assert_eq!(symlink(command), "../lib/opencode-cloud/one/node_modules/one/bin/one.js");
    assert!(!entries.contains_key("usr/local/bin/other"));
    let mode = |path: &str| entries[&format!("{HOME}/{path}")].mode;
    assert_eq!(mode("one/bin/one.js"), 0o755);
    assert_eq!(mode("one/other.js"), 0o755);
    assert_eq!(mode("@scope/beside/run"), 0o755);
    assert_eq!(mode("deep/new"), 0o644);
    assert_eq!(bytes(&entries[&format!("{HOME}/deep/new")].kind), b"2");
    assert!(entries.values().all(|entry| (entry.uid, entry.gid) == (0, 0)));
}

#[test]
fn links_that_a_reviewed_script_would_make_are_made() {
    let mut registry = Registry::new();
    for (cpu, machine) in [("x64", 62), ("arm64", 183)] {
        let package = for_platform(&format!("@ast-grep/cli-linux-{cpu}-gnu"), cpu);
        registry.publish(&package.file("ast-grep", elf(machine)));
    }
    let shims = Package::new("@ast-grep/cli", "1.0.0").file("sg", "shim").file("ast-grep", "shim");
    registry.publish(&shims.with(json!({
        "scripts": { "postinstall": "node postinstall.js" },
        "bin": { "sg": "sg", "ast-grep": "ast-grep" },
        "optionalDependencies":
            { "@ast-grep/cli-linux-x64-gnu": "*", "@ast-grep/cli-linux-arm64-gnu": "*" },
    })));
    registry.publish(&own(json!({ "dependencies": { "@ast-grep/cli": "*" } })));
    let entries = entries(&registry.shop(), Platform::LinuxArm64).unwrap();
    let link = &entries[&format!("{HOME}/@ast-grep/cli/sg")];
    assert_eq!(symlink(link), "../cli-linux-arm64-gnu/ast-grep");
    assert_eq!(entries[&format!("{HOME}/@ast-grep/cli-linux-arm64-gnu/ast-grep")].mode, 0o755);
    assert!(!entries.contains_key(&format!("{HOME}/@ast-grep/cli-linux-x64-gnu")));
}

#[test]
fn machine_code_for_other_machines_is_left_out_and_counted() {
    let mut registry = Registry::new();
    let prebuilds = own(json!({}))
        .file("prebuilds/linux-x64.node", elf(62))
        .file("prebuilds/linux-arm64.node", elf(183))
        .file("prebuilds/linux-riscv64.node", elf(243))
        .file("prebuilds/darwin.node", *b"\xcf\xfa\xed\xfe\x0c\0\0\x01")
        .file("prebuilds/README", "for six platforms");
    registry.publish(&prebuilds);
    let shop = registry.shop();
    let entries = entries(&shop, Platform::LinuxAmd64).unwrap();
    let kept: Vec<_> = entries.keys().filter(|path| path.contains("prebuilds/")).collect();
    let home = format!("{HOME}/one/prebuilds");
    assert_eq!(kept, [&format!("{home}/README"), &format!("{home}/linux-x64.node")]);
    let told = |event: &Event| matches!(event, Event::Doing { what, .. } if what == "left out 3 files for other machines");
    assert!(shop.news().iter().any(told), "{:?}", shop.news());
}

#[test]
fn an_optional_part_that_the_registry_lacks_is_told() {
    let mut registry = Registry::new();
    registry.publish(&for_platform("native-linux-x64", "x64"));
    let parts = ["linux-x64", "linux-arm64", "linux-arm64-musl", "darwin-arm64", "linux-charm64"];
    let optional: BTreeMap<_, _> =
        parts.iter().map(|part| (format!("native-{part}"), "1.0.0")).collect();
    registry.publish(&own(json!({ "optionalDependencies": optional })));
    let shop = registry.shop();
    shop.resolve(&one()).unwrap();
    let lacking: Vec<_> =
        shop.news().into_iter().filter(|event| matches!(event, Event::Lacking { .. })).collect();
    let (tool, package) = ("one".to_owned(), "native-linux-arm64@1.0.0".to_owned());
    assert_eq!(lacking, [Event::Lacking { tool, package, architecture: Architecture::Arm64 }]);
}

#[test]
fn a_locked_tree_stays_for_as_long_as_all_of_it_is_to_be_had() {
    let mut registry = Registry::new();
    let path = registry.publish(&Package::new("two", "1.0.0"));
    registry.publish(&own(json!({ "dependencies": { "two": "*" } })));
    let first = registry.shop().resolve(&one()).unwrap();
    registry.publish(&Package::new("two", "1.1.0"));
    registry.publish(&own(json!({ "version": "1.2.0" })));
    // Its cache is empty: everything is fetched again.
    let mut shop = registry.shop();
    shop.keep(first.clone());
    assert_eq!(shop.resolve(&one()).unwrap(), first);
    registry.server.remove(&path);
    let mut shop = registry.shop();
    shop.keep(first.clone());
    assert_eq!(shop.resolve(&one()).unwrap().version(Architecture::Amd64), Some("1.2.0"));
    // A tool that was files and is a tree now is locked anew.
    let mut shop = registry.shop();
    let mut files = first;
    files.packages.iter_mut().for_each(|pin| pin.path = None);
    shop.keep(files);
    assert_eq!(shop.resolve(&one()).unwrap().version(Architecture::Amd64), Some("1.2.0"));
}
