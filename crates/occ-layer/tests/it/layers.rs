use std::collections::BTreeMap;
use std::io::{Cursor, Read as _};

use occ_layer::tree::{Content, Entry, Kind, LayerTree, TreeError};
use occ_layer::{EPOCH, write};
use occ_oci::Digest;
use proptest::prelude::*;

fn text(text: &str) -> Entry {
    Entry::new(Kind::File(Content::Bytes(text.into())), 0o644)
}

fn tree(entries: &[(&str, Entry)]) -> LayerTree {
    let mut tree = LayerTree::new();
    for (path, entry) in entries {
        tree.insert(path, entry.clone()).unwrap();
    }
    tree
}

fn bytes(tree: LayerTree) -> Vec<u8> {
    let mut out = Vec::new();
    let written = write(tree, &mut out).unwrap();
    assert_eq!(written.diff_id.digest(), &Digest::sha256(&out));
    assert_eq!(written.size, out.len() as u64);
    out
}

/// Lists an archive as `kind mode uid:gid mtime path -> link`.
fn list(archive: &[u8]) -> Vec<String> {
    let mut archive = tar::Archive::new(archive);
    archive
        .entries()
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let header = entry.header();
            let kind = char::from(header.entry_type().as_byte());
            let link =
                entry.link_name_bytes().map(|link| String::from_utf8_lossy(&link).into_owned());
            format!(
                "{kind} {:o} {}:{} {} {}{}",
                header.mode().unwrap(),
                header.uid().unwrap(),
                header.gid().unwrap(),
                header.mtime().unwrap(),
                String::from_utf8_lossy(&entry.path_bytes()),
                link.map(|link| format!(" -> {link}")).unwrap_or_default(),
            )
        })
        .collect()
}

#[test]
fn a_layer_is_sorted_has_all_parents_and_no_time_after_its_epoch() {
    let mut old = text("old");
    old.mtime = 1000;
    let archive = bytes(tree(&[
        ("./usr/bin/z", text("z").owned_by(1000, 1001)),
        ("/usr/bin/a", old),
        ("usr/lib/", Entry::new(Kind::Folder, 0o1777)),
        ("link", Entry::new(Kind::Symlink("usr/bin/z".to_owned()), 0o777)),
    ]));
    assert_eq!(
        list(&archive),
        [
            format!("2 777 0:0 {EPOCH} link -> usr/bin/z"),
            format!("5 755 0:0 {EPOCH} usr/"),
            format!("5 755 0:0 {EPOCH} usr/bin/"),
            "0 644 0:0 1000 usr/bin/a".to_owned(),
            format!("0 644 1000:1001 {EPOCH} usr/bin/z"),
            format!("5 1777 0:0 {EPOCH} usr/lib/"),
        ]
    );
}

#[test]
fn of_several_names_of_one_file_the_first_has_the_bytes() {
    let link = |target: &str| Entry::new(Kind::Hardlink(target.to_owned()), 0o644);
    // GNU tar gives the bytes to the name it met first, here `./m`.
    let archive = bytes(tree(&[("./m", text("x")), ("./z", link("./m")), ("./b", link("./z"))]));
    assert_eq!(
        list(&archive),
        [
            format!("0 644 0:0 {EPOCH} b"),
            format!("1 644 0:0 {EPOCH} m -> b"),
            format!("1 644 0:0 {EPOCH} z -> b"),
        ]
    );
    let other = bytes(tree(&[("b", text("x")), ("m", link("b")), ("z", link("b"))]));
    assert_eq!(archive, other, "which name came first shows in the layer");
}

