//! gzip members one behind the other, then nothing but zeros (RFC 1952, 2.2).

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;

/// A reader of all members. What follows them and is neither a member nor zeros is an error.
pub(super) struct Gzip<R> {
    /// None after the end.
    member: Option<GzDecoder<R>>,
}

impl<R: BufRead> Gzip<R> {
    pub(super) fn new(archive: R) -> Self {
        Self { member: Some(GzDecoder::new(archive)) }
    }
}

impl<R: BufRead> Read for Gzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            let taken = member.read(buffer)?;
            if taken > 0 || buffer.is_empty() {
                return Ok(taken);
            }
            let rest = member.get_mut();
            let more = rest.fill_buf()?.first().is_some_and(|byte| *byte != 0);
            if !more {
                only_zeros(rest)?;
            }
            let ended = self.member.take().filter(|_| more);
            self.member = ended.map(|member| GzDecoder::new(member.into_inner()));
        }
        Ok(0)
    }
}

fn only_zeros(rest: &mut impl BufRead) -> io::Result<()> {
    loop {
        let bytes = rest.fill_buf()?;
        if bytes.is_empty() {
            return Ok(());
        }
        if bytes.iter().any(|byte| *byte != 0) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "bytes after the padding"));
        }
        let seen = bytes.len();
        rest.consume(seen);
    }
}
