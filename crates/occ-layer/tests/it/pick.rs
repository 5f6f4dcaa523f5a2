//! Picking from trees and putting them together.

use occ_layer::tree::{Content, Entry, Kind, LayerTree, TreeError};
use occ_layer::{Pick, PickError};
use proptest::prelude::*;

use crate::unpack::material::{layer, list};

fn text(text: &str, mode: u32) -> Entry {
    let mut entry = Entry::new(Kind::File(Content::Bytes(text.into())), mode).owned_by(1000, 1000);
    entry.mtime = 1;
    entry.xattrs.insert("user.a".to_owned(), vec![1]);
    entry
}

fn link(target: &str) -> Entry {
    Entry::new(Kind::Symlink(target.to_owned()), 0o700).owned_by(1, 1)
}

fn hardlink(target: &str) -> Entry {
    Entry::new(Kind::Hardlink(target.to_owned()), 0o600)
}

fn tree(entries: &[(&str, Entry)]) -> LayerTree {
    let mut tree = LayerTree::new();
    for (path, entry) in entries {
        tree.insert(path, entry.clone()).unwrap();
    }
    tree
}

fn pick(from: &str, to: &str) -> Pick {
    Pick { from: from.to_owned(), to: to.to_owned(), executable: false }
}

fn release() -> LayerTree {
    tree(&[
        ("tool-1.0/bin", Entry::new(Kind::Folder, 0o700)),
        ("tool-1.0/bin/tool", text("tool", 0o500)),
        ("tool-1.0/bin/alias", link("tool")),
        ("tool-1.0/bin/lib", link("../lib")),
        ("tool-1.0/bin/same", hardlink("tool-1.0/lib/real")),
        ("tool-1.0/bin/too", hardlink("tool-1.0/bin/same")),
        ("tool-1.0/lib/real", text("real", 0o700)),
        ("tool-1.0/LICENSE", text("free", 0o660)),
    ])
}

#[test]
fn one_file_takes_its_place_and_belongs_to_root() {
    let taken = release().take(&pick("./tool-1.0/LICENSE", "/usr/share/doc/tool")).unwrap();
    assert_eq!(list(&taken), ["644 usr/share/doc/tool = \"free\""]);
    let entry = taken.get("usr/share/doc/tool").unwrap();
    assert_eq!((entry.uid, entry.gid, entry.mtime), (0, 0, u64::MAX));
    assert!(entry.xattrs.is_empty());
    let taken = release().take(&pick("tool-1.0/bin/tool", "tool")).unwrap();
    assert_eq!(list(&taken), ["755 tool = \"tool\""]);
    let executable = Pick { executable: true, ..pick("tool-1.0/LICENSE", "run") };
    assert_eq!(list(&release().take(&executable).unwrap()), ["755 run = \"free\""]);
}

#[test]
fn a_hard_link_becomes_its_file_where_the_file_is_not_picked() {
    let taken = release().take(&pick("tool-1.0/bin/too", "a")).unwrap();
    assert_eq!(list(&taken), ["755 a = \"real\""]);
    let from = tree(&[
        ("in/a", hardlink("out/file")),
        ("in/b", hardlink("in/a")),
        ("out/file", text("file", 0o644)),
    ]);
    let taken = from.take(&pick("in", "")).unwrap();
    assert_eq!(list(&taken), ["644 a = \"file\"", "644 b => a"]);
}

#[test]
fn a_folder_moves_with_all_that_is_in_it() {
    let expected = [
        "755 opt/tool /",
        "644 opt/tool/LICENSE = \"free\"",
        "755 opt/tool/bin /",
        "777 opt/tool/bin/alias -> tool",
        "777 opt/tool/bin/lib -> ../lib",
        "755 opt/tool/bin/same = \"real\"",
        "755 opt/tool/bin/too => opt/tool/bin/same",
        "755 opt/tool/bin/tool = \"tool\"",
        "755 opt/tool/lib/real => opt/tool/bin/same",
    ];
    let taken = release().take(&pick("tool-1.0", "opt/tool/")).unwrap();
    assert_eq!(list(&taken), expected);
    for everything in ["", ".", "./", "/"] {
        let taken = release().take(&pick(everything, "opt")).unwrap();
        assert_eq!(list(&taken).len(), expected.len(), "{everything:?}");
        assert!(taken.get("opt/tool-1.0/bin/tool").is_some());
    }
    let empty = tree(&[("empty", Entry::new(Kind::Folder, 0o700))]);
    assert_eq!(list(&empty.take(&pick("empty", "var/x")).unwrap()), ["755 var/x /"]);
    assert!(list(&empty.take(&pick("empty", "")).unwrap()).is_empty());
}

