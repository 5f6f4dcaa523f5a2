//! Verification as a reader, so that it cannot be forgotten.

use std::io::{self, Read};

use crate::digest::Digest;
use crate::hasher::Hasher;

/// What was promised and what came.
///
/// It travels inside the [`io::Error`] (kind `InvalidData`) that ends the reading;
/// [`VerifyingError::of`] takes it out again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyingError {
    /// The source ended early.
    #[error("{expected} bytes were promised and {got} came")]
    TooShort {
        /// Bytes promised.
        expected: u64,
        /// Bytes that came.
        got: u64,
    },
    /// The source has more to give. How much more is not known: nothing beyond it was read.
    #[error("{expected} bytes were promised and more came")]
    TooLong {
        /// Bytes promised.
        expected: u64,
    },
    /// The size is right and the bytes are not.
    #[error("expected {expected}, got {got}")]
    Digest {
        /// Digest promised.
        expected: Digest,
        /// Digest of what came.
        got: Digest,
    },
}

impl VerifyingError {
    /// Returns what an error of [`Verifying`] says; none for any other error.
    pub fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

/// A reader that ends in an error if size or digest differ from what was promised.
///
/// It passes on no byte beyond the promised size, and it reports the end of the bytes only after they
/// were found right. Someone who reads to the end therefore has verified.
pub struct Verifying<R> {
    inner: R,
    digest: Digest,
    size: u64,
    got: u64,
    state: State,
}

enum State {
    Reading(Hasher),
    Verified,
    /// Kept, so that reading on after the error cannot look like a good end.
    Refused(VerifyingError),
}

impl<R: Read> Verifying<R> {
    /// Wraps a reader of which `size` bytes with this digest are promised.
    pub fn new(inner: R, digest: Digest, size: u64) -> Self {
        let state = State::Reading(Hasher::new(digest.algorithm()));
        Self { inner, digest, size, got: 0, state }
    }

    fn refuse(&mut self, error: VerifyingError) -> io::Error {
        self.state = State::Refused(error.clone());
        io::Error::new(io::ErrorKind::InvalidData, error)
    }

    /// All promised bytes came: are there more, and are they the right ones?
    fn end(&mut self) -> io::Result<usize> {
        // One byte tells whether the source is longer; it is never passed on.
        if read_some(&mut self.inner, &mut [0])? != 0 {
            return Err(self.refuse(VerifyingError::TooLong { expected: self.size }));
        }
        match std::mem::replace(&mut self.state, State::Verified) {
            State::Reading(hasher) => {
                let got = hasher.finish();
                if got == self.digest {
                    return Ok(0);
                }
                let expected = self.digest.clone();
                Err(self.refuse(VerifyingError::Digest { expected, got }))
            }
            State::Verified => Ok(0),
            State::Refused(error) => Err(self.refuse(error)),
        }
    }
}

impl<R: Read> Read for Verifying<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let hasher = match &mut self.state {
            State::Verified => return Ok(0),
            State::Refused(error) => {
                let error = error.clone();
                return Err(self.refuse(error));
            }
            State::Reading(_) if buffer.is_empty() => return Ok(0),
            State::Reading(hasher) => hasher,
        };
        let left = self.size - self.got;
        if left == 0 {
            return self.end();
        }
        let room = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let taken = read_some(&mut self.inner, &mut buffer[..room])?;
        if taken == 0 {
            let error = VerifyingError::TooShort { expected: self.size, got: self.got };
            return Err(self.refuse(error));
        }
        hasher.update(&buffer[..taken]);
        self.got += taken as u64;
        Ok(taken)
    }
}

fn read_some(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match reader.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}
