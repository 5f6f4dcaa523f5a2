//! What was packed comes out again.

use std::collections::BTreeMap;

use occ_layer::tree::{Content, Entry, Kind, LayerTree};
use occ_layer::unpack::Format;
use proptest::prelude::*;

use super::material::{
    COMPRESSED, Zipped, bytes, file, folder, hardlink, layer, list, open, pack, pax, raw, symlink,
    tar, zip,
};

#[test]
fn the_format_follows_from_the_name() {
    for (name, format) in [
        ("a.tar", Format::Tar),
        ("node-v1.2.tar.gz", Format::TarGz),
        ("a.tgz", Format::TarGz),
        ("a.tar.xz", Format::TarXz),
        ("a.tar.zst", Format::TarZst),
        ("a.zip", Format::Zip),
        ("a-1.0-py3-none-any.whl", Format::Zip),
        ("jq-linux-amd64", Format::Plain),
        ("a.gz", Format::Plain),
        ("tar", Format::Plain),
        ("", Format::Plain),
    ] {
        assert_eq!(Format::of_file_name(name), format, "{name}");
    }
}

#[test]
fn names_and_links_of_every_dialect() {
    let long = format!("{}/{}", "d".repeat(120), "f".repeat(120));
    let text = |text: &str| format!("{text}\0").into_bytes();
    let archive = tar(&[
        raw(b'g', b"pax_global_header", b"", 0o644, b"18 comment=abcdef\n"),
        folder("./"),
        folder("./tool/"),
        raw(b'0', b"./tool/run", b"", 0o755, b"run"),
        raw(b'7', b"tool/old", b"", 0o600, b"contiguous"),
        raw(0, b"tool/older", b"", 0o400, b""),
        pax(&[("path", long.as_bytes()), ("SCHILY.xattr.user.a", b"1\n2"), ("size", b"1")]),
        file("cut"),
        raw(b'L', b"././@LongLink", b"", 0o644, &text(&format!("gnu/{long}"))),
        raw(b'K', b"././@LongLink", b"", 0o644, &text(&long)),
        hardlink("cut", "cut"),
        pax(&[("linkpath", b"../\xc5\x91")]),
        symlink("tool/link", "cut"),
        hardlink("first", "tool/run"),
    ]);
    let tree = open(Format::Tar, &archive).unwrap();
    assert_eq!(
        list(&tree),
        [
            format!("644 {long} = \"x\""),
            "644 first => tool/run".to_owned(),
            format!("644 gnu/{long} => {long}"),
            "755 tool /".to_owned(),
            "777 tool/link -> ../\u{151}".to_owned(),
            "600 tool/old = \"contiguous\"".to_owned(),
            "400 tool/older = \"\"".to_owned(),
            "755 tool/run = \"run\"".to_owned(),
        ]
    );
    for (path, entry) in tree.entries() {
        assert_eq!((entry.uid, entry.gid, entry.mtime), (0, 0, u64::MAX), "{path}");
        assert!(entry.xattrs.is_empty(), "{path}");
    }
}

#[test]
fn a_zip_archive_tells_modes_only_if_it_was_made_where_there_are_any() {
    let dos = |name| Zipped { host: 0, ..Zipped::new(name, 0o777, b"") };
    let unspecific = |name, mode| Zipped::new(name, mode, b"x");
    let tree = open(
        Format::Zip,
        &zip(&[
            dos("dos/"),
            dos("dos/file"),
            unspecific("no-kind", 0o755),
            Zipped::new("unix", 0o100_711, b"text").deflated(),
            Zipped { host: 19, ..Zipped::new("darwin", 0o120_755, b"unix") },
        ]),
    );
    assert_eq!(
        list(&tree.unwrap()),
        [
            "755 darwin -> unix",
            "755 dos /",
            "644 dos/file = \"\"",
            "755 no-kind = \"x\"",
            "711 unix = \"text\"",
        ]
    );
}

#[test]
fn archives_of_nothing() {
    let nothing = tar(&[]);
    for format in [Format::Tar, Format::TarGz, Format::TarXz, Format::TarZst] {
        assert!(list(&open(format, &pack(format, &nothing)).unwrap()).is_empty());
    }
    assert!(list(&open(Format::Zip, &zip(&[])).unwrap()).is_empty());
}

