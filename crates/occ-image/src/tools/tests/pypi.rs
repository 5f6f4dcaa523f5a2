//! Tools from PyPI, with an index of our own.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;

use occ_oci::{Digest, Platform};

use super::packed::{elf, noise, zip};
use super::server::{Answer, Manner, Server};
use super::shop::{Shop, bytes, plan, tool};
use crate::error::BuildError;
use crate::lock::ToolLock;
use crate::recipe::{Architecture, Tool};
use crate::resolve::Upgrade;

const AMD64: &str = "manylinux_2_17_x86_64.manylinux2014_x86_64";
const ARM64: &str = "manylinux_2_28_aarch64";

fn one() -> Tool {
    tool(
        "one",
        "source = \"pypi\"\nfiles = { \"/usr/local/bin/one\" = \"one-{version}.data/scripts/one\" }",
    )
}

/// An index of one project (PEP 503).
struct Index {
    server: Server,
    links: BTreeMap<String, String>,
}

impl Index {
    fn new() -> Self {
        Self { server: Server::new(), links: BTreeMap::new() }
    }

    fn shop(&self) -> Shop {
        let mut shop = Shop::new();
        shop.set("PIP_INDEX_URL", self.server.url("/simple"));
        shop.set("PIP_CONFIG_FILE", "/dev/null");
        shop.set("PIP_FIND_LINKS", "");
        shop.set("PIP_RETRIES", 0);
        shop.set("PIP_DEFAULT_TIMEOUT", 2);
        shop
    }

    /// Adds a wheel; `hash` is what the index says of it, by itself the truth.
    fn add(&mut self, file: &str, wheel: &[u8], hash: Option<Digest>) -> String {
        let path = format!("/files/{file}");
        let hash = hash.unwrap_or_else(|| Digest::sha256(wheel));
        let link = format!("<a href=\"{path}#sha256={}\">{file}</a>", hash.hex());
        self.server.set(&path, Answer::ok(wheel));
        self.links.insert(file.to_owned(), link);
        self.list();
        path
    }

    fn list(&self) {
        let page: String = self.links.values().cloned().collect();
        let page = Answer { kind: "text/html", ..Answer::ok(format!("<!DOCTYPE html>{page}")) };
        self.server.set("/simple/one/", page);
    }

    /// Adds a version for some platforms, with programs for their processors.
    fn publish(&mut self, version: &str, tags: &[&str]) {
        for tag in tags {
            let machine = if tag.ends_with("x86_64") { 62 } else { 183 };
            self.add(&name(version, tag), &wheel(version, &elf(machine)), None);
        }
    }
}

fn name(version: &str, tag: &str) -> String {
    format!("one-{version}-py3-none-{tag}.whl")
}

/// A wheel with one program (PEP 427).
fn wheel(version: &str, program: &[u8]) -> Vec<u8> {
    let metadata = format!("Metadata-Version: 2.1\nName: one\nVersion: {version}\nLicense: MIT\n");
    let info = |file: &str| format!("one-{version}.dist-info/{file}");
    zip(&[
        (&format!("one-{version}.data/scripts/one"), program),
        (&info("METADATA"), metadata.as_bytes()),
        (&info("WHEEL"), b"Wheel-Version: 1.0\nGenerator: us\nRoot-Is-Purelib: false\n"),
        (&info("RECORD"), b""),
    ])
}

fn versions(lock: &ToolLock) -> [Option<&str>; 2] {
    [lock.version(Architecture::Amd64), lock.version(Architecture::Arm64)]
}

