//! What a compressed stream made of independent blocks looks like: what became of one after the other.

use std::io;

/// A way to write a stream, each block by itself.
#[derive(Clone, Copy)]
pub(super) struct Format {
    /// Bytes of input in a block; only the last has fewer.
    pub(super) size: usize,
    /// Fills in a block's output. INVARIANT: it follows from its input alone.
    pub(super) compress: fn(&mut Block) -> io::Result<()>,
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
}

impl Block {
    /// Empties it and keeps its memory.
    pub(super) fn clear(&mut self) {
        self.input.clear();
        self.output.clear();
    }
}
