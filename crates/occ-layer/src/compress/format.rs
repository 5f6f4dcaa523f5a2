//! What a compressed stream made of independent blocks looks like.

use std::io;

use flate2::Crc;

/// A way to write a stream: its beginning, each block by itself, its end.
#[derive(Clone, Copy)]
pub(super) struct Format {
    /// Bytes of input in a block; only the last has fewer.
    pub(super) size: usize,
    /// What stands before the first block.
    pub(super) start: &'static [u8],
    /// Fills in a block's output and check. INVARIANT: they follow from its input alone.
    pub(super) compress: fn(&mut Block) -> io::Result<()>,
    /// What stands after the last block, given the check of the whole input.
    pub(super) end: fn(&Crc) -> Vec<u8>,
}

/// A piece of the input and what becomes of it.
///
/// Blocks are used again: threads that take and return megabytes would leave the allocator with three times
/// the memory that is ever in use.
#[derive(Default)]
pub(super) struct Block {
    /// What is compressed.
    pub(super) input: Vec<u8>,
    /// What is written.
    pub(super) output: Vec<u8>,
    /// Checksum and size of the input, where the format's end needs them.
    pub(super) check: Crc,
}

impl Block {
    /// Empties it and keeps its memory.
    pub(super) fn clear(&mut self) {
        self.input.clear();
        self.output.clear();
        self.check.reset();
    }
}
