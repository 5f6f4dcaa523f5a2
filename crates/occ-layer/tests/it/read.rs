use std::io::{self, Read as _};
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt as _;
use std::process::Command;

use occ_layer::compress::{Compression, compress};
use occ_layer::read::{EntryKind, LayerEntry, ReadError, entries, entries_with_starts};
use occ_layer::tree::{Content, Entry, Kind, LayerTree, TreeError};
use occ_layer::write;
use occ_oci::{Digest, Verifying};
use tar::{Builder, EntryType, Header};

use crate::sample::{Breaking, prose};

/// Writes an archive as other people's programs do, with paths that our own writer refuses.
pub(crate) struct Foreign(Builder<Vec<u8>>);

impl Foreign {
    pub(crate) fn new() -> Self {
        Self(Builder::new(Vec::new()))
    }

    pub(crate) fn add(
        mut self,
        kind: EntryType,
        path: impl AsRef<[u8]>,
        link: &str,
        content: &[u8],
    ) -> Self {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(0o100_4755);
        header.set_uid(7);
        header.set_gid(8);
        header.set_mtime(9);
        header.set_size(content.len() as u64);
        let path = path.as_ref();
        header.as_old_mut().name[..path.len()].copy_from_slice(path);
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        if matches!(kind, EntryType::Char | EntryType::Block) {
            header.set_device_major(1).unwrap();
            header.set_device_minor(3).unwrap();
        }
        header.set_cksum();
        self.0.append(&header, content).unwrap();
        self
    }

    pub(crate) fn file(self, path: &str, content: &[u8]) -> Self {
        self.add(EntryType::Regular, path, "", content)
    }

    pub(crate) fn folder(self, path: &str) -> Self {
        self.add(EntryType::Directory, path, "", b"")
    }

    pub(crate) fn bytes(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }
}

fn all(input: impl io::Read) -> Result<Vec<LayerEntry>, ReadError> {
    let mut all = Vec::new();
    let end = entries(input, |entry| {
        all.push(entry);
        ControlFlow::<()>::Continue(())
    })?;
    assert!(end.is_continue());
    Ok(all)
}

fn shown(archive: Foreign) -> Vec<(String, EntryKind)> {
    all(&archive.bytes()[..]).unwrap().into_iter().map(|entry| (entry.path, entry.kind)).collect()
}

fn refused(archive: Foreign) -> TreeError {
    match all(&archive.bytes()[..]) {
        Err(ReadError::Tree(error)) => error,
        other => panic!("{other:?}"),
    }
}

fn file(content: &[u8]) -> EntryKind {
    EntryKind::File { size: content.len() as u64, digest: Digest::sha256(content) }
}

#[test]
fn every_kind_of_entry_is_shown_with_all_that_is_known_of_it() {
    let archive = Foreign::new()
        .folder("./")
        .folder("./d/")
        .file("./d/f", b"hello")
        .file("old/", b"")
        .add(EntryType::Symlink, "s", "../not/normal", b"")
        .add(EntryType::Link, "h", "./d/f", b"")
        .add(EntryType::Char, "null", "", b"")
        .add(EntryType::Block, "disk", "", b"")
        .add(EntryType::Fifo, "pipe", "", b"")
        .add(EntryType::XGlobalHeader, "remark", "", b"16 comment=hello\n")
        .bytes();
    let device = |block| EntryKind::Device { block, major: 1, minor: 3 };
    let expected = [
        ("", EntryKind::Folder),
        ("d", EntryKind::Folder),
        ("d/f", file(b"hello")),
        ("old", EntryKind::Folder),
        ("s", EntryKind::Symlink("../not/normal".to_owned())),
        ("h", EntryKind::Hardlink("d/f".to_owned())),
        ("null", device(false)),
        ("disk", device(true)),
        ("pipe", EntryKind::Fifo),
    ];
    let expected = expected.map(|(path, kind)| LayerEntry {
        path: path.to_owned(),
        kind,
        mode: 0o4755,
        uid: 7,
        gid: 8,
        mtime: 9,
    });
    assert_eq!(all(&archive[..]).unwrap(), expected);
}

