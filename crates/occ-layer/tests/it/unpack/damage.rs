//! Archives that were cut off, damaged or made to be neither.

use std::error::Error as _;

use occ_layer::tree::{Kind, LayerTree};
use occ_layer::unpack::{Format, Place, UnpackError};
use proptest::prelude::*;

use super::material::{
    COMPRESSED, Zipped, file, folder, hardlink, layer, list, open, pack, pax, raw, symlink, tar,
    zip,
};

const TAR_FORMATS: [Format; 4] = [Format::Tar, Format::TarGz, Format::TarXz, Format::TarZst];

/// A bit of everything.
fn members() -> Vec<Vec<u8>> {
    let long = "long/".repeat(40) + "name";
    vec![
        raw(b'g', b"global", b"", 0o644, b"18 comment=global\n"),
        folder("./"),
        folder("bin/"),
        raw(b'0', b"bin/tool", b"", 0o755, &b"tool ".repeat(300)),
        symlink("bin/link", "../share/doc"),
        hardlink("bin/other", "bin/tool"),
        pax(&[("path", long.as_bytes()), ("mtime", b"1.5")]),
        file("long"),
        raw(b'L', b"././@LongLink", b"", 0o644, b"share/doc\0"),
        file("cut"),
    ]
}

fn zipped() -> Vec<u8> {
    zip(&[
        Zipped::new("bin/", 0o040_755, b""),
        Zipped::new("bin/tool", 0o100_755, &b"tool ".repeat(300)).deflated(),
        Zipped::new("bin/link", 0o120_777, b"../share/doc"),
        Zipped::new("share/doc", 0o100_644, b"x"),
    ])
}

fn archives() -> Vec<(Format, Vec<u8>)> {
    let tar = tar(&members());
    let mut archives: Vec<_> =
        TAR_FORMATS.into_iter().map(|format| (format, pack(format, &tar))).collect();
    archives.push((Format::Zip, zipped()));
    archives
}

/// A reader with its own idea of paths: nothing may come out that leads anywhere but into the tree.
fn assert_harmless(tree: LayerTree) {
    for (path, entry) in tree.entries() {
        assert!(!path.is_empty() && !path.starts_with('/') && !path.contains(['\0', '\\', '\n']));
        assert!(path.split('/').all(|part| !matches!(part, "" | "." | "..")), "{path:?}");
        assert_eq!(entry.mode & !0o777, 0, "{path:?}");
        match &entry.kind {
            Kind::Symlink(target) => {
                let mut depth = path.matches('/').count();
                assert!(!target.starts_with('/'), "{path} -> {target}");
                for part in target.split('/') {
                    match part {
                        "" | "." => {}
                        ".." => depth = depth.checked_sub(1).unwrap(),
                        _ => depth += 1,
                    }
                }
            }
            Kind::Hardlink(target) => assert!(tree.get(target).is_some(), "{path} => {target}"),
            Kind::Device { .. } | Kind::Fifo => panic!("{path} is special"),
            Kind::Folder | Kind::File(_) => {}
        }
    }
    assert!(!layer(tree).is_empty());
}

#[test]
fn the_whole_archives_are_good() {
    for (format, archive) in archives() {
        let tree = open(format, &archive).unwrap();
        let link = tree.get("bin/link").map(|entry| &entry.kind);
        assert!(matches!(link, Some(Kind::Symlink(_))), "{format:?}: {:?}", list(&tree));
        assert_harmless(tree);
    }
}

#[test]
fn an_archive_that_ends_early_is_truncated_and_the_error_names_the_member() {
    let archive = tar(&[file("first"), raw(b'0', b"second", b"", 0o644, &[7; 5000])]);
    let second = Place::Member("second".to_owned());
    for (kept, expected) in [
        (0, Place::Start),
        (100, Place::Start),
        (1024, Place::Member("first".to_owned())),
        (1536, second.clone()),
        (3000, second.clone()),
        (1536 + 5000, second.clone()),
        // Whole members without an end, and with half an end.
        (archive.len() - 1024, second),
        (archive.len() - 512, Place::End),
        (archive.len() - 1, Place::End),
    ] {
        for format in TAR_FORMATS {
            let error = open(format, &pack(format, &archive[..kept])).unwrap_err();
            let UnpackError::Truncated { place, .. } = error else {
                panic!("{format:?} {kept}: {error:?}")
            };
            assert_eq!(place, expected, "{format:?} {kept}");
        }
    }
}