#[test]
fn both_architectures_get_the_newest_version_that_both_have() {
    let mut index = Index::new();
    index.publish("1.0.0", &[AMD64, ARM64]);
    index.publish("1.10.0", &[AMD64, ARM64]);
    index.publish("1.9.0", &[AMD64, ARM64]);
    let lock = index.shop().resolve(&one()).unwrap();
    assert_eq!(versions(&lock), [Some("1.10.0"); 2]);
    let pin = &lock.packages[0];
    assert_eq!(pin.file.as_deref(), Some(name("1.10.0", AMD64).as_str()));
    assert_eq!(pin.digest, Digest::sha256(&wheel("1.10.0", &elf(62))));
    assert_eq!(pin.size, wheel("1.10.0", &elf(62)).len() as u64);
    assert_eq!(pin.license.as_deref(), Some("MIT"));

    index.publish("2.0.0", &[AMD64]);
    assert_eq!(versions(&index.shop().resolve(&one()).unwrap()), [Some("1.10.0"); 2]);
    index.publish("3.0.0", &[AMD64, ARM64]);
    index.publish("4.0.0", &[ARM64]);
    assert_eq!(versions(&index.shop().resolve(&one()).unwrap()), [Some("3.0.0"); 2]);
}

#[test]
fn a_wheel_is_fetched_and_its_program_laid_out() {
    let mut index = Index::new();
    index.publish("1.0.0", &[AMD64, ARM64]);
    let lock = index.shop().resolve(&one()).unwrap();
    for (platform, machine) in [(Platform::LinuxAmd64, 62), (Platform::LinuxArm64, 183)] {
        let entries = index.shop().entries(&plan(&one(), Some(&lock), platform)).unwrap();
        let program = &entries["usr/local/bin/one"];
        assert_eq!((program.mode, bytes(&program.kind)), (0o755, elf(machine)));
    }
}

#[test]
fn what_is_locked_stays_until_it_may_move_or_must() {
    let mut index = Index::new();
    index.publish("1.0.0", &[AMD64, ARM64]);
    let mut shop = index.shop();
    let lock = shop.resolve(&one()).unwrap();
    index.publish("1.1.0", &[AMD64, ARM64]);
    shop.keep(lock.clone());
    assert_eq!(shop.resolve(&one()).unwrap(), lock);
    shop.upgrade = Upgrade::All;
    assert_eq!(versions(&shop.resolve(&one()).unwrap()), [Some("1.1.0"); 2]);
    let mut exact = one();
    exact.source = crate::recipe::Source::Pypi { package: "one".into(), version: "1.1.0".into() };
    shop.upgrade = Upgrade::Needed;
    assert_eq!(versions(&shop.resolve(&exact).unwrap()), [Some("1.1.0"); 2]);
    // It is no longer to be had.
    index.links.retain(|file, _| !file.contains("1.0.0"));
    index.list();
    let mut elsewhere = index.shop();
    elsewhere.keep(lock);
    assert_eq!(versions(&elsewhere.resolve(&one()).unwrap()), [Some("1.1.0"); 2]);
}

