//! One archive per thing that is not taken from strangers.

use occ_layer::unpack::{Fault, Format, UnpackError};

use super::material::{
    COMPRESSED, Zipped, file, folder, hardlink, list, open, pack, pax, raw, symlink, tar, zip,
};

/// The member that is refused, and why; the same whichever way the archive is compressed.
fn refusal(members: &[Vec<u8>]) -> (String, Fault) {
    let archive = tar(members);
    let refused = fault(Format::Tar, &archive);
    for format in COMPRESSED {
        assert_eq!(fault(format, &pack(format, &archive)), refused, "{format:?}");
    }
    refused
}

fn zip_refusal(members: &[Zipped]) -> (String, Fault) {
    fault(Format::Zip, &zip(members))
}

fn fault(format: Format, archive: &[u8]) -> (String, Fault) {
    match open(format, archive) {
        Err(UnpackError::Refused { member, fault, .. }) => (member, fault),
        Err(other) => panic!("{other:?}"),
        Ok(tree) => panic!("let through: {:?}", list(&tree)),
    }
}

fn plain(name: &str) -> Zipped {
    Zipped::new(name, 0o100_644, b"x")
}

#[test]
fn attack_23_paths_that_lead_out() {
    for (name, why) in [
        ("/etc/passwd", Fault::Absolute),
        ("//etc", Fault::Absolute),
        ("../a", Fault::Climbs),
        ("a/../../b", Fault::Climbs),
        ("a/../b", Fault::Climbs),
        ("a/..", Fault::Climbs),
        ("..", Fault::Climbs),
    ] {
        let refused = (name.to_owned(), why);
        assert_eq!(refusal(&[file("good"), file(name)]), refused);
        assert_eq!(refusal(&[pax(&[("path", name.as_bytes())]), file("good")]), refused);
        let long = raw(b'L', b"././@LongLink", b"", 0o644, format!("{name}\0").as_bytes());
        assert_eq!(refusal(&[long, file("good")]), refused);
        assert_eq!(zip_refusal(&[plain("good"), plain(name)]), refused);
    }
}

#[test]
fn names_that_are_none() {
    assert_eq!(refusal(&[raw(b'0', b"", b"", 0o644, b"")]).1, Fault::Nameless);
    assert_eq!(refusal(&[raw(b'0', b".", b"", 0o644, b"")]).1, Fault::Nameless);
    assert_eq!(refusal(&[symlink(".", "a")]).1, Fault::Nameless);
    assert_eq!(refusal(&[file("a/")]).1, Fault::Contradiction);
    assert_eq!(zip_refusal(&[plain("")]).1, Fault::Nameless);
    assert_eq!(zip_refusal(&[plain("a/")]).1, Fault::Contradiction);
    assert_eq!(zip_refusal(&[Zipped::new("a", 0o040_755, b"")]).1, Fault::Contradiction);
}

#[test]
fn attack_23_names_that_cannot_be_shown() {
    let named = |name: &[u8]| refusal(&[pax(&[("path", name)]), file("a")]).1;
    assert_eq!(named(b"a\xffb"), Fault::NotUtf8);
    for name in [&b"a\0b"[..], b"a\nb", b"a\x1b[2Jb", b"a\x7f", b"a\\b", "a\u{85}b".as_bytes()] {
        assert_eq!(named(name), Fault::Unprintable);
        let mut zipped = plain("");
        zipped.name = name.to_vec();
        assert_eq!(zip_refusal(&[zipped]).1, Fault::Unprintable);
    }
    let mut zipped = plain("");
    zipped.name = b"a\xff".to_vec();
    assert_eq!(zip_refusal(&[zipped]), ("a\u{fffd}".to_owned(), Fault::NotUtf8));
    assert_eq!(refusal(&[raw(b'2', b"a", b"b\xff", 0o777, b"")]).1, Fault::NotUtf8);
    assert_eq!(refusal(&[symlink("a", "b\tc")]).1, Fault::Unprintable);
    assert_eq!(refusal(&[file("f"), raw(b'1', b"a", b"f\\", 0o644, b"")]).1, Fault::Unprintable);
}

