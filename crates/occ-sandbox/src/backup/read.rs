//! Reading a backup: all of it is looked at before anything of it is used.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use occ_layer::Compression;
use occ_layer::compress::{Decompressor, decompress};
use sha2::{Digest as _, Sha256};

use super::contents;
use super::error::BackupError;
use super::format::{FORMAT, Head, KIND, Manifest, Name, Part, SMALL, archive};
use super::write::{failed, hex};
use crate::error::ApplyError;

/// A backup that was read to its end and is what was written.
#[derive(Debug)]
pub struct Verified {
    /// Where it is.
    pub path: PathBuf,
    /// What it says it is.
    pub head: Head,
    /// What is in it.
    pub manifest: Manifest,
    /// The record, as it was written.
    pub record: Option<Vec<u8>>,
    /// The settings, as they were written.
    pub settings: Option<Vec<u8>>,
}

/// Returns what a backup says it is, and reads no further.
///
/// # Errors
/// When it is none, or one of a newer form.
pub fn read_head(path: &Path) -> Result<Head, BackupError> {
    let file = File::open(path).map_err(failed("read", path))?;
    Outer::open(file, path).and_then(|mut outer| outer.head())
}

/// Reads a backup to its end, comparing every checksum and looking at every name.
///
/// # Errors
/// When it is no backup, a newer or a damaged one, or has something in it that no backup has.
pub fn verify_backup(
    path: &Path,
    cancel: &AtomicBool,
    observer: &dyn Fn(u64),
) -> Result<Verified, BackupError> {
    let file = File::open(path).map_err(failed("read", path))?;
    let mut outer = Outer::open(file, path)?;
    let head = outer.head()?;
    let (mut parts, mut record, mut settings) = (Vec::new(), None, None);
    let manifest = loop {
        if cancel.load(Ordering::SeqCst) {
            return Err(ApplyError::Interrupted.into());
        }
        let entry = outer.next()?.ok_or_else(|| outer.damaged("it ends too early"))?;
        match entry.name {
            Name::Head => return Err(outer.damaged("it begins twice")),
            Name::Record => record = Some(outer.small(&entry, &mut parts)?),
            Name::Settings => settings = Some(outer.small(&entry, &mut parts)?),
            Name::Piece { place, number: 0 } => parts.push(outer.volume(place, observer)?),
            Name::Piece { .. } => return Err(outer.damaged("a piece of a volume is missing")),
            Name::Manifest => break outer.manifest(&entry)?,
        }
    };
    outer.end()?;
    if manifest.parts != parts {
        return Err(outer.damaged("its parts are not those that were written"));
    }
    Ok(Verified { path: path.to_owned(), head, manifest, record, settings })
}

/// An entry's head.
pub(super) struct Entry {
    pub(super) name: Name,
    pub(super) size: u64,
}

/// The archive, entry by entry.
pub(super) struct Outer {
    path: PathBuf,
    input: Decompressor<BufReader<File>>,
    hash: Sha256,
    /// The same, as it was before the entry that is being read.
    before: Sha256,
    /// Bytes of the entry that were not read, and of what fills it up.
    left: u64,
    filling: u64,
    /// Number of the piece that must follow.
    piece: u32,
    /// An entry whose head was read in looking for the next piece.
    pending: Option<Entry>,
}

impl Outer {
    pub(super) fn open(mut file: File, path: &Path) -> Result<Self, BackupError> {
        let mut start = [0; 4];
        file.rewind().map_err(failed("read", path))?;
        let is_ours = file.read_exact(&mut start).is_ok()
            && Compression::of_start(&start) == Compression::Zstd;
        if !is_ours {
            return Err(BackupError::Foreign { path: path.to_owned() });
        }
        file.rewind().map_err(failed("read", path))?;
        let input = decompress(BufReader::new(file), Compression::Zstd);
        let input = input.map_err(failed("read", path))?;
        let (hash, before) = (Sha256::new(), Sha256::new());
        let path = path.to_owned();
        Ok(Self { path, input, hash, before, left: 0, filling: 0, piece: 0, pending: None })
    }