#[test]
fn a_layer_of_ours_is_shown_as_it_was_written_however_it_is_compressed() {
    let long = format!("{}/{}", "d".repeat(90), "é".repeat(90));
    let content = prose(3 << 20);
    let mut tree = LayerTree::new();
    let large = Entry::new(Kind::File(Content::Bytes(content.clone())), 0o755);
    tree.insert(&long, large.owned_by(3_000_000, 3_000_001)).unwrap();
    tree.insert("z", Entry::new(Kind::Symlink("t".repeat(150)), 0o777)).unwrap();
    let mut archive = Vec::new();
    write(tree, &mut archive).unwrap();
    let plain = all(&archive[..]).unwrap();
    assert_eq!(plain.len(), 3);
    assert_eq!((&plain[1].path, &plain[1].kind), (&long, &file(&content)));
    assert_eq!((plain[1].uid, plain[1].gid), (3_000_000, 3_000_001));
    assert_eq!(plain[2].kind, EntryKind::Symlink("t".repeat(150)));
    for compression in [Compression::Gzip, Compression::Zstd] {
        let mut blob = Vec::new();
        compress(&archive[..], &mut blob, compression, NonZeroUsize::MIN).unwrap();
        assert_eq!(all(&blob[..]).unwrap(), plain, "{compression}");
        let error = all(&blob[..blob.len() / 2]).unwrap_err();
        assert!(matches!(error, ReadError::Io(_)), "{compression}: {error:?}");
    }
}

/// Has GNU tar pack a file that is mostly a hole.
fn with_a_hole(format: &str) -> (Vec<u8>, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let file = std::fs::File::create(folder.path().join("hole")).unwrap();
    file.set_len(3 << 20).unwrap();
    file.write_all_at(b"not empty", 2 << 20).unwrap();
    let output = Command::new("tar")
        .args(["--sparse", "--create", "--file=-", format])
        .current_dir(folder.path())
        .arg("hole")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stdout.len() < 1 << 20, "the archive has no hole");
    (output.stdout, std::fs::read(folder.path().join("hole")).unwrap())
}

#[test]
fn a_file_with_holes_is_read_whole_or_refused() {
    let (archive, content) = with_a_hole("--format=gnu");
    assert_eq!(all(&archive[..]).unwrap()[0].kind, file(&content));
    let (archive, _) = with_a_hole("--format=posix");
    let error = all(&archive[..]).unwrap_err();
    assert!(matches!(error, ReadError::Tree(TreeError::Kind { kind: 'S', .. })), "{error:?}");
}

#[test]
fn whiteouts_are_told_from_files() {
    let archive = Foreign::new()
        .file("a/.wh.b", b"")
        .file(".wh.top", b"")
        .file("./.wh..hidden", b"")
        .file("a/.wh..wh..opq", b"")
        .file("./.wh..wh..opq", b"")
        .folder(".wh.folder/")
        .file("a/x.wh.b", b"file")
        .file(".whence", b"file");
    let expected = [
        ("a/b", EntryKind::Whiteout),
        ("top", EntryKind::Whiteout),
        (".hidden", EntryKind::Whiteout),
        ("a", EntryKind::Opaque),
        ("", EntryKind::Opaque),
        ("folder", EntryKind::Whiteout),
        ("a/x.wh.b", file(b"file")),
        (".whence", file(b"file")),
    ];
    assert_eq!(shown(archive), expected.map(|(path, kind)| (path.to_owned(), kind)));
}

#[test]
fn attack_23_what_cannot_be_in_a_layer_is_refused() {
    for path in
        ["../x", "a/../../x", "..", ".wh.", "a/.wh..", "a/.wh...", "../.wh.x", "../.wh..wh..opq"]
    {
        let error = refused(Foreign::new().file(path, b""));
        assert!(matches!(error, TreeError::Path(_)), "{path}: {error:?}");
    }
    let link = Foreign::new().add(EntryType::Link, "h", "../outside", b"");
    assert_eq!(refused(link), TreeError::Path("../outside".to_owned()));
    let root = Foreign::new().add(EntryType::Symlink, "./", "elsewhere", b"");
    assert_eq!(refused(root), TreeError::Path(String::new()));
    let latin = Foreign::new().add(EntryType::Regular, b"caf\xe9", "", b"");
    assert_eq!(refused(latin), TreeError::Path("caf\u{fffd}".to_owned()));
    let volume = Foreign::new().add(EntryType::new(b'V'), "label", "", b"");
    assert_eq!(refused(volume), TreeError::Kind { path: "label".to_owned(), kind: 'V' });
}

