//! Archives written byte by byte, so that they can be as wrong as needed.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::atomic::AtomicBool;

use flate2::Compression;
use occ_layer::tree::{Content, Entry, Kind, LayerTree};
use occ_layer::unpack::{Format, Limits, UnpackError};
use occ_layer::{unpack, write};
use tar::{EntryType, Header};

pub(crate) const COMPRESSED: [Format; 3] = [Format::TarGz, Format::TarXz, Format::TarZst];

/// Unpacks bytes as if they were a file.
pub(crate) fn open(format: Format, archive: &[u8]) -> Result<LayerTree, UnpackError> {
    open_within(format, archive, Limits::default())
}

pub(crate) fn open_within(
    format: Format,
    archive: &[u8],
    limits: Limits,
) -> Result<LayerTree, UnpackError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("archive");
    std::fs::write(&path, archive).unwrap();
    let spool = folder.path().join("spool");
    std::fs::create_dir(&spool).unwrap();
    let tree = unpack(&path, format, &spool, limits, &AtomicBool::new(false));
    assert_eq!(std::fs::read_dir(&spool).unwrap().count(), 0, "something was left behind");
    tree
}

pub(crate) fn open_file(format: Format, archive: &Path) -> Result<LayerTree, UnpackError> {
    let folder = tempfile::tempdir().unwrap();
    unpack(archive, format, folder.path(), Limits::default(), &AtomicBool::new(false))
}

/// The tree as a layer: two trees are equal where this is.
pub(crate) fn layer(tree: LayerTree) -> Vec<u8> {
    let mut out = Vec::new();
    write(tree, &mut out).unwrap();
    out
}

/// Lists a tree as `mode path what`.
pub(crate) fn list(tree: &LayerTree) -> Vec<String> {
    let line = |(path, entry): (&str, &Entry)| {
        let what = match &entry.kind {
            Kind::Folder => "/".to_owned(),
            Kind::File(content) => format!("= {:?}", String::from_utf8_lossy(&bytes(content))),
            Kind::Symlink(target) => format!("-> {target}"),
            Kind::Hardlink(target) => format!("=> {target}"),
            other => format!("{other:?}"),
        };
        format!("{:o} {path} {what}", entry.mode)
    };
    tree.entries().map(line).collect()
}

pub(crate) fn bytes(content: &Content) -> Vec<u8> {
    let mut bytes = Vec::new();
    content.reader().read_to_end(&mut bytes).unwrap();
    bytes
}

/// A member of a tar archive, with whatever is asked for in its header.
pub(crate) fn raw(kind: u8, name: &[u8], target: &[u8], mode: u32, content: &[u8]) -> Vec<u8> {
    let mut header = Header::new_ustar();
    header.set_entry_type(EntryType::new(kind));
    header.set_mode(mode);
    header.set_size(content.len() as u64);
    header.set_uid(1000);
    header.set_gid(1000);
    header.set_mtime(1);
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.as_old_mut().linkname[..target.len()].copy_from_slice(target);
    header.set_cksum();
    let mut out = header.as_bytes().to_vec();
    out.extend(content);
    out.resize(out.len().next_multiple_of(512), 0);
    out
}

pub(crate) fn file(name: &str) -> Vec<u8> {
    raw(b'0', name.as_bytes(), b"", 0o644, b"x")
}

pub(crate) fn folder(name: &str) -> Vec<u8> {
    raw(b'5', name.as_bytes(), b"", 0o755, b"")
}

pub(crate) fn symlink(name: &str, target: &str) -> Vec<u8> {
    raw(b'2', name.as_bytes(), target.as_bytes(), 0o777, b"")
}

pub(crate) fn hardlink(name: &str, target: &str) -> Vec<u8> {
    raw(b'1', name.as_bytes(), target.as_bytes(), 0o644, b"")
}

/// An extended header for the next member.
pub(crate) fn pax(records: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    builder.append_pax_extensions(records.iter().copied()).unwrap();
    let mut out = builder.into_inner().unwrap();
    out.truncate(out.len() - 1024);
    out
}

/// Members and the end of a tar archive.
pub(crate) fn tar(members: &[Vec<u8>]) -> Vec<u8> {
    let mut out = members.concat();
    out.extend([0; 1024]);
    out
}

/// Compresses a tar archive.
pub(crate) fn pack(format: Format, tar: &[u8]) -> Vec<u8> {
    match format {
        Format::TarGz => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(tar).unwrap();
            encoder.finish().unwrap()
        }
        Format::TarXz => {
            let options = lzma_rust2::XzOptions::with_preset(0);
            let mut encoder = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
            encoder.write_all(tar).unwrap();
            encoder.finish().unwrap()
        }
        Format::TarZst => {
            let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
            encoder.include_checksum(true).unwrap();
            encoder.write_all(tar).unwrap();
            encoder.finish().unwrap()
        }
        Format::Tar | Format::Zip | Format::Plain => tar.to_vec(),
    }
}

/// A member of a zip archive; contents are what follows its name, as they stand there.
#[derive(Clone)]
pub(crate) struct Zipped {
    pub(crate) name: Vec<u8>,
    pub(crate) content: Vec<u8>,
    pub(crate) size: u32,
    pub(crate) crc: u32,
    pub(crate) host: u8,
    pub(crate) mode: u32,
    pub(crate) flags: u16,
    pub(crate) method: u16,
}

impl Zipped {
    /// Made on Unix and stored.
    pub(crate) fn new(name: &str, mode: u32, content: &[u8]) -> Self {
        let mut crc = flate2::Crc::new();
        crc.update(content);
        Self {
            name: name.into(),
            content: content.to_vec(),
            size: content.len().try_into().unwrap(),
            crc: crc.sum(),
            host: 3,
            mode,
            flags: 0,
            method: 0,
        }
    }

    pub(crate) fn deflated(mut self) -> Self {
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&self.content).unwrap();
        (self.content, self.method) = (encoder.finish().unwrap(), 8);
        self
    }

    /// What local and central header have in common.
    fn header(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for number in [20, self.flags, self.method, 0, 0] {
            out.extend(number.to_le_bytes());
        }
        let packed = u32::try_from(self.content.len()).unwrap();
        for number in [self.crc, packed, self.size] {
            out.extend(number.to_le_bytes());
        }
        out.extend(u16::try_from(self.name.len()).unwrap().to_le_bytes());
        out.extend([0, 0]);
        out
    }
}

/// Members, directory and end of a zip archive.
pub(crate) fn zip(members: &[Zipped]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for member in members {
        directory.extend(*b"PK\x01\x02\x14");
        directory.push(member.host);
        directory.extend(member.header());
        directory.extend([0; 6]);
        directory.extend((member.mode << 16).to_le_bytes());
        directory.extend(u32::try_from(out.len()).unwrap().to_le_bytes());
        directory.extend(&member.name);
        out.extend(*b"PK\x03\x04");
        out.extend(member.header());
        out.extend(&member.name);
        out.extend(&member.content);
    }
    let start = u32::try_from(out.len()).unwrap();
    let count = u16::try_from(members.len()).unwrap().to_le_bytes();
    out.extend(&directory);
    out.extend(*b"PK\x05\x06\0\0\0\0");
    out.extend(count);
    out.extend(count);
    out.extend(u32::try_from(directory.len()).unwrap().to_le_bytes());
    out.extend(start.to_le_bytes());
    out.extend([0, 0]);
    out
}
