//! Members of a tar archive one after the other, with long names and extended headers put in their place
//! (POSIX.1-2017, pax, "ustar Interchange Format"; GNU tar manual, "Basic Tar Format").

use std::io::Read;

use tar::{EntryType, Header};

use crate::tree::Content;

use super::error::UnpackError;
use super::pax;
use super::spool::{CHUNK, Spool};
use super::watch::Watch;

const BLOCK: usize = 512;
/// Long names and extended headers are read into memory; no honest one is larger.
const LONGEST_HEADER: u64 = 1 << 20;

/// A member without its contents.
pub(super) struct Member {
    pub(super) header: Header,
    pub(super) name: Vec<u8>,
    /// Where a link leads; empty for everything else.
    pub(super) target: Vec<u8>,
    /// Bytes of contents.
    pub(super) size: u64,
    /// Records of the extended header.
    pub(super) records: Vec<(String, Vec<u8>)>,
}

/// A tar archive that is being read.
pub(super) struct Members<R> {
    reader: R,
    /// Bytes read so far.
    at: u64,
    /// Contents of the present member that were not read, and the padding behind them, in bytes.
    rest: (u64, u64),
}

/// Headers that say something about the member behind them.
#[derive(Default)]
struct Ahead {
    name: Option<Vec<u8>>,
    target: Option<Vec<u8>>,
    records: Option<Vec<(String, Vec<u8>)>>,
}

impl<R: Read> Members<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, at: 0, rest: (0, 0) }
    }

    /// Returns where the contents of the present member begin in the tar archive, in bytes.
    pub(super) fn position(&self) -> u64 {
        self.at
    }

    /// Returns the next member; none after the last, when the archive was read to its end.
    pub(super) fn next(&mut self, watch: &mut Watch<'_>) -> Result<Option<Member>, UnpackError> {
        let mut ahead = Ahead::default();
        loop {
            self.skip(watch)?;
            let Some(header) = self.header(watch)? else {
                if ahead.is_empty() {
                    return self.end(watch).map(|()| None);
                }
                return Err(watch.damaged("a header announces a member that does not come"));
            };
            let size = header.entry_size().map_err(|error| watch.broken(error))?;
            let again = match header.entry_type() {
                EntryType::GNULongName => ahead.name.replace(self.text(size, watch)?).is_some(),
                EntryType::GNULongLink => ahead.target.replace(self.text(size, watch)?).is_some(),
                EntryType::XHeader => {
                    let records = pax::records(&self.small(size, watch)?)
                        .ok_or_else(|| watch.damaged("an extended header is malformed"))?;
                    ahead.records.replace(records).is_some()
                }
                // About the archive as a whole: a comment, as a rule.
                EntryType::XGlobalHeader => self.small(size, watch).map(|_| false)?,
                _ => return self.member(header, size, ahead, watch).map(Some),
            };
            if again {
                return Err(watch.damaged("two headers announce one member"));
            }
        }
    }

    /// Keeps the contents of the present member.
    pub(super) fn keep(
        &mut self,
        spool: &mut Spool<'_>,
        watch: &mut Watch<'_>,
    ) -> Result<Content, UnpackError> {
        let content = spool.keep((&mut self.reader).take(self.rest.0), watch)?;
        self.at += content.size();
        self.rest.0 -= content.size();
        if self.rest.0 > 0 { Err(watch.truncated()) } else { Ok(content) }
    }

    fn member(
        &mut self,
        header: Header,
        size: u64,
        ahead: Ahead,
        watch: &mut Watch<'_>,
    ) -> Result<Member, UnpackError> {
        let records = ahead.records.unwrap_or_default();
        let record = |key: &str| {
            let last = records.iter().rev().find(|(name, _)| name == key);
            last.map(|(_, value)| value.clone())
        };
        let name = record("path").or(ahead.name).unwrap_or_else(|| header.path_bytes().into());
        let target = record("linkpath").or(ahead.target);
        let target = target.or_else(|| Some(header.link_name_bytes()?.into_owned()));
        watch.enter(&name)?;
        let size = match record("size").as_deref().map(number) {
            None => size,
            Some(size) => size.ok_or_else(|| watch.damaged("the size is no number"))?,
        };
        self.expect(size);
        Ok(Member { header, name, target: target.unwrap_or_default(), size, records })
    }

    fn expect(&mut self, size: u64) {
        self.rest = (size, size.wrapping_neg() % BLOCK as u64);
    }

    /// Returns a header; none at the first block of zeros.
    fn header(&mut self, watch: &mut Watch<'_>) -> Result<Option<Header>, UnpackError> {
        let mut header = Header::new_old();
        self.fill(header.as_mut_bytes(), watch)?;
        if header.as_bytes().iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let bytes = header.as_bytes();
        // The field of the sum counts as if it were blank.
        let sum =
            bytes[..148].iter().chain(&bytes[156..]).map(|byte| u32::from(*byte)).sum::<u32>()
                + 8 * u32::from(b' ');
        match header.cksum() {
            Ok(stated) if stated == sum => Ok(Some(header)),
            _ => Err(watch.damaged("the checksum of a header is wrong")),
        }
    }

    /// Reads the second block of zeros and the padding, so that a decoder comes to its own checksum.
    fn end(&mut self, watch: &mut Watch<'_>) -> Result<(), UnpackError> {
        watch.leave();
        let mut buffer = [0; CHUNK];
        let mut taken = BLOCK;
        self.fill(&mut buffer[..BLOCK], watch)?;
        while taken > 0 {
            if buffer[..taken].iter().any(|byte| *byte != 0) {
                return Err(watch.damaged("bytes follow the end of the archive"));
            }
            taken = watch.read(&mut self.reader, &mut buffer)?;
        }
        Ok(())
    }

    /// Reads a name, which GNU tar ends with a zero.
    fn text(&mut self, size: u64, watch: &mut Watch<'_>) -> Result<Vec<u8>, UnpackError> {
        let mut text = self.small(size, watch)?;
        if text.last() == Some(&0) {
            text.pop();
        }
        Ok(text)
    }

    fn small(&mut self, size: u64, watch: &mut Watch<'_>) -> Result<Vec<u8>, UnpackError> {
        if size > LONGEST_HEADER {
            return Err(watch.damaged("a name or extended header is longer than 1 MiB"));
        }
        self.expect(size);
        let mut bytes = vec![0; usize::try_from(size).unwrap_or_default()];
        self.fill(&mut bytes, watch)?;
        self.rest.0 = 0;
        Ok(bytes)
    }

    fn skip(&mut self, watch: &mut Watch<'_>) -> Result<(), UnpackError> {
        let mut buffer = [0; CHUNK];
        let mut left = self.rest.0.saturating_add(self.rest.1);
        while left > 0 {
            let room = usize::try_from(left).map_or(CHUNK, |left| left.min(CHUNK));
            self.fill(&mut buffer[..room], watch)?;
            left -= room as u64;
        }
        self.rest = (0, 0);
        Ok(())
    }

    fn fill(&mut self, mut bytes: &mut [u8], watch: &mut Watch<'_>) -> Result<(), UnpackError> {
        while !bytes.is_empty() {
            let taken = watch.read(&mut self.reader, bytes)?;
            if taken == 0 {
                return Err(watch.truncated());
            }
            self.at += taken as u64;
            bytes = &mut bytes[taken..];
        }
        Ok(())
    }
}

impl Ahead {
    fn is_empty(&self) -> bool {
        self.name.is_none() && self.target.is_none() && self.records.is_none()
    }
}

/// Reads a number of an extended header.
pub(super) fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}
