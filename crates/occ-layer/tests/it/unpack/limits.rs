//! Bombs, interruptions and disks that are not there.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use occ_layer::unpack;
use occ_layer::unpack::{Format, Limits, Measure, Place, UnpackError};

use super::material::{
    COMPRESSED, Zipped, file, folder, list, open, open_within, pack, pax, raw, tar, zip,
};

const SMALL: Limits = Limits { unpacked_bytes: 1 << 20, entries: 10 };

fn over(format: Format, archive: &[u8]) -> (Place, u64, Measure) {
    match open_within(format, archive, SMALL) {
        Err(UnpackError::OverLimit { place, limit, measure, .. }) => (place, limit, measure),
        other => panic!("{:?}", other.map(|tree| list(&tree).len())),
    }
}

#[test]
fn attack_25_a_bomb_goes_off_at_the_limit() {
    let zeros = vec![0; 32 << 20];
    let archive = tar(&[raw(b'0', b"bomb", b"", 0o644, &zeros)]);
    let expected = (Place::Member("bomb".to_owned()), 1 << 20, Measure::Bytes);
    for format in COMPRESSED {
        let packed = pack(format, &archive);
        assert!(packed.len() < 400_000, "{format:?} is no bomb: {}", packed.len());
        assert_eq!(over(format, &packed), expected, "{format:?}");
    }
    let bomb = Zipped::new("bomb", 0o100_644, &zeros).deflated();
    assert_eq!(over(Format::Zip, &zip(std::slice::from_ref(&bomb))), expected);
    // The header is not believed.
    let modest = Zipped { size: 1, ..bomb };
    assert_eq!(over(Format::Zip, &zip(&[modest])), expected);
}

#[test]
fn zeros_behind_the_end_count_too() {
    let archive = [tar(&[file("a")]), vec![0; 32 << 20]].concat();
    for format in COMPRESSED {
        let expected = (Place::End, 1 << 20, Measure::Bytes);
        assert_eq!(over(format, &pack(format, &archive)), expected, "{format:?}");
    }
}

#[test]
fn members_are_counted() {
    let names: Vec<String> = (0..11).map(|number| format!("f{number}")).collect();
    let expected = (Place::Member("f10".to_owned()), 10, Measure::Entries);
    let members: Vec<_> = names.iter().map(|name| folder(name)).collect();
    assert_eq!(over(Format::Tar, &tar(&members)), expected);
    assert_eq!(list(&open_within(Format::Tar, &tar(&members[..10]), SMALL).unwrap()).len(), 10);
    let members: Vec<_> = names.iter().map(|name| Zipped::new(name, 0o100_644, b"")).collect();
    assert_eq!(over(Format::Zip, &zip(&members)), expected);
}

#[test]
fn a_plain_file_is_measured() {
    let expected = (Place::Member("archive".to_owned()), 1 << 20, Measure::Bytes);
    assert_eq!(over(Format::Plain, &vec![0; (1 << 20) + 1]), expected);
    assert!(open_within(Format::Plain, &vec![0; 1 << 20], SMALL).is_ok());
}

#[test]
fn names_have_room_of_their_own() {
    let member = |number: usize| {
        let name = format!("{number:05}{}", format!("/{}", "n".repeat(200)).repeat(20));
        [pax(&[("path", name.as_bytes())]), folder("")].concat()
    };
    let mut archive = Vec::new();
    for number in 0..17_000 {
        archive.extend(member(number));
    }
    let packed = pack(Format::TarZst, &tar(&[archive]));
    let error = open(Format::TarZst, &packed).unwrap_err();
    let names = matches!(error, UnpackError::OverLimit { measure: Measure::Names, .. });
    assert!(names, "{error:?}");
}

#[test]
fn attack_24_a_header_that_would_fill_memory_is_refused() {
    let kinds = *b"xgLK";
    for kind in kinds {
        let header = raw(kind, b"header", b"", 0o644, &vec![b'n'; (1 << 20) + 1]);
        let error = open(Format::TarGz, &pack(Format::TarGz, &tar(&[header, file("a")])));
        assert!(matches!(error, Err(UnpackError::Damaged { .. })), "{}", char::from(kind));
    }
}