#[test]
fn a_compressed_file_that_ends_early_is_truncated() {
    let noise: Vec<u8> =
        (0..40_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()).collect();
    let archive = tar(&[raw(b'0', b"noise", b"", 0o644, &noise)]);
    for format in COMPRESSED {
        let packed = pack(format, &archive);
        let error = open(format, &packed[..packed.len() / 2]).unwrap_err();
        let noise = Place::Member("noise".to_owned());
        let truncated = matches!(&error, UnpackError::Truncated { place, .. } if *place == noise);
        assert!(truncated, "{format:?}: {error:?}");
        let error = open(format, &packed[..packed.len() - 1]).unwrap_err();
        assert!(matches!(&error, UnpackError::Truncated { .. }), "{format:?}: {error:?}");
    }
    let zipped = zipped();
    let error = open(Format::Zip, &zipped[..zipped.len() - 1]).unwrap_err();
    assert!(matches!(&error, UnpackError::Truncated { .. }), "{error:?}");
}

#[test]
fn damage_in_the_compressed_bytes_is_found_and_has_a_cause() {
    let noise: Vec<u8> =
        (0..40_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()).collect();
    let archive = tar(&[raw(b'0', b"noise", b"", 0o644, &noise)]);
    for format in COMPRESSED {
        let mut packed = pack(format, &archive);
        let middle = packed.len() / 2;
        packed[middle] ^= 0x10;
        let error = open(format, &packed).unwrap_err();
        assert!(matches!(error, UnpackError::Damaged { .. }), "{format:?}: {error:?}");
        assert!(error.source().is_some(), "{format:?}: {error:?}");
    }
    let mut member = Zipped::new("noise", 0o100_644, &noise).deflated();
    let middle = member.content.len() / 2;
    member.content[middle] ^= 0x10;
    let error = open(Format::Zip, &zip(&[member])).unwrap_err();
    assert!(
        matches!(&error, UnpackError::Damaged { place, .. } if *place == Place::Member("noise".to_owned())),
        "{error:?}"
    );
}

fn damage(format: Format, archive: &[u8]) -> String {
    match open(format, archive) {
        Err(UnpackError::Damaged { source, .. }) => source.to_string(),
        other => panic!("{:?}", other.map(|tree| list(&tree))),
    }
}

#[test]
fn a_member_of_a_zip_archive_has_the_size_and_checksum_of_the_directory() {
    let promise = "the contents are not those that the directory promises";
    for change in [
        |member: &mut Zipped| member.crc ^= 1,
        |member: &mut Zipped| member.size += 1,
        |member: &mut Zipped| member.size -= 1,
    ] {
        for mut member in
            [Zipped::new("a", 0o100_644, b"text"), Zipped::new("a", 0o100_644, b"text").deflated()]
        {
            change(&mut member);
            assert_eq!(damage(Format::Zip, &zip(&[member])), promise);
        }
    }
}

#[test]
fn what_comes_before_or_after_an_archive_is_an_error() {
    let whole = tar(&[file("a")]);
    for format in TAR_FORMATS {
        let packed = pack(format, &whole);
        let more = [&packed[..], b"more"].concat();
        let error = open(format, &more).unwrap_err();
        let at_end = matches!(&error, UnpackError::Damaged { place: Place::End, .. });
        let cut = matches!(&error, UnpackError::Truncated { place: Place::End, .. });
        assert!(at_end || (cut && format != Format::Tar), "{format:?}: {error:?}");
        let inside = pack(format, &[&whole[..], &file("hidden")].concat());
        assert_eq!(damage(format, &inside), "bytes follow the end of the archive");
    }
    let archive = zipped();
    let after = [&archive[..], b"more"].concat();
    assert_eq!(damage(Format::Zip, &after), "bytes follow the end of the archive");
    let before = [b"#!/bin/sh\n", &archive[..]].concat();
    assert_eq!(damage(Format::Zip, &before), "the directory is not where the archive says");
}