#[test]
fn names_that_linux_cannot_open() {
    let named = |name: String| refusal(&[pax(&[("path", name.as_bytes())]), file("a")]).1;
    assert_eq!(named("n".repeat(256)), Fault::TooLong);
    assert_eq!(named("n/".repeat(2048) + "n"), Fault::TooLong);
    let target = "t/".repeat(2049);
    assert_eq!(
        refusal(&[pax(&[("linkpath", target.as_bytes())]), symlink("a", "")]).1,
        Fault::TooLong
    );
    let link = Zipped::new("a", 0o120_777, target.as_bytes());
    assert_eq!(zip_refusal(&[link]).1, Fault::TooLong);
}

#[test]
fn attack_23_symbolic_links_that_lead_out() {
    for (name, target) in [
        ("a", "/etc"),
        ("a", ""),
        ("a", ".."),
        ("a", "../b"),
        ("d/a", "../../b"),
        ("d/a", "../b/../../c"),
        ("a", "b/../c"),
    ] {
        let refused = (name.to_owned(), Fault::SymlinkOut(target.to_owned()));
        assert_eq!(refusal(&[symlink(name, target)]), refused);
        assert_eq!(zip_refusal(&[Zipped::new(name, 0o120_777, target.as_bytes())]), refused);
    }
}

#[test]
fn attack_23_hard_links_that_lead_out_or_nowhere() {
    for target in ["/etc/passwd", "../a", "gone", "folder", "link", "self", ".", ""] {
        let members =
            [file("good"), folder("folder/"), symlink("link", "good"), hardlink("self", target)];
        let refused = ("self".to_owned(), Fault::HardlinkOut(target.to_owned()));
        assert_eq!(refusal(&members), refused);
    }
}

#[test]
fn attack_23_devices_pipes_and_sockets() {
    for kind in *b"346" {
        let member = raw(kind, b"dev/x", b"", 0o644, b"");
        assert_eq!(refusal(&[member]), ("dev/x".to_owned(), Fault::Special));
    }
    for mode in [0o020_644, 0o060_644, 0o010_644, 0o140_755] {
        let refused = ("x".to_owned(), Fault::Special);
        assert_eq!(zip_refusal(&[Zipped::new("x", mode, b"")]), refused);
    }
}

#[test]
fn attack_23_set_id_and_sticky() {
    for bit in [0o4000, 0o2000, 0o1000] {
        let refused = ("x/y".to_owned(), Fault::SetId);
        assert_eq!(refusal(&[raw(b'0', b"x/y", b"", 0o755 | bit, b"")]), refused);
        assert_eq!(refusal(&[raw(b'5', b"x/y", b"", 0o755 | bit, b"")]), refused);
        assert_eq!(zip_refusal(&[Zipped::new("x/y", 0o100_755 | bit, b"")]), refused);
        assert_eq!(zip_refusal(&[Zipped::new("x/y/", 0o040_755 | bit, b"")]).1, Fault::SetId);
    }
}

#[test]
fn attack_23_one_path_twice() {
    let refused = ("./a//b".to_owned(), Fault::Duplicate);
    let other = raw(b'0', b"./a//b", b"", 0o644, b"other");
    assert_eq!(refusal(&[file("a/b"), other]), refused);
    assert_eq!(refusal(&[folder("a/"), folder("a")]).1, Fault::Duplicate);
    assert_eq!(refusal(&[file("a"), folder("a/")]).1, Fault::Duplicate);
    assert_eq!(zip_refusal(&[plain("a/b"), Zipped::new("./a//b", 0o100_644, b"other")]), refused);
}

/// `npm pack` does this, and there is nothing to choose between.
#[test]
fn one_file_twice_with_the_same_bytes_is_one_file() {
    let tree = open(Format::Tar, &tar(&[file("a/b"), file("./a//b")])).unwrap();
    assert_eq!(list(&tree), ["644 a/b = \"x\""]);
}