#[test]
fn what_cannot_be_picked() {
    let refused = |from: &str, to: &str| release().take(&pick(from, to)).unwrap_err();
    assert_eq!(refused("gone", "a"), PickError::Missing("gone".to_owned()));
    assert_eq!(refused("tool-1.0/bi", "a"), PickError::Missing("tool-1.0/bi".to_owned()));
    assert_eq!(
        refused("tool-1.0/bin/alias", "a"),
        PickError::Kind("tool-1.0/bin/alias".to_owned())
    );
    let path = |path: &str| PickError::Tree(TreeError::Path(path.to_owned()));
    assert_eq!(refused("../a", "a"), path("../a"));
    assert_eq!(refused("tool-1.0", "../a"), path("../a"));
    assert_eq!(refused("tool-1.0/LICENSE", ""), path(""));
    // In its new place the link would lead to somebody else's `lib`.
    let out =
        PickError::Symlink { link: "tool-1.0/bin/lib".to_owned(), target: "../lib".to_owned() };
    assert_eq!(refused("tool-1.0/bin", "usr/bin"), out);
    let special = tree(&[("dev/p", Entry::new(Kind::Fifo, 0o644))]);
    assert_eq!(special.take(&pick("dev", "a")).unwrap_err(), PickError::Kind("dev/p".to_owned()));
    assert_eq!(
        LayerTree::new().take(&pick("", "a")).unwrap_err(),
        PickError::Missing(String::new())
    );
}

#[test]
fn two_tools_share_folders_and_nothing_else() {
    let mut one = release().take(&pick("tool-1.0/lib", "opt/lib")).unwrap();
    let other =
        tree(&[("opt/lib", Entry::new(Kind::Folder, 0o755)), ("opt/lib/more", link("real"))]);
    one.merge(other).unwrap();
    let both = ["755 opt/lib /", "700 opt/lib/more -> real", "755 opt/lib/real = \"real\""];
    assert_eq!(list(&one), both);
    let duplicate = |path: &str| Err(TreeError::Duplicate(path.to_owned()));
    assert_eq!(
        one.merge(tree(&[("new", text("", 0o644)), ("opt/lib/real", text("", 0o644))])),
        duplicate("opt/lib/real")
    );
    assert_eq!(
        one.merge(tree(&[("opt/lib", Entry::new(Kind::Folder, 0o700))])),
        duplicate("opt/lib")
    );
    assert_eq!(one.merge(tree(&[("opt/lib", text("", 0o755))])), duplicate("opt/lib"));
    let no_folder = |path: &str, above: &str| {
        Err(TreeError::NoFolder { path: path.to_owned(), above: above.to_owned() })
    };
    assert_eq!(one.merge(tree(&[("opt", link("usr"))])), no_folder("opt/lib", "opt"));
    let inside = "opt/lib/more/file";
    assert_eq!(one.merge(tree(&[(inside, text("", 0o644))])), no_folder(inside, "opt/lib/more"));
    assert_eq!(list(&one), both, "a refused tree left something behind");
}

proptest! {
    #[test]
    fn trees_that_share_no_path_merge_in_either_order(
        names in prop::collection::btree_map("[a-c]{1,2}", any::<bool>(), 0..8)
    ) {
        let half = |side: bool| {
            let names = names.iter().filter(|(_, which)| **which == side);
            let entries: Vec<_> = names.map(|(name, _)| (name.as_str(), text(name, 0o644))).collect();
            tree(&entries)
        };
        let (mut forward, mut backward) = (half(false), half(true));
        forward.merge(half(true)).unwrap();
        backward.merge(half(false)).unwrap();
        prop_assert_eq!(layer(forward), layer(backward));
    }
}