#[test]
fn a_plain_file_is_its_own_member() {
    assert_eq!(list(&open(Format::Plain, b"\x7fELF").unwrap()), ["644 archive = \"\\u{7f}ELF\""]);
}

#[test]
fn contents_outlive_the_archive_and_the_spool() {
    let archive =
        pack(Format::TarGz, &tar(&[file("a"), raw(b'0', b"b", b"", 0o644, &[5; 10_000])]));
    let tree = open(Format::TarGz, &archive).unwrap();
    let Kind::File(content) = &tree.get("b").unwrap().kind else { panic!("no file") };
    assert_eq!(bytes(content), [5; 10_000]);
}

/// Good trees: nothing in them lies in a file, and links lead to what is there.
fn trees() -> impl Strategy<Value = LayerTree> {
    let content = prop::collection::vec(any::<u8>(), 0..2000);
    let entry = (0u8..5, content, 0u32..0o1000);
    prop::collection::btree_map("([a-c]{1,2}|ő|[a-c]{101,120})(/[a-c]{1,2}){0,2}", entry, 0..12)
        .prop_map(good_tree)
}

fn good_tree(entries: BTreeMap<String, (u8, Vec<u8>, u32)>) -> LayerTree {
    let mut tree = LayerTree::new();
    let mut file: Option<String> = None;
    for (path, (kind, content, mode)) in entries {
        let in_file = path.match_indices('/').any(|(slash, _)| {
            tree.get(&path[..slash]).is_some_and(|above| !matches!(above.kind, Kind::Folder))
        });
        if in_file {
            continue;
        }
        let entry = match (kind, &file) {
            (0, _) => Entry::new(Kind::Folder, mode),
            (1, _) => {
                Entry::new(Kind::Symlink("../".repeat(path.matches('/').count()) + "a"), 0o777)
            }
            (2, Some(file)) => {
                Entry::new(Kind::Hardlink(file.clone()), tree.get(file).unwrap().mode)
            }
            _ => {
                file = Some(path.clone());
                Entry::new(Kind::File(Content::Bytes(content)), mode)
            }
        };
        tree.insert(&path, entry).unwrap();
    }
    tree
}

/// Packs a tree that has no hard links.
fn zipped(tree: LayerTree) -> Vec<u8> {
    let entries = tree.ordered().unwrap();
    let member = |(number, (path, entry)): (usize, (&String, &Entry))| {
        let member = match &entry.kind {
            Kind::Folder => Zipped::new(&format!("{path}/"), 0o040_000 | entry.mode, b""),
            Kind::Symlink(target) => Zipped::new(path, 0o120_777, target.as_bytes()),
            Kind::File(content) => Zipped::new(path, 0o100_000 | entry.mode, &bytes(content)),
            other => panic!("{other:?}"),
        };
        if number % 2 == 0 { member } else { member.deflated() }
    };
    zip(&entries.iter().enumerate().map(member).collect::<Vec<_>>())
}

/// A zip archive has no hard links.
fn without_hardlinks(tree: &LayerTree) -> LayerTree {
    let mut out = LayerTree::new();
    for (path, entry) in tree.entries() {
        let entry = match &entry.kind {
            Kind::Hardlink(file) => tree.get(file).unwrap(),
            _ => entry,
        };
        out.insert(path, entry.clone()).unwrap();
    }
    out
}

proptest! {
    #[test]
    fn what_was_packed_comes_out_equal(tree in trees(), cut in any::<prop::sample::Index>()) {
        let expected = layer(tree.clone());
        prop_assert_eq!(&layer(open(Format::Tar, &expected).unwrap()), &expected);
        let (front, back) = expected.split_at(cut.index(expected.len()));
        for format in COMPRESSED {
            let whole = pack(format, &expected);
            prop_assert_eq!(&layer(open(format, &whole).unwrap()), &expected, "{:?}", format);
            // Two streams one behind the other are the same file.
            let parts = [pack(format, front), pack(format, back)].concat();
            prop_assert_eq!(&layer(open(format, &parts).unwrap()), &expected, "{:?}", format);
        }
        let tree = without_hardlinks(&tree);
        let unzipped = open(Format::Zip, &zipped(tree.clone())).unwrap();
        prop_assert_eq!(layer(unzipped), layer(tree));
    }
}
