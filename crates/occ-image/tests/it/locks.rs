use std::collections::BTreeMap;

use occ_image::{
    Architecture, DebianGroup, DebianPin, Lock, PackagePin, Recipe, ToolLock, lock_changes,
};
use occ_oci::Digest;
use proptest::prelude::*;

use crate::recipes::{SMALL, parse};

fn debian(name: &str, version: &str) -> DebianPin {
    DebianPin {
        name: name.to_owned(),
        version: version.to_owned(),
        architecture: Some(Architecture::Amd64),
        size: 10,
        digest: Digest::sha256(version.as_bytes()),
    }
}

fn package(name: &str, version: &str, architecture: Option<Architecture>) -> PackagePin {
    PackagePin {
        name: name.to_owned(),
        version: version.to_owned(),
        architecture,
        path: None,
        file: None,
        size: 20,
        digest: Digest::sha256(format!("{name}{version}").as_bytes()),
        license: None,
    }
}

/// A lock of the small recipe.
pub(crate) fn small(recipe: &Recipe) -> Lock {
    let groups = [Architecture::Amd64, Architecture::Arm64].map(|architecture| DebianGroup {
        architecture,
        group: "system".to_owned(),
        packages: vec![debian("jq", "1.7.1-6"), debian("libc6", "2.41-12")],
    });
    let each = |amd64: &str, arm64: &str, version: &str| {
        vec![
            package(amd64, version, Some(Architecture::Amd64)),
            package(arm64, version, Some(Architecture::Arm64)),
        ]
    };
    let tools = [
        ("prettier", "npm", vec![package("prettier", "3.10.1", None)]),
        ("biome", "npm", each("@biomejs/cli-linux-x64", "@biomejs/cli-linux-arm64", "2.6.8")),
        ("uv", "pypi", each("uv", "uv", "0.13.8")),
        ("cross", "crates", vec![package("cross", "0.2.5", None)]),
    ];
    let tool = |(name, source, packages): (&str, &str, Vec<PackagePin>)| {
        let lock = ToolLock { name: name.to_owned(), source: source.to_owned(), packages };
        (name.to_owned(), lock)
    };
    Lock {
        recipe: recipe.request(),
        debian: groups.to_vec(),
        tools: tools.into_iter().map(tool).collect(),
    }
}

#[test]
fn what_is_written_is_read_again() {
    let recipe = parse(SMALL).unwrap();
    let lock = small(&recipe);
    assert_eq!(Lock::parse("sandbox.lock", &lock.render()).unwrap(), lock);
    assert_eq!(lock.answers(&recipe), Ok(()));
    assert_eq!((lock.file_count(), lock.total_size()), (10, 4 * 10 + 6 * 20));
}

proptest! {
    #[test]
    fn whatever_names_and_versions_are_they_are_read_again(
        name in any::<String>(), version in any::<String>(), path in any::<Option<String>>(),
        size in 0..i64::MAX as u64, license in any::<Option<String>>(),
    ) {
        let pin = PackagePin { size, path, license, ..package(&name, &version, None) };
        let tool = ToolLock { name: name.clone(), source: "npm".to_owned(), packages: vec![pin] };
        let tools = BTreeMap::from([(name, tool)]);
        let lock = Lock { recipe: Digest::sha256(b""), debian: Vec::new(), tools };
        prop_assert_eq!(Lock::parse("lock", &lock.render()).unwrap(), lock);
    }
}

#[test]
fn a_lock_changed_by_hand_is_refused() {
    let text = small(&parse(SMALL).unwrap()).render();
    let checksum = text.lines().position(|line| line.starts_with("checksum")).unwrap() + 1;
    for (from, to) in [("1.7.1-6", "1.7.1-7"), ("size = 10", "size = 11"), ("npm", "pypi")] {
        let error = Lock::parse("sandbox.lock", &text.replacen(from, to, 1)).unwrap_err();
        assert_eq!((error.line, error.column), (checksum, 12));
        assert!(error.message.contains("changed by hand"), "{}", error.message);
    }
    // Comments and spaces are nobody's business.
    Lock::parse("sandbox.lock", &format!("# reviewed\n{text}\n")).unwrap();
}