#[test]
fn attack_23_paths_that_differ_only_in_case() {
    let collision =
        |path: &str, other: &str| (path.to_owned(), Fault::CaseCollision(other.to_owned()));
    assert_eq!(refusal(&[file("readme"), file("README")]), collision("readme", "README"));
    // The folders are only implied.
    assert_eq!(refusal(&[file("Lib/a"), file("lib/b")]), collision("lib/b", "Lib"));
    assert_eq!(refusal(&[file("Ő"), file("ő")]), collision("ő", "Ő"));
    assert_eq!(zip_refusal(&[plain("a"), plain("A")]), collision("a", "A"));
}

#[test]
fn members_in_what_is_no_folder() {
    let refused = |why| ("a/b".to_owned(), why);
    let in_file = || refused(Fault::InFile("a".to_owned()));
    assert_eq!(refusal(&[file("a"), file("a/b")]), in_file());
    assert_eq!(refusal(&[file("a/b"), file("a")]), in_file());
    assert_eq!(refusal(&[file("f"), hardlink("a", "f"), folder("a/b")]), in_file());
    assert_eq!(zip_refusal(&[plain("a"), plain("a/b")]), in_file());
    let behind = || refused(Fault::BehindSymlink("a".to_owned()));
    assert_eq!(refusal(&[folder("c"), symlink("a", "c"), file("a/b")]), behind());
    assert_eq!(refusal(&[file("a/b"), symlink("a", "c")]), behind());
    let link = Zipped::new("a", 0o120_777, b"c");
    assert_eq!(zip_refusal(&[link, plain("a/b")]), behind());
}

#[test]
fn attack_23_a_chain_of_links_does_not_lead_out() {
    // Each target stays inside if the words are counted, and `x` is the parent of the root.
    let chain = [symlink("d/e/f/up", "../.."), symlink("x", "d/e/f/up/../..")];
    assert_eq!(refusal(&chain).0, "x");
}

#[test]
fn kinds_that_are_not_known_here() {
    for kind in *b"DMNVXAZ" {
        let refused = ("x".to_owned(), Fault::Kind(char::from(kind)));
        assert_eq!(refusal(&[raw(kind, b"x", b"", 0o644, b"")]), refused);
    }
}

#[test]
fn attack_24_sparse_files() {
    assert_eq!(refusal(&[raw(b'S', b"x", b"", 0o644, b"")]).1, Fault::Sparse);
    let records: &[(&str, &[u8])] = &[("GNU.sparse.major", b"1"), ("GNU.sparse.name", b"x")];
    assert_eq!(refusal(&[pax(records), file("x")]).1, Fault::Sparse);
}

#[test]
fn contents_of_what_is_no_file() {
    for kind in *b"125" {
        let member = raw(kind, b"x", b"f", 0o644, b"hidden");
        assert_eq!(refusal(&[file("f"), member]), ("x".to_owned(), Fault::Contents));
    }
    let mut folder = Zipped::new("x/", 0o040_755, b"hidden");
    assert_eq!(zip_refusal(&[folder.clone()]).1, Fault::Contents);
    folder.host = 0;
    assert_eq!(zip_refusal(&[folder]).1, Fault::Contents);
}

#[test]
fn encrypted_and_strangely_compressed_members_of_a_zip_archive() {
    let mut secret = plain("secret");
    secret.flags = 1;
    assert_eq!(zip_refusal(&[secret]), ("secret".to_owned(), Fault::Encrypted));
    for method in [1, 9, 12, 14, 93, 95, 99] {
        let mut member = plain("packed");
        member.method = method;
        assert_eq!(zip_refusal(&[member]), ("packed".to_owned(), Fault::Compression(method)));
    }
}

#[test]
fn a_refusal_names_archive_member_and_reason_and_shows_no_control_character() {
    let archive = tar(&[pax(&[("path", b"a\x1b[2Jb")]), file("a")]);
    let message = open(Format::Tar, &archive).unwrap_err().to_string();
    assert!(message.starts_with(r#""a\u{1b}[2Jb" in "#), "{message}");
    assert!(
        message.ends_with("archive has a control character or backslash in its name or target")
    );
}