#[test]
fn attack_25_a_window_that_would_fill_memory_is_refused() {
    // The one block's header names LZMA2 with one byte for the size of its window; 40 means 4 GiB.
    let mut xz = pack(Format::TarXz, &tar(&[file("a")]));
    let length = (usize::from(xz[12]) + 1) * 4;
    let header = &mut xz[12..12 + length];
    let window = header.windows(2).position(|filter| filter == [0x21, 1]).unwrap() + 2;
    header[window] = 40;
    let mut sum = flate2::Crc::new();
    sum.update(&header[..length - 4]);
    header[length - 4..].copy_from_slice(&sum.sum().to_le_bytes());
    let error = open(Format::TarXz, &xz).unwrap_err();
    assert!(matches!(error, UnpackError::Damaged { place: Place::Start, .. }), "{error:?}");

    // Magic number, no flags, a window of 1 GiB, one raw block of one byte.
    let zst = [0x28, 0xb5, 0x2f, 0xfd, 0, 20 << 3, 9, 0, 0, 0];
    let error = open(Format::TarZst, &zst).unwrap_err();
    assert!(matches!(error, UnpackError::Damaged { place: Place::Start, .. }), "{error:?}");
    let small = [0x28, 0xb5, 0x2f, 0xfd, 0, 10 << 3, 9, 0, 0, 0];
    let error = open(Format::TarZst, &small).unwrap_err();
    assert!(matches!(error, UnpackError::Truncated { place: Place::Start, .. }), "{error:?}");
}

#[test]
fn an_interruption_is_its_own_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("archive");
    for format in [Format::Tar, Format::TarGz, Format::TarXz, Format::TarZst, Format::Zip] {
        let archive = match format {
            Format::Zip => zip(&[Zipped::new("a", 0o100_644, b"x")]),
            _ => pack(format, &tar(&[file("a")])),
        };
        std::fs::write(&path, archive).unwrap();
        let cancelled = AtomicBool::new(true);
        let result = unpack(&path, format, folder.path(), Limits::default(), &cancelled);
        assert!(matches!(result, Err(UnpackError::Interrupted)), "{format:?}");
    }
}

#[test]
fn an_interruption_is_heard_while_nothing_comes_out() {
    // Some 30 MB of members that hold nothing: the decoder alone would go through all of them.
    let empty = pack(Format::TarGz, b"").repeat(1_500_000);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("archive");
    std::fs::write(&path, empty).unwrap();
    let cancel = AtomicBool::new(false);
    let begin = std::time::Instant::now();
    let result = std::thread::scope(|scope| {
        let work =
            scope.spawn(|| unpack(&path, Format::TarGz, folder.path(), Limits::default(), &cancel));
        std::thread::sleep(std::time::Duration::from_millis(20));
        cancel.store(true, std::sync::atomic::Ordering::Relaxed);
        work.join().unwrap()
    });
    assert!(
        matches!(result, Err(UnpackError::Interrupted)),
        "{:?}",
        result.map(|tree| list(&tree))
    );
    assert!(begin.elapsed().as_secs() < 5);
}

#[test]
fn files_and_folders_that_are_not_there_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let gone = folder.path().join("gone");
    let at = |archive: &Path, spool: &Path, format| match unpack(
        archive,
        format,
        spool,
        Limits::default(),
        &AtomicBool::new(false),
    ) {
        Err(UnpackError::File { path, source }) => (path, source.kind()),
        other => panic!("{:?}", other.map(|tree| list(&tree))),
    };
    let missing = (gone.clone(), std::io::ErrorKind::NotFound);
    for format in [Format::Plain, Format::Tar, Format::TarGz, Format::Zip] {
        assert_eq!(at(&gone, folder.path(), format), missing, "{format:?}");
    }
    let archive = folder.path().join("archive");
    std::fs::write(&archive, pack(Format::TarGz, &tar(&[file("a")]))).unwrap();
    assert_eq!(at(&archive, &gone, Format::TarGz), missing);
    // A folder can be opened and not be read.
    assert_eq!(at(folder.path(), folder.path(), Format::TarGz).1, std::io::ErrorKind::IsADirectory);
}
