//! Archives of our own making keep everything.

use std::collections::BTreeMap;

use occ_layer::tree::{Content, Entry, Kind, LayerTree, TreeError};
use occ_layer::unpack::{UnpackError, read_trusted};

use crate::unpack::material::{file, folder, layer, pax, raw, tar};

fn read(archive: &[u8]) -> Result<LayerTree, UnpackError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("base.tar");
    std::fs::write(&path, archive).unwrap();
    read_trusted(&path)
}

#[test]
fn nothing_is_lost() {
    let mut capable = Entry::new(Kind::File(Content::Bytes(vec![7; 3000])), 0o755);
    // A capability with a line feed in it.
    capable.xattrs = BTreeMap::from([("security.capability".to_owned(), vec![1, 0, 10, 2])]);
    capable.mtime = 1000;
    let device = |block| Kind::Device { block, major: 8, minor: 3 };
    let mut tree = LayerTree::new();
    for (path, entry) in [
        ("bin/ping", capable),
        ("bin/su", Entry::new(Kind::File(Content::Bytes(b"su".to_vec())), 0o4755)),
        ("bin/sg", Entry::new(Kind::Hardlink("bin/su".to_owned()), 0o4755)),
        ("tmp", Entry::new(Kind::Folder, 0o1777)),
        ("dev/sda", Entry::new(device(true), 0o660).owned_by(0, 6)),
        ("dev/tty", Entry::new(device(false), 0o666)),
        ("run/pipe", Entry::new(Kind::Fifo, 0o600).owned_by(3_000_000, 5)),
        ("lib", Entry::new(Kind::Symlink("/usr/lib".to_owned()), 0o777)),
        ("A", Entry::new(Kind::Folder, 0o700).owned_by(1, 2)),
        ("a", Entry::new(Kind::Symlink("../../x".to_owned()), 0o777)),
    ] {
        tree.insert(path, entry).unwrap();
    }
    let archive = layer(tree);
    assert_eq!(layer(read(&archive).unwrap()), archive);
}

#[test]
fn numbers_of_an_extended_header_count() {
    let header = pax(&[("uid", b"4000000000"), ("gid", b"4000000001"), ("path", b"p")]);
    let tree = read(&tar(&[folder("./"), header, file("cut")])).unwrap();
    let entry = tree.get("p").unwrap();
    assert_eq!((entry.uid, entry.gid, entry.mtime), (4_000_000_000, 4_000_000_001, 1));
    assert_eq!(tree.entries().count(), 1);
}

#[test]
fn what_is_no_tree_is_an_error() {
    let duplicate = read(&tar(&[file("a"), file("./a")])).unwrap_err();
    assert!(matches!(duplicate, UnpackError::Tree(TreeError::Duplicate(path)) if path == "a"));
    let unknown = read(&tar(&[raw(b'S', b"./a", b"", 0o644, b"")])).unwrap_err();
    let expected = TreeError::Kind { path: "a".to_owned(), kind: 'S' };
    assert!(matches!(unknown, UnpackError::Tree(error) if error == expected));
    let archive = tar(&[file("a")]);
    for cut in [0, 100, 600, 1100, archive.len() - 1] {
        let truncated = read(&archive[..cut]).unwrap_err();
        assert!(matches!(truncated, UnpackError::Truncated { .. }), "{cut}: {truncated:?}");
    }
}
