//! Writing a backup: in one go, whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::thread;

use occ_layer::Compression;
use occ_layer::compress::Compressor;
use occ_oci::Sha256Writer;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::error::BackupError;
use super::format::{HEAD, Head, MANIFEST, Manifest, PIECE, Part, archive, piece};

/// A file that gets its name when it is finished, and is gone when it is dropped before.
pub(super) struct Unfinished {
    path: PathBuf,
    temporary: PathBuf,
    named: bool,
}

impl Unfinished {
    pub(super) fn create(path: &Path) -> Result<(Self, File), BackupError> {
        if path.symlink_metadata().is_ok() {
            return Err(BackupError::Exists { path: path.to_owned() });
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let pid = rustix::process::getpid().as_raw_pid();
        let temporary = path.with_file_name(format!(".{name}.{pid}.tmp"));
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let file = options.open(&temporary).map_err(failed("create", path))?;
        Ok((Self { path: path.to_owned(), temporary, named: false }, file))
    }

    /// Gives the file its name, unless somebody else took it meanwhile.
    pub(super) fn finish(mut self, file: &File) -> Result<(), BackupError> {
        file.sync_all().map_err(failed("write", &self.path))?;
        match fs::hard_link(&self.temporary, &self.path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(BackupError::Exists { path: self.path.clone() });
            }
            // Some file systems have no second names.
            Err(_) => {
                fs::rename(&self.temporary, &self.path).map_err(failed("write", &self.path))?;
                self.named = true;
            }
        }
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = File::open(folder.unwrap_or(Path::new(".")));
        folder.and_then(|folder| folder.sync_all()).map_err(failed("write", &self.path))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.named {
            // It is ours; that it is gone already is as good.
            drop(fs::remove_file(&self.temporary));
        }
    }
}

pub(super) fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> BackupError {
    let path = path.to_owned();
    move |source| BackupError::File { doing, path, source }
}

/// A backup being written.
pub(super) struct Writer<W: Write> {
    out: Sha256Writer<Compressor<W>>,
    parts: Vec<Part>,
    open: Option<Volume>,
}

/// A volume's archive being written.
struct Volume {
    place: String,
    number: u32,
    piece: Vec<u8>,
    hash: Sha256,
    size: u64,
}

impl<W: Write> Writer<W> {
    pub(super) fn new(out: W, head: &Head) -> io::Result<Self> {
        let threads = thread::available_parallelism()?;
        let out = Sha256Writer::new(Compressor::new(out, Compression::Zstd, threads));
        let mut writer = Self { out, parts: Vec::new(), open: None };
        writer.json(HEAD, head)?;
        Ok(writer)
    }

    pub(super) fn file(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let sha256 = hex(&Sha256::digest(bytes));
        self.parts.push(Part { name: name.to_owned(), size: bytes.len() as u64, sha256 });
        self.entry(name, bytes)
    }

    pub(super) fn begin(&mut self, place: &str) {
        let piece = Vec::with_capacity(PIECE);
        let hash = Sha256::new();
        self.open = Some(Volume { place: place.to_owned(), number: 0, piece, hash, size: 0 });
    }

    /// Adds bytes of the volume's archive begun last.
    pub(super) fn bytes(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        let mut volume = self.open.take().expect("begun before");
        volume.hash.update(bytes);
        volume.size += bytes.len() as u64;
        while !bytes.is_empty() {
            let (now, rest) = bytes.split_at(bytes.len().min(PIECE - volume.piece.len()));
            volume.piece.extend_from_slice(now);
            bytes = rest;
            if volume.piece.len() == PIECE {
                self.flush(&mut volume)?;
            }
        }
        self.open = Some(volume);
        Ok(())
    }

    pub(super) fn end(&mut self) -> io::Result<()> {
        let mut volume = self.open.take().expect("begun before");
        if !volume.piece.is_empty() || volume.number == 0 {
            self.flush(&mut volume)?;
        }
        let (name, sha256) = (archive(&volume.place), hex(&volume.hash.finalize()));
        self.parts.push(Part { name, size: volume.size, sha256 });
        Ok(())
    }

    fn flush(&mut self, volume: &mut Volume) -> io::Result<()> {
        self.entry(&piece(&volume.place, volume.number), &volume.piece)?;
        volume.number += 1;
        volume.piece.clear();
        Ok(())
    }

    /// Writes the manifest and what ends an archive.
    pub(super) fn finish(self) -> io::Result<()> {
        let (out, whole, _) = self.out.finish();
        let manifest = Manifest { parts: self.parts, whole: whole.hex().to_owned() };
        let mut writer = Self { out: Sha256Writer::new(out), parts: Vec::new(), open: None };
        writer.json(MANIFEST, &manifest)?;
        writer.out.write_all(&[0; 1024])?;
        let (compressor, _, _) = writer.out.finish();
        compressor.finish().map(drop)
    }

    fn json(&mut self, name: &str, value: &impl Serialize) -> io::Result<()> {
        let bytes = serde_json::to_vec_pretty(value).map_err(io::Error::other)?;
        self.entry(name, &bytes)
    }

    fn entry(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut header = tar::Header::new_ustar();
        header.set_path(name)?;
        header.set_size(bytes.len() as u64);
        header.set_mode(0o600);
        header.set_entry_type(tar::EntryType::Regular);
        header.set_mtime(0);
        header.set_cksum();
        self.out.write_all(header.as_bytes())?;
        self.out.write_all(bytes)?;
        let over = bytes.len() % 512;
        if over > 0 { self.out.write_all(&[0; 512][over..]) } else { Ok(()) }
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
