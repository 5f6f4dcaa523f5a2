//! The central directory of a zip archive and what it points to (APPNOTE.TXT, 4.3).
//!
//! Readers that search for the pieces of an archive and forgive what is between them can be made to
//! disagree about it. Here every piece has to be where the others say. Archives above 4 GiB or with more
//! than 65 534 members (zip64) are not read.

use std::fs::File;
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom};

use super::error::UnpackError;
use super::watch::Watch;

const END: &[u8] = b"PK\x05\x06";
const LISTED: &[u8] = b"PK\x01\x02";
const LOCAL: &[u8] = b"PK\x03\x04";
const END_SIZE: usize = 22;
const LONGEST_COMMENT: u64 = 0xffff;

/// A member as the directory lists it.
pub(super) struct Listed {
    pub(super) name: Vec<u8>,
    /// The system whose attributes these are.
    pub(super) host: u8,
    pub(super) attributes: u32,
    pub(super) flags: u16,
    pub(super) method: u16,
    pub(super) crc: u32,
    /// Bytes in the archive.
    pub(super) packed: u64,
    /// Bytes of contents.
    pub(super) size: u64,
    at: u64,
}

/// A directory that is being read.
pub(super) struct Directory {
    archive: BufReader<File>,
    left: u16,
    start: u64,
    end: u64,
}

impl Directory {
    /// Finds the directory, which ends the archive.
    pub(super) fn find(archive: File, watch: &Watch<'_>) -> Result<Self, UnpackError> {
        let mut archive = BufReader::new(archive);
        let (tail, before) = tail(&mut archive).map_err(|error| watch.broken(error))?;
        let found = tail.windows(END_SIZE).rposition(|window| window.starts_with(END));
        let Some(at) = found else { return Err(watch.truncated()) };
        let record = Fields(&tail[at..]);
        let comment = tail.len() - at - END_SIZE;
        if comment < usize::from(record.u16(20)) {
            return Err(watch.truncated());
        }
        if comment > usize::from(record.u16(20)) {
            return Err(watch.damaged("bytes follow the end of the archive"));
        }
        let (size, start, left) = (record.u32(12), record.u32(16), record.u16(10));
        if size == u32::MAX || start == u32::MAX || left == u16::MAX {
            return Err(watch.damaged("zip64 archives are not read"));
        }
        let (start, end) = (u64::from(start), before + at as u64);
        if record.u32(4) != 0 || record.u16(8) != left || start + u64::from(size) != end {
            return Err(watch.damaged("the directory is not where the archive says"));
        }
        archive.seek(SeekFrom::Start(start)).map_err(|error| watch.broken(error))?;
        Ok(Self { archive, left, start, end })
    }

    /// Returns where the directory begins; all contents lie before it.
    pub(super) fn start(&self) -> u64 {
        self.start
    }

    /// Returns the next member.
    pub(super) fn next(&mut self, watch: &Watch<'_>) -> Result<Option<Listed>, UnpackError> {
        if self.left == 0 {
            let at = self.archive.stream_position().map_err(|error| watch.broken(error))?;
            let whole = at == self.end;
            return if whole { Ok(None) } else { Err(watch.damaged("members are miscounted")) };
        }
        self.left -= 1;
        let mut bytes = [0; 46];
        let mut read =
            |bytes: &mut [u8]| self.archive.read_exact(bytes).map_err(|error| watch.broken(error));
        read(&mut bytes)?;
        if !bytes.starts_with(LISTED) {
            return Err(watch.damaged("the directory is malformed"));
        }
        let record = Fields(&bytes);
        let mut name = vec![0; usize::from(record.u16(28))];
        read(&mut name)?;
        let behind = i64::from(record.u16(30)) + i64::from(record.u16(32));
        self.archive.seek_relative(behind).map_err(|error| watch.broken(error))?;
        Ok(Some(Listed {
            name,
            host: bytes[5],
            attributes: record.u32(38),
            flags: record.u16(8),
            method: record.u16(10),
            crc: record.u32(16),
            packed: u64::from(record.u32(20)),
            size: u64::from(record.u32(24)),
            at: u64::from(record.u32(42)),
        }))
    }
}

impl Listed {
    /// Returns the bytes of this member, as they are packed; they end before `end`.
    pub(super) fn open<'a>(
        &self,
        archive: &'a mut BufReader<File>,
        end: u64,
        watch: &Watch<'_>,
    ) -> Result<io::Take<&'a mut BufReader<File>>, UnpackError> {
        let mut bytes = [0; 30];
        let mut name = vec![0; self.name.len()];
        let at = archive.seek(SeekFrom::Start(self.at));
        at.and_then(|_| archive.read_exact(&mut bytes))
            .and_then(|()| archive.read_exact(&mut name))
            .map_err(|error| watch.broken(error))?;
        let record = Fields(&bytes);
        let length = usize::from(record.u16(26));
        if !bytes.starts_with(LOCAL) || length != name.len() || name != self.name {
            return Err(watch.damaged("the member is not where the directory says"));
        }
        let extra = record.u16(28);
        let start = self.at + (bytes.len() + name.len()) as u64 + u64::from(extra);
        if start + self.packed > end {
            return Err(watch.damaged("the member reaches into the directory"));
        }
        archive.seek_relative(i64::from(extra)).map_err(|error| watch.broken(error))?;
        Ok(archive.take(self.packed))
    }
}

/// Returns the end of the archive, as long as its last record can be, and how many bytes come before.
fn tail(archive: &mut BufReader<File>) -> io::Result<(Vec<u8>, u64)> {
    let length = archive.seek(SeekFrom::End(0))?;
    let before = length.saturating_sub(END_SIZE as u64 + LONGEST_COMMENT);
    archive.seek(SeekFrom::Start(before))?;
    let mut bytes = Vec::new();
    archive.read_to_end(&mut bytes)?;
    Ok((bytes, before))
}

/// Numbers in a record, least byte first.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn u16(&self, at: usize) -> u16 {
        u16::from_le_bytes([self.0[at], self.0[at + 1]])
    }

    fn u32(&self, at: usize) -> u32 {
        u32::from(self.u16(at)) | u32::from(self.u16(at + 2)) << 16
    }
}
