//! What a registry can say, or not say.

use occ_oci::{Platform, VerifyingError};
use serde_json::json;

use super::packed::tar_gz;
use super::registry::{Package, Registry, sha512};
use super::server::{Answer, Manner};
use super::shop::{Shop, plan, tool};
use crate::error::BuildError;
use crate::event::{Event, Part};
use crate::lock::ToolLock;
use crate::recipe::Tool;

const FILE: &str = "/tarballs/one-1.0.0.tgz";

fn one() -> Tool {
    tool("one", "source = \"npm\"\nfiles = { \"/usr/bin/one\" = \"x\" }")
}

fn package() -> Package {
    Package::new("one", "1.0.0").file("x", "x")
}

/// Returns a registry with one package, what is locked of it, and an empty workshop.
fn locked() -> (Registry, ToolLock, Shop) {
    let mut registry = Registry::new();
    registry.publish(&package());
    let lock = registry.shop().resolve(&one()).unwrap();
    let shop = registry.shop();
    (registry, lock, shop)
}

fn fetch(shop: &Shop, lock: &ToolLock) -> Result<(), BuildError> {
    shop.fetch(&plan(&one(), Some(lock), Platform::LinuxAmd64))
}

fn no_answer(result: Result<ToolLock, BuildError>) -> String {
    match result {
        Err(BuildError::Answer { name, registry: "npm", reason }) => format!("{name}: {reason}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_page_in_place_of_an_answer_is_told() {
    let mut registry = Registry::new();
    registry.server.set("/one", Answer::html());
    assert!(no_answer(registry.shop().resolve(&one())).starts_with("one: "));
    let tree = tool("one", "source = \"npm\"\ncommands = [\"one\"]");
    assert!(no_answer(registry.shop().resolve(&tree)).starts_with("one: "));
    registry.publish(&package());
    registry.server.set(FILE, Answer::html());
    assert!(no_answer(registry.shop().resolve(&one())).starts_with("one@1.0.0: "));
}

#[test]
fn a_file_that_breaks_off_is_no_answer() {
    let mut registry = Registry::new();
    registry.publish(&package());
    let half = Answer::ok(tar_gz(&[("package/x", &[7; 9999])])).manner(Manner::Half);
    registry.server.set(FILE, half);
    let broken = registry.shop().resolve(&one());
    assert!(broken.is_err(), "{broken:?}");
}

#[test]
fn a_file_that_is_not_what_the_registry_promises_is_refused() {
    let mut registry = Registry::new();
    registry.publish_with_digest_of(&package(), b"something else");
    let shop = registry.shop();
    assert!(no_answer(shop.resolve(&one())).starts_with("one@1.0.0: "));
}

#[test]
fn a_version_that_is_something_else_than_it_was_is_refused() {
    let (mut registry, lock, shop) = locked();
    let other = package().file("y", "changed afterwards");
    registry.publish(&other);
    let mut kept = registry.shop();
    kept.keep(lock.clone());
    for result in [fetch(&shop, &lock), kept.resolve(&one()).map(|_| ())] {
        match result {
            Err(BuildError::FileMismatch {
                name,
                source: VerifyingError::Digest { expected, got },
            }) => {
                assert_eq!((name.as_str(), &expected), ("one@1.0.0", &lock.packages[0].digest));
                assert_ne!(got, expected);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_size_that_is_not_the_locked_one_is_refused() {
    let (_registry, mut lock, shop) = locked();
    lock.packages[0].size += 1;
    let result = fetch(&shop, &lock);
    assert!(matches!(result, Err(BuildError::FileMismatch { .. })), "{result:?}");
}

#[test]
fn a_registry_that_fails_or_is_not_there_is_not_one_without_the_package() {
    let (registry, lock, mut shop) = locked();
    registry.server.set("/one", Answer::status(500));
    registry.server.set(FILE, Answer::status(500));
    let failed = |result: Result<(), BuildError>| match result {
        Err(BuildError::ProgramFailed { tail, .. }) => tail.join("\n"),
        other => panic!("{other:?}"),
    };
    assert!(failed(fetch(&shop, &lock)).contains("500"));
    drop(registry);
    shop.kept = None;
    assert!(failed(shop.resolve(&one()).map(|_| ())).contains("ECONNREFUSED"));
}

#[test]
fn a_registry_that_says_nothing_is_given_up() {
    let registry = Registry::new();
    registry.server.set("/one", Answer::ok("").manner(Manner::Silence));
    let mut shop = registry.shop();
    shop.set("npm_config_fetch_timeout", 500);
    let result = shop.resolve(&one());
    assert!(result.is_err(), "{result:?}");
}

#[test]
fn a_slow_registry_is_good_enough() {
    let (registry, lock, shop) = locked();
    let file = registry.shop();
    file.resolve(&one()).unwrap();
    let path = file.with(|cache| Ok(cache.file_path(&lock.packages[0].digest))).unwrap();
    registry.server.set(FILE, Answer::ok(std::fs::read(path).unwrap()).manner(Manner::Slowly));
    fetch(&shop, &lock).unwrap();
}

#[test]
fn a_damaged_file_in_the_cache_is_fetched_again() {
    let (_registry, lock, shop) = locked();
    fetch(&shop, &lock).unwrap();
    let digest = &lock.packages[0].digest;
    let path = shop.with(|cache| Ok(cache.file_path(digest))).unwrap();
    std::fs::write(&path, "damaged").unwrap();
    fetch(&shop, &lock).unwrap();
    assert_eq!(sha512(&std::fs::read(&path).unwrap()), *digest);
    assert!(shop.news().contains(&Event::DamagedFile(digest.clone())));
}

#[test]
fn the_users_own_configuration_applies() {
    let registry = Registry::new();
    let mut scoped = Registry::new();
    let name = "@company/one";
    scoped.publish(&Package::new(name, "1.0.0").file("x", "x"));
    let shop = registry.shop();
    let host = scoped.server.url("/").replace("http:", "");
    let npmrc = format!("@company:registry={}\n{host}:_authToken=s3cret\n", scoped.server.url("/"));
    std::fs::write(shop.folder.path().join("npmrc"), npmrc).unwrap();
    let one = tool(
        "one",
        &format!("source = \"npm\"\npackage = \"{name}\"\nfiles = {{ \"/bin/x\" = \"x\" }}"),
    );
    shop.resolve(&one).unwrap();
    assert!(registry.server.requests().is_empty());
    let authorized = |header: &String| header == "authorization: bearer s3cret";
    let requests = scoped.server.requests();
    assert!(requests.iter().any(|request| request.path.starts_with("/tarballs/")));
    assert!(requests.iter().all(|request| request.headers.iter().any(authorized)));
}

#[test]
fn settings_for_the_users_own_projects_do_not_change_what_is_locked() {
    let mut registry = Registry::new();
    registry.publish(&Package::new("peer", "1.0.0"));
    registry.publish(&package().with(json!({
        "bin": "x",
        "peerDependencies": { "peer": "*" },
        "engines": { "node": ">=999" },
    })));
    let shop = registry.shop();
    let npmrc = "omit=peer\nlegacy-peer-deps=true\nengine-strict=true\npackage-lock=false\n\
                 lockfile-version=1\nignore-scripts=false\nglobal=true\njson=false\n\
                 install-strategy=nested\nomit-lockfile-registry-resolved=true\nworkspaces=true\n";
    std::fs::write(shop.folder.path().join("npmrc"), npmrc).unwrap();
    let lock = shop.resolve(&tool("one", "source = \"npm\"\ncommands = [\"one\"]")).unwrap();
    let names: Vec<_> = lock.packages.iter().map(|pin| pin.name.as_str()).collect();
    assert_eq!(names, ["one", "peer"]);
}

#[test]
fn of_many_packages_the_one_that_is_missing_is_named() {
    let mut registry = Registry::new();
    let needs: serde_json::Map<_, _> =
        (0..9).map(|number| (format!("need-{number}"), "*".into())).collect();
    let paths: Vec<_> =
        needs.keys().map(|name| registry.publish(&Package::new(name, "1.0.0"))).collect();
    registry.publish(&package().with(json!({ "bin": "x", "dependencies": needs })));
    let tree = tool("one", "source = \"npm\"\ncommands = [\"one\"]");
    let lock = registry.shop().resolve(&tree).unwrap();
    let shop = registry.shop();
    registry.server.remove(&paths[6]);
    let plan = plan(&tree, Some(&lock), Platform::LinuxAmd64);
    match shop.fetch(&plan) {
        Err(BuildError::NotAvailable { name, registry: "npm" }) => assert_eq!(name, "need-6@1.0.0"),
        other => panic!("{other:?}"),
    }
    registry.publish(&Package::new("need-6", "1.0.0"));
    shop.fetch(&plan).unwrap();
    let part = Part::Packages("npm");
    let all = Event::Count { part, done: 10, total: 10 };
    assert!(shop.news().contains(&all), "{:?}", shop.news());
}

#[test]
fn a_need_that_nobody_has_is_in_the_error() {
    let mut registry = Registry::new();
    registry.publish(&package().with(json!({ "bin": "x", "dependencies": { "nowhere": "7" } })));
    let tree = tool("one", "source = \"npm\"\ncommands = [\"one\"]");
    match registry.shop().resolve(&tree) {
        Err(BuildError::NotAvailable { name, .. }) => {
            assert!(
                name.starts_with("one with all it needs") && name.contains("nowhere"),
                "{name}"
            );
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn without_npm_its_package_is_named() {
    let registry = Registry::new();
    let mut shop = registry.shop();
    shop.workshop.programs.npm = "/nowhere/npm".into();
    match shop.resolve(&one()) {
        Err(BuildError::MissingProgram { name, package: "npm" }) => {
            assert_eq!(name, "/nowhere/npm");
        }
        other => panic!("{other:?}"),
    }
}