    pub(super) fn damaged(&self, why: impl Into<String>) -> BackupError {
        BackupError::Damaged { path: self.path.clone(), why: why.into() }
    }

    /// Whatever the file system does not say itself is said by bytes that are not what was written.
    fn broken(&self, error: &io::Error) -> BackupError {
        self.damaged(error.to_string())
    }

    fn take(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        self.input.read_exact(bytes)?;
        self.hash.update(bytes);
        Ok(())
    }

    pub(super) fn head(&mut self) -> Result<Head, BackupError> {
        let foreign = || BackupError::Foreign { path: self.path.clone() };
        let mut block = [0; 512];
        if self.input.read_exact(&mut block).is_err() {
            return Err(foreign());
        }
        let entry = parse(&block).filter(|entry| entry.name == Name::Head && entry.size <= SMALL);
        let Some(entry) = entry else { return Err(foreign()) };
        self.hash.update(block);
        self.enter(entry.size);
        let bytes = self.rest().map_err(|error| self.broken(&error))?;
        let head: Option<serde_json::Value> = serde_json::from_slice(&bytes).ok();
        let head = head
            .filter(|head| head["kind"] == KIND)
            .ok_or_else(|| BackupError::Foreign { path: self.path.clone() })?;
        let format = head["format"].as_u64().and_then(|format| u32::try_from(format).ok());
        match format {
            Some(FORMAT) => {}
            Some(format) if format > FORMAT => {
                return Err(BackupError::Newer { path: self.path.clone(), format, known: FORMAT });
            }
            _ => return Err(self.damaged("it does not say which form it has")),
        }
        serde_json::from_value(head).map_err(|error| self.damaged(error.to_string()))
    }

    /// Returns the next entry, or none at the end.
    pub(super) fn next(&mut self) -> Result<Option<Entry>, BackupError> {
        if let Some(entry) = self.pending.take() {
            return Ok(Some(entry));
        }
        self.advance().map_err(|error| match error {
            Advance::Io(error) => self.broken(&error),
            Advance::Name(why) => BackupError::Refused { path: self.path.clone(), why },
        })
    }

    fn advance(&mut self) -> Result<Option<Entry>, Advance> {
        let mut filling = [0; 512];
        let filling = &mut filling[..usize::try_from(self.filling).unwrap_or(0)];
        self.filling = 0;
        self.take(filling)?;
        self.before = self.hash.clone();
        let mut block = [0; 512];
        self.take(&mut block)?;
        if block == [0; 512] {
            return Ok(None);
        }
        let Some(entry) = parse(&block) else {
            let header = tar::Header::from_byte_slice(&block);
            let name = header.path_bytes();
            return Err(Advance::Name(format!(
                "an entry called {:?}",
                String::from_utf8_lossy(&name)
            )));
        };
        self.enter(entry.size);
        if let Name::Piece { number: 0, .. } = entry.name {
            self.piece = 1;
        }
        Ok(Some(entry))
    }

    fn enter(&mut self, size: u64) {
        self.left = size;
        self.filling = (512 - size % 512) % 512;
    }

