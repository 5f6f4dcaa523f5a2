//! Archives of our own making, good and bad.

use std::io::Write as _;

use flate2::write::GzEncoder;
use flate2::{Compression, Crc};

/// The beginning of a program for Linux; machine 62 is x86, 183 is Arm.
pub(super) fn elf(machine: u8) -> Vec<u8> {
    let mut program = b"\x7fELF\x02\x01\x01".to_vec();
    program.resize(18, 0);
    program.extend([machine, 0]);
    program.extend(b"the rest");
    program
}

/// Returns a compressed tar archive; names that end in `*` are executable.
pub(super) fn tar_gz(files: &[(&str, &[u8])]) -> Vec<u8> {
    let gzip = GzEncoder::new(Vec::new(), Compression::fast());
    let mut tar = tar::Builder::new(gzip);
    for (name, contents) in files {
        let plain = name.trim_end_matches('*');
        let mut header = tar::Header::new_ustar();
        // Set by hand: the builder would refuse names that climb.
        header.as_old_mut().name[..plain.len()].copy_from_slice(plain.as_bytes());
        header.set_mode(if plain == *name { 0o644 } else { 0o755 });
        header.set_size(contents.len() as u64);
        header.set_cksum();
        tar.append(&header, *contents).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

/// Returns a zip archive without compression (APPNOTE.TXT, 4.3).
pub(super) fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut zip, mut directory) = (Vec::new(), Vec::new());
    for (name, contents) in files {
        let mut crc = Crc::new();
        crc.update(contents);
        let size = u32::try_from(contents.len()).unwrap().to_le_bytes();
        let name_size = u16::try_from(name.len()).unwrap().to_le_bytes();
        // Flags, method, time, date.
        let mut common = vec![0; 6];
        common.extend([0x21, 0]);
        common.extend(crc.sum().to_le_bytes());
        common.extend(size);
        common.extend(size);
        common.extend(name_size);
        common.extend([0, 0]);

        directory.extend(b"PK\x01\x02\x14\x03\x14\x00");
        directory.extend(&common);
        // Comment, disk, internal attributes.
        directory.extend([0; 6]);
        directory.extend((0o100_755_u32 << 16).to_le_bytes());
        directory.extend(u32::try_from(zip.len()).unwrap().to_le_bytes());
        directory.extend(name.as_bytes());

        zip.extend(b"PK\x03\x04\x14\x00");
        zip.extend(&common);
        zip.extend(name.as_bytes());
        zip.extend(*contents);
    }
    let count = u16::try_from(files.len()).unwrap().to_le_bytes();
    let begin = u32::try_from(zip.len()).unwrap().to_le_bytes();
    let size = u32::try_from(directory.len()).unwrap().to_le_bytes();
    zip.write_all(&directory).unwrap();
    zip.extend(b"PK\x05\x06\0\0\0\0");
    zip.extend([count, count].concat());
    zip.extend([size, begin].concat());
    zip.extend([0, 0]);
    zip
}

/// Returns bytes that nothing makes fewer.
pub(super) fn noise(size: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        // Knuth's MMIX generator; its upper bits are the good ones.
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    (0..size).map(|_| next()).collect()
}