#[test]
fn a_layer_that_ends_early_or_is_none_is_an_error() {
    let archive = Foreign::new().file("a", b"a").file("b", &[7; 2000]).bytes();
    // In the first header, in the second one, in the last file's bytes.
    for cut in [100, 1024 + 100, 1536 + 1000] {
        let error = all(&archive[..cut]).unwrap_err();
        assert!(matches!(error, ReadError::Io(_)), "cut at {cut}: {error:?}");
    }
    assert!(all(&b"this is no archive, but long enough to be one".repeat(20)[..]).is_err());
    let failing = Breaking(&archive[..1024], || io::ErrorKind::TimedOut.into());
    let ReadError::Io(error) = all(failing).unwrap_err() else { panic!("not the reader's own") };
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert!(all(io::empty()).unwrap().is_empty());
}

#[test]
fn the_input_is_read_to_its_end_so_that_it_can_verify_itself() {
    let archive = Foreign::new().file("a", b"a").bytes();
    let padded = [&archive[..], &[0; 9000]].concat();
    let mut zstd = Vec::new();
    compress(&padded[..], &mut zstd, Compression::Zstd, NonZeroUsize::MIN).unwrap();
    for blob in [padded, zstd] {
        let size = blob.len() as u64;
        let right = Verifying::new(&blob[..], Digest::sha256(&blob), size);
        assert_eq!(all(right).unwrap().len(), 1);
        let wrong = Verifying::new(&blob[..], Digest::sha256(b"other"), size);
        assert!(matches!(all(wrong), Err(ReadError::Io(_))), "nobody asked for the end");
    }
}

#[test]
fn whoever_looks_can_break_off() {
    let archive = Foreign::new().file("a", b"a").file("b", b"b").bytes();
    let mut input = archive[..].chain(io::repeat(1));
    let found = entries(&mut input, |entry| ControlFlow::Break(entry.path)).unwrap();
    assert_eq!(found, ControlFlow::Break("a".to_owned()));
}

#[test]
fn of_a_file_as_many_first_bytes_are_shown_as_are_wanted() {
    let archive = Foreign::new()
        .folder("d/")
        .file("./d/long", b"0123456789")
        .file("short", b"01")
        .file("other", b"unseen")
        .bytes();
    let wanted = |path: &str, size: u64| match path {
        "d/long" | "short" => size.min(4),
        _ => 0,
    };
    let mut starts = Vec::new();
    let end = entries_with_starts(&archive[..], wanted, |entry, start| {
        starts.push((entry.path, start.to_vec(), entry.kind));
        ControlFlow::<()>::Continue(())
    });
    assert_eq!(end.unwrap(), ControlFlow::Continue(()));
    let expected = [
        ("d", &b""[..], EntryKind::Folder),
        ("d/long", b"0123", file(b"0123456789")),
        ("short", b"01", file(b"01")),
        ("other", b"", file(b"unseen")),
    ];
    assert_eq!(starts, expected.map(|(path, start, kind)| (path.to_owned(), start.to_vec(), kind)));
}

#[test]
fn attack_23_a_name_that_would_fill_the_memory_is_refused() {
    let long = |size| Foreign::new().add(EntryType::GNULongName, "l", "", &vec![b'a'; size]);
    let named = all(&long(1000).file("a", b"").bytes()[..]).unwrap();
    assert_eq!(named[0].path.len(), 1000);
    for kind in [EntryType::GNULongName, EntryType::GNULongLink, EntryType::XHeader] {
        let huge = Foreign::new().add(kind, "l", "", &vec![b'a'; 5 << 20]).file("a", b"");
        let ReadError::Io(error) = all(&huge.bytes()[..]).unwrap_err() else { panic!("{kind:?}") };
        assert!(error.to_string().contains("headers of an entry"), "{error}");
    }
    // Contents may be as long as they like.
    assert_eq!(shown(Foreign::new().file("a", &vec![7; 9 << 20])).len(), 1);
}

#[test]
fn attack_23_a_file_that_claims_to_be_nothing_but_holes_is_refused() {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::GNUSparse);
    header.set_path("hole").unwrap();
    header.set_size(0);
    let gnu = header.as_gnu_mut().unwrap();
    gnu.realsize = [b'7'; 12];
    gnu.sparse[0].offset = [b'7'; 12];
    gnu.sparse[0].numbytes = [b'0'; 12];
    header.set_cksum();
    let mut archive = header.as_bytes().to_vec();
    archive.extend([0; 1024]);
    let error = all(&archive[..]).unwrap_err();
    assert!(matches!(error, ReadError::Tree(TreeError::Kind { kind: 'S', .. })), "{error:?}");
}