fn not_available<T: std::fmt::Debug>(result: Result<T, BuildError>) -> String {
    match result {
        Err(BuildError::NotAvailable { name, registry: "PyPI" }) => name,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_not_there_is_named_with_its_architecture() {
    let mut index = Index::new();
    assert_eq!(not_available(index.shop().resolve(&one())), "one for amd64");
    index.publish("1.0.0", &[AMD64, "macosx_11_0_arm64", "musllinux_1_2_aarch64"]);
    assert_eq!(not_available(index.shop().resolve(&one())), "one for arm64");
    index.publish("1.0.0", &[ARM64]);
    let lock = index.shop().resolve(&one()).unwrap();
    // Another build of the same version has another name.
    index.links.clear();
    index.add("one-1.0.0-2-py3-none-manylinux2014_x86_64.whl", &wheel("1.0.0", b""), None);
    let fetched = index.shop().fetch(&plan(&one(), Some(&lock), Platform::LinuxAmd64));
    assert_eq!(not_available(fetched), format!("{} for amd64", name("1.0.0", AMD64)));
}

#[test]
fn a_project_that_is_only_source_is_not_run() {
    let mut index = Index::new();
    index.add("one-1.0.0.tar.gz", b"no archive", None);
    assert_eq!(not_available(index.shop().resolve(&one())), "one for amd64");
}

#[test]
fn a_wheel_that_is_something_else_than_it_was_is_refused() {
    let mut index = Index::new();
    index.publish("1.0.0", &[AMD64, ARM64]);
    let lock = index.shop().resolve(&one()).unwrap();
    index.add(&name("1.0.0", AMD64), &wheel("1.0.0", b"changed"), None);
    match index.shop().fetch(&plan(&one(), Some(&lock), Platform::LinuxAmd64)) {
        Err(BuildError::FileMismatch { name, .. }) => assert_eq!(name, "one@1.0.0"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_wheel_that_is_not_what_the_index_promises_is_refused() {
    let mut index = Index::new();
    let other = Some(Digest::sha256(b"other"));
    index.add(&name("1.0.0", AMD64), &wheel("1.0.0", b""), other);
    match index.shop().resolve(&one()) {
        Err(BuildError::ProgramFailed { tail, .. }) => {
            assert!(tail.iter().any(|line| line.contains("HASHES")), "{tail:?}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_index_that_fails_or_is_silent_or_gone_is_not_one_without_the_project() {
    let index = Index::new();
    let shop = index.shop();
    let failed = |result: Result<ToolLock, BuildError>| match result {
        Err(BuildError::ProgramFailed { tail, .. }) => tail.join("\n"),
        other => panic!("{other:?}"),
    };
    index.server.set("/simple/one/", Answer::status(503));
    assert!(failed(shop.resolve(&one())).contains("503"));
    index.server.set("/simple/one/", Answer::ok("").manner(Manner::Silence));
    assert!(failed(shop.resolve(&one())).contains("timed out"));
    drop(index);
    assert!(failed(shop.resolve(&one())).contains("Connection refused"));
}

#[test]
fn a_page_in_place_of_an_index_has_no_wheels() {
    let index = Index::new();
    index.server.set("/simple/one/", Answer::html());
    assert_eq!(not_available(index.shop().resolve(&one())), "one for amd64");
}

#[test]
fn a_program_that_is_not_in_the_wheel_is_named() {
    let mut index = Index::new();
    index.publish("1.0.0", &[AMD64, ARM64]);
    let shop = index.shop();
    let lock = shop.resolve(&one()).unwrap();
    let mut plan = plan(&one(), Some(&lock), Platform::LinuxAmd64);
    plan.tool.files =
        [("/usr/local/bin/one".to_owned(), "one-{version}.data/one".to_owned())].into();
    match shop.entries(&plan) {
        Err(BuildError::Incomplete { whole, part }) => {
            assert_eq!((whole.as_str(), part.as_str()), ("one@1.0.0", "one-1.0.0.data/one"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn without_python_or_pip_the_debian_package_is_named() {
    let index = Index::new();
    let mut shop = index.shop();
    let missing = |shop: &Shop| match shop.resolve(&one()) {
        Err(BuildError::MissingProgram { package, .. }) => package,
        other => panic!("{other:?}"),
    };
    shop.workshop.programs.python = "/nowhere/python3".into();
    assert_eq!(missing(&shop), "python3");
    let python = shop.folder.path().join("python3");
    std::fs::write(&python, "#!/bin/sh\necho 'No module named pip' >&2\nexit 1\n").unwrap();
    std::fs::set_permissions(&python, std::fs::Permissions::from_mode(0o755)).unwrap();
    shop.workshop.programs.python = python;
    assert_eq!(missing(&shop), "python3-pip");
}

#[test]
fn a_full_disk_is_told_from_an_index_that_fails() {
    let mut index = Index::new();
    for tag in [AMD64, ARM64] {
        index.add(&name("1.0.0", tag), &wheel("1.0.0", &noise(6 << 20)), None);
    }
    let lock = index.shop().resolve(&one()).unwrap();
    let shop = index.shop();
    let _disk = shop.on_small_disk("4m");
    shop.assert_full(shop.fetch(&plan(&one(), Some(&lock), Platform::LinuxAmd64)));
    shop.assert_full(shop.resolve(&one()).map(|_| ()));
}