#[test]
fn zeros_after_an_archive_are_padding() {
    let whole = tar(&[file("a")]);
    for format in [Format::Tar, Format::TarGz, Format::TarXz] {
        let padded = [&pack(format, &whole)[..], &vec![0; 20_480]].concat();
        assert_eq!(list(&open(format, &padded).unwrap()), ["644 a = \"x\""], "{format:?}");
    }
    for format in TAR_FORMATS {
        let padded = pack(format, &[&whole[..], &vec![0; 20_480]].concat());
        assert_eq!(list(&open(format, &padded).unwrap()), ["644 a = \"x\""], "{format:?}");
    }
    let again =
        [&pack(Format::TarGz, &whole)[..], &[0; 512], &pack(Format::TarGz, &[0; 512])].concat();
    assert_eq!(damage(Format::TarGz, &again), "bytes after the padding");
}

#[test]
fn attack_24_malformed_headers_of_a_tar_archive() {
    let mut member = file("a");
    member[0] = b'b';
    assert_eq!(damage(Format::Tar, &tar(&[member])), "the checksum of a header is wrong");
    let bad = raw(b'x', b"x", b"", 0o644, b"99 path=b\n");
    assert_eq!(damage(Format::Tar, &tar(&[bad, file("a")])), "an extended header is malformed");
    let twice = [pax(&[("path", b"b")]), pax(&[("path", b"c")]), file("a")];
    assert_eq!(damage(Format::Tar, &tar(&twice)), "two headers announce one member");
    let alone = [file("a"), pax(&[("path", b"b")])];
    assert_eq!(damage(Format::Tar, &tar(&alone)), "a header announces a member that does not come");
    let size = [pax(&[("size", b"many")]), file("a")];
    assert_eq!(damage(Format::Tar, &tar(&size)), "the size is no number");
    let huge = [pax(&[("size", b"18446744073709551615")]), file("a")];
    assert!(matches!(open(Format::Tar, &tar(&huge)), Err(UnpackError::Truncated { .. })));
}

/// Changes the bytes, and where a header of the tar archive was hit makes it valid again.
fn mutate(archive: &mut [u8], headers: &[usize], changes: &[(prop::sample::Index, u8)]) {
    for (at, value) in changes {
        let at = at.index(archive.len());
        archive[at] = *value;
    }
    for start in headers {
        let block = &mut archive[*start..start + 512];
        let mut header = tar::Header::new_old();
        header.as_mut_bytes().copy_from_slice(block);
        header.set_cksum();
        block.copy_from_slice(header.as_bytes());
    }
}

proptest! {
    #[test]
    fn an_archive_cut_anywhere_is_an_error(at in any::<prop::sample::Index>()) {
        for (format, archive) in archives() {
            let cut = at.index(archive.len());
            prop_assert!(open(format, &archive[..cut]).is_err(), "{:?} {}", format, cut);
        }
    }

    #[test]
    fn a_damaged_archive_is_an_error_or_harmless(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)
    ) {
        for (format, mut archive) in archives() {
            mutate(&mut archive, &[], &changes);
            if let Ok(tree) = open(format, &archive) {
                assert_harmless(tree);
            }
        }
    }

    #[test]
    fn attack_24_an_archive_made_to_be_wrong_is_an_error_or_harmless(
        changes in prop::collection::vec(
            (any::<prop::sample::Index>(), prop::sample::select(&b"\0./aA\\012345xgLKS7 \xff"[..])),
            1..12,
        )
    ) {
        let members = members();
        let headers: Vec<usize> = members
            .iter()
            .scan(0, |at, member| {
                *at += member.len();
                Some(*at - member.len())
            })
            .collect();
        let mut archive = tar(&members);
        mutate(&mut archive, &headers, &changes);
        if let Ok(tree) = open(Format::Tar, &archive) {
            assert_harmless(tree);
        }
    }
}
