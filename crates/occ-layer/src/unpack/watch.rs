//! Watching what comes out of an archive: counted, stopped at a limit or on request, and every error knows
//! its member.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::error::{Place, UnpackError};
use super::fault::Fault;
use super::limits::{Limits, Measure, NAMES};

/// The one way bytes of an archive are read.
pub(super) struct Watch<'a> {
    archive: &'a Path,
    limits: Limits,
    cancel: &'a AtomicBool,
    place: Place,
    bytes: u64,
    entries: u64,
    names: u64,
}

impl<'a> Watch<'a> {
    pub(super) fn new(archive: &'a Path, limits: Limits, cancel: &'a AtomicBool) -> Self {
        Self { archive, limits, cancel, place: Place::Start, bytes: 0, entries: 0, names: 0 }
    }

    pub(super) fn archive(&self) -> &'a Path {
        self.archive
    }

    /// Opens the archive.
    pub(super) fn open(&self) -> Result<File, UnpackError> {
        let path = self.archive;
        File::open(path).map_err(|source| UnpackError::File { path: path.to_owned(), source })
    }

    /// Says that a member begins.
    pub(super) fn enter(&mut self, name: &[u8]) -> Result<(), UnpackError> {
        self.place = Place::Member(String::from_utf8_lossy(name).into_owned());
        self.entries += 1;
        self.within(self.entries, self.limits.entries, Measure::Entries)?;
        self.count_name(name)
    }

    /// Counts a name or target, which will stay in memory.
    pub(super) fn count_name(&mut self, name: &[u8]) -> Result<(), UnpackError> {
        self.names += name.len() as u64;
        self.within(self.names, NAMES, Measure::Names)
    }

    /// Counts bytes of contents.
    pub(super) fn count(&mut self, bytes: u64) -> Result<(), UnpackError> {
        self.bytes = self.bytes.saturating_add(bytes);
        self.within(self.bytes, self.limits.unpacked_bytes, Measure::Bytes)
    }

    /// Says that no member follows.
    pub(super) fn leave(&mut self) {
        self.place = Place::End;
    }

    /// Reads what is there; 0 bytes are the end.
    pub(super) fn read(
        &mut self,
        reader: &mut impl Read,
        buffer: &mut [u8],
    ) -> Result<usize, UnpackError> {
        loop {
            self.listen()?;
            match reader.read(buffer) {
                Ok(taken) => {
                    self.count(taken as u64)?;
                    return Ok(taken);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.broken(error)),
            }
        }
    }

    /// Fails if it was asked to stop.
    pub(super) fn listen(&self) -> Result<(), UnpackError> {
        if self.cancel.load(Ordering::Relaxed) { Err(UnpackError::Interrupted) } else { Ok(()) }
    }

    /// Tells an archive that is broken from a disk that is.
    pub(super) fn broken(&self, source: io::Error) -> UnpackError {
        let archive = self.archive.to_owned();
        let place = self.place.clone();
        if self.cancel.load(Ordering::Relaxed) {
            UnpackError::Interrupted
        } else if source.raw_os_error().is_some() {
            UnpackError::File { path: archive, source }
        } else if source.kind() == io::ErrorKind::UnexpectedEof {
            UnpackError::Truncated { archive, place }
        } else {
            UnpackError::Damaged { archive, place, source }
        }
    }

    /// Returns the error for a broken rule of the format.
    pub(super) fn damaged(&self, why: &'static str) -> UnpackError {
        self.broken(io::Error::new(io::ErrorKind::InvalidData, why))
    }

    /// Returns the error for an end that came too early.
    pub(super) fn truncated(&self) -> UnpackError {
        self.broken(io::ErrorKind::UnexpectedEof.into())
    }

    /// Returns the refusal of the present member.
    pub(super) fn refused(&self, fault: Fault) -> UnpackError {
        let member = match &self.place {
            Place::Member(name) => name.clone(),
            Place::Start | Place::End => String::new(),
        };
        UnpackError::Refused { archive: self.archive.to_owned(), member, fault }
    }

    fn within(&self, count: u64, limit: u64, measure: Measure) -> Result<(), UnpackError> {
        if count <= limit {
            return Ok(());
        }
        let (archive, place) = (self.archive.to_owned(), self.place.clone());
        Err(UnpackError::OverLimit { archive, place, limit, measure })
    }
}