#[test]
fn long_names_foreign_letters_and_capabilities_survive() {
    let long = format!("{}/{}", "d".repeat(90), "f".repeat(90));
    let mut capable = text("ping");
    capable.xattrs = BTreeMap::from([("security.capability".to_owned(), vec![1, 0, 0, 2])]);
    let archive = bytes(tree(&[
        (&long, text("long")),
        ("Főtanúsítvány", text("certificate")),
        ("ping", capable),
        ("s", Entry::new(Kind::Symlink("t".repeat(150)), 0o777)),
    ]));
    let names = list(&archive);
    assert!(names.iter().any(|name| name.ends_with(&long)), "{names:?}");
    assert!(names.iter().any(|name| name.ends_with("Főtanúsítvány")), "{names:?}");
    assert!(
        names.iter().any(|name| name.ends_with(&format!("-> {}", "t".repeat(150)))),
        "{names:?}"
    );
    let mut archive = tar::Archive::new(Cursor::new(&archive));
    let mut ping = archive
        .entries()
        .unwrap()
        .map(Result::unwrap)
        .find(|entry| entry.path_bytes().as_ref() == b"ping")
        .unwrap();
    let extension = ping.pax_extensions().unwrap().unwrap().next().unwrap().unwrap();
    assert_eq!(extension.key_bytes(), b"SCHILY.xattr.security.capability");
    assert_eq!(extension.value_bytes(), [1, 0, 0, 2]);
}

#[test]
fn gnu_tar_reads_what_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("layer.tar");
    let long = "n".repeat(120);
    std::fs::write(&archive, bytes(tree(&[("a/b", text("hello")), (&long, text("long"))])))
        .unwrap();
    let output = std::process::Command::new("tar")
        .args(["--utc", "--numeric-owner", "-tvf"])
        .arg(&archive)
        .output()
        .unwrap();
    let listing = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(listing.contains("-rw-r--r-- 0/0               5 2025-08-09 00:00 a/b\n"), "{listing}");
    assert!(listing.contains(&long), "{listing}");
}

#[test]
fn what_cannot_be_in_a_layer_is_refused() {
    let mut tree = LayerTree::new();
    for path in ["", "/", "./", "a/../b", "..", "a\0b"] {
        assert_eq!(tree.insert(path, text("")), Err(TreeError::Path(path.to_owned())));
    }
    tree.insert("a", text("")).unwrap();
    assert_eq!(tree.insert("./a/", text("")), Err(TreeError::Duplicate("a".to_owned())));
    tree.insert("l", Entry::new(Kind::Hardlink("gone".to_owned()), 0o644)).unwrap();
    let dangling = TreeError::Dangling { link: "l".to_owned(), target: "gone".to_owned() };
    assert_eq!(tree.ordered().unwrap_err(), dangling);
}

fn entries() -> impl Strategy<Value = BTreeMap<String, (u8, Vec<u8>, u32)>> {
    prop::collection::btree_map(
        "[a-c]{1,2}(/[a-c]{1,2}){0,2}",
        (0u8..3, prop::collection::vec(any::<u8>(), 0..600), 0u32..0o7777),
        0..8,
    )
}

fn entry((kind, content, mode): &(u8, Vec<u8>, u32)) -> Entry {
    let kind = match kind {
        0 => Kind::File(Content::Bytes(content.clone())),
        1 => Kind::Folder,
        _ => Kind::Symlink("target".to_owned()),
    };
    Entry::new(kind, *mode)
}

proptest! {
    #[test]
    fn the_same_files_in_any_order_are_the_same_layer(
        entries in entries(), seed in any::<prop::sample::Index>()
    ) {
        let mut forward = LayerTree::new();
        let mut turned = LayerTree::new();
        let list: Vec<_> = entries.iter().collect();
        for (path, what) in &list {
            forward.insert(path, entry(what)).unwrap();
        }
        let middle = if list.is_empty() { 0 } else { seed.index(list.len()) };
        for (path, what) in list[middle..].iter().rev().chain(&list[..middle]) {
            turned.insert(&format!("./{path}/"), entry(what)).unwrap();
        }
        prop_assert_eq!(bytes(forward), bytes(turned));
    }

    #[test]
    fn every_file_comes_out_of_a_layer_as_it_went_in(entries in entries()) {
        let mut tree = LayerTree::new();
        for (path, what) in &entries {
            tree.insert(path, entry(what)).unwrap();
        }
        let archive = bytes(tree);
        let mut read = BTreeMap::new();
        for entry in tar::Archive::new(&archive[..]).entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            read.insert(path, content);
        }
        for (path, (kind, content, _)) in entries.iter().filter(|(_, what)| what.0 == 0) {
            prop_assert_eq!(read.get(path), Some(content), "kind {}", kind);
        }
    }
}
