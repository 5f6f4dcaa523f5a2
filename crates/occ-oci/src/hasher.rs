//! Digests computed while bytes pass by.

use std::io::{self, Write};

use sha2::{Digest as _, Sha256, Sha512};

use crate::digest::{Algorithm, Digest};

/// Computes a [`Digest`] piece by piece.
pub struct Hasher(State);

enum State {
    Sha256(Sha256),
    Sha512(Sha512),
}

impl Hasher {
    /// Starts with no bytes.
    pub fn new(algorithm: Algorithm) -> Self {
        Self(match algorithm {
            Algorithm::Sha256 => State::Sha256(Sha256::new()),
            Algorithm::Sha512 => State::Sha512(Sha512::new()),
        })
    }

    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Sha256(state) => state.update(bytes),
            State::Sha512(state) => state.update(bytes),
        }
    }

    /// Returns the digest of all bytes added.
    pub fn finish(self) -> Digest {
        match self.0 {
            State::Sha256(state) => Digest::of_output(Algorithm::Sha256, &state.finalize()),
            State::Sha512(state) => Digest::of_output(Algorithm::Sha512, &state.finalize()),
        }
    }
}

/// A writer that hands bytes on and remembers how many there were and their SHA-256.
pub struct Sha256Writer<W> {
    inner: W,
    hasher: Hasher,
    written: u64,
}

impl<W: Write> Sha256Writer<W> {
    /// Wraps a writer.
    pub fn new(inner: W) -> Self {
        Self { inner, hasher: Hasher::new(Algorithm::Sha256), written: 0 }
    }

    /// Returns the bytes written so far.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Returns the writer, the digest of what it was given, and how many bytes that was.
    pub fn finish(self) -> (W, Digest, u64) {
        (self.inner, self.hasher.finish(), self.written)
    }
}

impl<W: Write> Write for Sha256Writer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..taken]);
        self.written += taken as u64;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
