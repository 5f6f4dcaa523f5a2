//! Bytes that are the same on every machine, without a file of them.

use std::io::{self, Read};

/// The state of a generator of pseudo-random numbers (xorshift, by Marsaglia).
pub(crate) struct Numbers(pub(crate) u64);

impl Iterator for Numbers {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        Some(self.0)
    }
}

/// Makes bytes that cannot be compressed.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut noise: Vec<u8> = Numbers(88_172_645_463_325_252)
        .take(length.div_ceil(8))
        .flat_map(u64::to_le_bytes)
        .collect();
    noise.truncate(length);
    noise
}

/// Makes bytes that can be compressed about as well as programs.
pub(crate) fn prose(length: usize) -> Vec<u8> {
    let words = noise(4096);
    let mut prose = Vec::with_capacity(length + 16);
    for number in Numbers(0x9e37_79b9_7f4a_7c15) {
        if prose.len() >= length {
            break;
        }
        let at = usize::try_from(number % 4000).unwrap();
        let size = usize::try_from(number >> 32 & 15).unwrap();
        prose.extend_from_slice(&words[at..at + size]);
    }
    prose.truncate(length);
    prose
}

/// A reader that gives the bytes and then fails.
pub(crate) struct Breaking<'a>(pub(crate) &'a [u8], pub(crate) fn() -> io::Error);

impl Read for Breaking<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err((self.1)()),
            taken => Ok(taken),
        }
    }
}