    /// Returns the rest of a small entry.
    fn rest(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(self.left).map_err(io::Error::other)?];
        self.take(&mut bytes)?;
        self.left = 0;
        Ok(bytes)
    }

    fn small(&mut self, entry: &Entry, parts: &mut Vec<Part>) -> Result<Vec<u8>, BackupError> {
        if entry.size > SMALL {
            return Err(self.damaged("an entry is larger than it can be"));
        }
        let bytes = self.rest().map_err(|error| self.broken(&error))?;
        let name = match entry.name {
            Name::Record => super::format::RECORD,
            _ => super::format::SETTINGS,
        };
        let sha256 = hex(&Sha256::digest(&bytes));
        parts.push(Part { name: name.to_owned(), size: entry.size, sha256 });
        Ok(bytes)
    }

    pub(super) fn manifest(&mut self, entry: &Entry) -> Result<Manifest, BackupError> {
        if entry.size > SMALL {
            return Err(self.damaged("an entry is larger than it can be"));
        }
        let whole = hex(&self.before.clone().finalize());
        let bytes = self.rest().map_err(|error| self.broken(&error))?;
        let manifest: Manifest =
            serde_json::from_slice(&bytes).map_err(|error| self.damaged(error.to_string()))?;
        if manifest.whole != whole {
            return Err(self.damaged("its checksum is not that of its contents"));
        }
        Ok(manifest)
    }

    fn volume(&mut self, place: &'static str, observer: &dyn Fn(u64)) -> Result<Part, BackupError> {
        let path = self.path.clone();
        let inner = Pieces { outer: &mut *self, place };
        let mut all = Counted { inner, size: 0, hash: Sha256::new(), observer };
        let checked = contents::check(&mut all);
        let (size, hash) = (all.size, all.hash);
        match checked {
            Ok(()) => Ok(Part { name: archive(place), size, sha256: hex(&hash.finalize()) }),
            Err(Ok(why)) => Err(BackupError::Refused { path, why }),
            Err(Err(error)) => Err(match error.downcast::<BackupError>() {
                Ok(ours) => ours,
                Err(error) => self.broken(&error),
            }),
        }
    }

    /// Proves that nothing follows.
    fn end(&mut self) -> Result<(), BackupError> {
        if self.next()?.is_some() {
            return Err(self.damaged("something follows its end"));
        }
        let mut rest = Vec::new();
        let read = self.input.by_ref().take(1024).read_to_end(&mut rest);
        match read {
            Ok(512) if rest.iter().all(|byte| *byte == 0) => Ok(()),
            Ok(_) => Err(self.damaged("something follows its end")),
            Err(error) => Err(self.broken(&error)),
        }
    }
}

enum Advance {
    Io(io::Error),
    Name(String),
}

impl From<io::Error> for Advance {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Reads an entry's head; what is not exactly as it is written is none.
fn parse(block: &[u8; 512]) -> Option<Entry> {
    let header = tar::Header::from_byte_slice(block);
    let mut again = header.clone();
    again.set_cksum();
    let sound = again.cksum().ok() == header.cksum().ok();
    let plain = sound && header.entry_type() == tar::EntryType::Regular;
    let name = Name::parse(std::str::from_utf8(&header.path_bytes()).ok()?)?;
    Some(Entry { name, size: header.entry_size().ok().filter(|_| plain)? })
}

/// A volume's archive, put together from its pieces.
struct Pieces<'a> {
    outer: &'a mut Outer,
    place: &'static str,
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.outer.read_piece(self.place, buffer)
    }
}

impl Outer {
    /// Reads on in a volume's archive, from one piece to the next.
    pub(super) fn read_piece(
        &mut self,
        place: &'static str,
        buffer: &mut [u8],
    ) -> io::Result<usize> {
        while self.pending.is_none() && self.left == 0 {
            let entry = self.next().map_err(io::Error::other)?;
            let entry = entry.ok_or(io::ErrorKind::UnexpectedEof)?;
            if (entry.name == Name::Piece { place, number: self.piece }) {
                self.piece += 1;
            } else {
                self.pending = Some(entry);
            }
        }
        // The bytes of another entry are not the volume's.
        if self.pending.is_some() {
            return Ok(0);
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.input.read(&mut buffer[..most])?;
        if read == 0 && most > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.hash.update(&buffer[..read]);
        self.left -= read as u64;
        Ok(read)
    }

    /// Passes over what is left of an entry.
    pub(super) fn skip(&mut self) -> io::Result<()> {
        let mut buffer = vec![0; 1 << 16];
        while self.left > 0 {
            let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
            self.take(&mut buffer[..most])?;
            self.left -= most as u64;
        }
        Ok(())
    }
}

struct Counted<'a, R> {
    inner: R,
    size: u64,
    hash: Sha256,
    observer: &'a dyn Fn(u64),
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hash.update(&buffer[..read]);
        self.size += read as u64;
        (self.observer)(read as u64);
        Ok(read)
    }
}