#[test]
fn a_broken_lock_is_refused_with_the_place() {
    let text = small(&parse(SMALL).unwrap()).render();
    let cases = [
        (text.replacen("version = 1", "version = 9", 1), "this is version 1 of the grammar"),
        (
            text.replacen("architecture = \"amd64\"", "architecture = \"mips\"", 1),
            "unknown variant",
        ),
        (text.replacen("sha256:", "md5:", 2), "md5"),
        (text.replacen("size = 10", "size = -1", 1), "invalid value"),
        (text.replacen("size = 10", "sice = 10", 1), "unknown field `sice`"),
        (text[..text.len() / 2].to_owned(), ""),
        ("<html>".to_owned(), ""),
        (String::new(), "missing field"),
        (
            text.replacen("name = \"uv\"\nsource", "name = \"prettier\"\nsource", 1),
            "the tool \"prettier\" is there twice",
        ),
    ];
    for (text, message) in cases {
        let error = Lock::parse("sandbox.lock", &text).unwrap_err();
        assert!(error.message.contains(message), "{}: {message}", error.message);
        assert!(error.line > 0 && error.column > 0);
    }
}

#[test]
fn a_lock_of_another_recipe_is_stale_and_one_of_the_same_question_is_not() {
    let recipe = parse(SMALL).unwrap();
    let lock = small(&recipe);
    for (from, to) in [
        ("[\"jq\"]", "[\"jq\", \"git\"]"),
        ("suite = \"trixie\"", "suite = \"forky\""),
        ("source = \"pypi\"", "source = \"npm\""),
        ("source = \"pypi\"", "source = \"pypi\"\nversion = \"0.13.0\""),
        ("tools = [\"prettier\", ", "tools = ["),
    ] {
        assert!(lock.answers(&parse(&SMALL.replacen(from, to, 1)).unwrap()).is_err(), "{to}");
    }
    // What is done with the files afterwards, and what the recipe pins itself, is no question to a lock.
    for (from, to) in [
        ("\"/bin/bash\"", "\"/bin/zsh\""),
        ("\"/usr/local/bin/uv\"", "\"/usr/bin/uv\""),
        ("version = \"0.51.0\"", "version = \"0.52.0\""),
        ("extras = [\"k9s\"]", "extras = []"),
    ] {
        assert_eq!(lock.answers(&parse(&SMALL.replacen(from, to, 1)).unwrap()), Ok(()), "{to}");
    }
}

#[test]
fn changes_are_told_by_part_package_and_architecture() {
    let before = small(&parse(SMALL).unwrap());
    assert_eq!(lock_changes(Some(&before), &before), []);
    let mut after = before.clone();
    after.debian[0].packages[0] = debian("jq", "1.7.1-7");
    after.debian[1].packages[0] = debian("jq", "1.7.1-7");
    after.debian[0].packages.push(debian("git", "2.47"));
    after.tools.get_mut("uv").unwrap().packages[1].version = "0.13.9".to_owned();
    after.tools.get_mut("prettier").unwrap().packages[0].digest = Digest::sha256(b"other");
    after.tools.remove("cross");
    let said: Vec<String> =
        lock_changes(Some(&before), &after).iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "cross: cross 0.2.5 removed",
            "prettier: prettier 3.10.1, other bytes",
            "system: git 2.47 added (amd64)",
            "system: jq 1.7.1-6 -> 1.7.1-7",
            "uv: uv 0.13.8 -> 0.13.9 (arm64)",
        ]
    );
    assert_eq!(lock_changes(None, &before).len(), 7);
}

#[test]
fn the_built_in_lock_answers_the_built_in_recipe_and_names_no_place() {
    let (recipe, lock) = (Recipe::embedded().unwrap(), Lock::embedded().unwrap());
    assert_eq!(lock.answers(&recipe), Ok(()));
    let text = lock.render();
    assert!(!text.contains("://"), "an address is in the lock");
    assert_eq!(text, include_str!("../../../../image/sandbox.lock"));
}
