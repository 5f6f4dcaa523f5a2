//! Tools from crates.io, with the real registry and a small crate.

use occ_oci::{Digest, Platform};

use super::server::{Answer, Manner, Server};
use super::shop::{Shop, bytes, plan, tool};
use crate::error::BuildError;
use crate::recipe::{Architecture, Tool};

fn diceware(version: &str) -> Tool {
    let files = "files = { \"/usr/local/bin/diceware\" = \"bin/diceware\" }";
    tool("diceware", &format!("source = \"crates\"\nversion = \"{version}\"\n{files}"))
}

const HERE: Platform =
    if cfg!(target_arch = "x86_64") { Platform::LinuxAmd64 } else { Platform::LinuxArm64 };

#[test]
fn a_crate_is_compiled_from_what_its_own_lock_names() {
    let mut shop = Shop::new();
    let tool = diceware("");
    let lock = shop.resolve(&tool).unwrap();
    assert_eq!(lock.packages[0].name, "diceware");
    assert!(lock.packages.iter().any(|pin| pin.name == "byteorder"), "{lock:?}");
    assert!(lock.packages.iter().all(|pin| pin.size > 0 && pin.architecture.is_none()));
    shop.keep(lock.clone());
    assert_eq!(shop.resolve(&tool).unwrap(), lock);

    let entries = shop.entries(&plan(&tool, Some(&lock), HERE)).unwrap();
    let program = &entries["usr/local/bin/diceware"];
    let contents = bytes(&program.kind);
    assert_eq!(program.mode, 0o755);
    let folder = shop.workshop.cache_dir.display().to_string();
    let names_folder = contents.windows(folder.len()).any(|it| it == folder.as_bytes());
    assert!(!names_folder, "the program has a path of this machine");
}

#[test]
fn a_crate_that_is_something_else_than_it_was_is_refused() {
    let shop = Shop::new();
    let tool = diceware("0.5.10");
    let mut lock = shop.resolve(&tool).unwrap();
    assert_eq!(lock.version(Architecture::Arm64), Some("0.5.10"));
    lock.packages[0].digest = Digest::sha256(b"other");
    match shop.fetch(&plan(&tool, Some(&lock), HERE)) {
        Err(BuildError::FileMismatch { name, .. }) => assert_eq!(name, "diceware@0.5.10"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_not_there_or_no_name_is_told() {
    let shop = Shop::new();
    let resolve = |tool: &Tool| shop.resolve(tool).map(|_| ());
    let unknown = resolve(&diceware("999.0.0"));
    assert!(matches!(unknown, Err(BuildError::NotAvailable { .. })), "{unknown:?}");
    let odd = tool("one", "source = \"crates\"\npackage = \"a\\\"b\"\nfiles = { \"/x\" = \"x\" }");
    assert!(matches!(resolve(&odd), Err(BuildError::Unsuitable { .. })));
    // A library has no need for a lock, and this one has none.
    let library = tool(
        "one",
        "source = \"crates\"\npackage = \"itoa\"\nfiles = { \"/x\" = \"x\" }\nversion = \"1.0.0\"",
    );
    match resolve(&library) {
        Err(BuildError::Unsuitable { name, reason }) => {
            assert!(name == "itoa@1.0.0" && reason.contains("Cargo.lock"), "{name}: {reason}");
        }
        other => panic!("{other:?}"),
    }
}

/// Lets cargo take a server of our own for the registry.
fn shop_of(server: &Server) -> Shop {
    let mut shop = Shop::new();
    let home = shop.folder.path().join("cargo-home");
    std::fs::create_dir(&home).unwrap();
    let config = format!(
        "[source.crates-io]\nreplace-with = \"ours\"\n[source.ours]\nregistry = \"sparse+{}\"\n\
         [net]\nretry = 0\n[http]\ntimeout = 2\n",
        server.url("/")
    );
    std::fs::write(home.join("config.toml"), config).unwrap();
    shop.set("CARGO_HOME", home.display());
    shop
}

#[test]
fn a_registry_that_fails_or_lies_or_is_silent_or_gone_is_not_one_without_the_crate() {
    let server = Server::new();
    let shop = shop_of(&server);
    let failed = || match shop.resolve(&diceware("0.5.10")) {
        Err(BuildError::ProgramFailed { tail, .. }) => tail.join("\n"),
        other => panic!("{other:?}"),
    };
    server.set("/config.json", Answer::status(503));
    assert!(failed().contains("503"));
    server.set("/config.json", Answer::html());
    assert!(failed().contains("expected value"));
    server.set("/config.json", Answer::ok("{}").manner(Manner::Silence));
    assert!(failed().contains("imeout"));
    drop(server);
    assert!(failed().contains("onnect"));
}

#[test]
fn what_a_machine_lacks_to_compile_is_told() {
    use std::os::unix::fs::PermissionsExt as _;
    let mut shop = Shop::new();
    let tool = diceware("0.5.10");
    let lock = shop.resolve(&tool).unwrap();
    // A compiler without a standard library for anything.
    let rustc = shop.folder.path().join("rustc");
    std::fs::write(&rustc, "#!/bin/sh\necho /nowhere\n").unwrap();
    std::fs::set_permissions(&rustc, std::fs::Permissions::from_mode(0o755)).unwrap();
    shop.workshop.programs.cargo = shop.folder.path().join("cargo");
    match shop.tree(&plan(&tool, Some(&lock), Platform::LinuxArm64)).map(|_| ()) {
        Err(BuildError::Unsuitable { name, reason }) => {
            assert_eq!(name, "diceware for arm64");
            assert!(reason.contains("aarch64-unknown-linux-gnu"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
}
