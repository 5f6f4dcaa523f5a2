//! zstd: a frame for each block, with its size and its checksum (RFC 8878).

use std::io;

use zstd::bulk::Compressor;
use zstd::zstd_safe::compress_bound;

use super::format::{Block, Format};

const LEVEL: i32 = 3;

pub(super) const FORMAT: Format = Format { size: 4 << 20, compress };

fn compress(block: &mut Block) -> io::Result<()> {
    // A context that was used before may find other matches than a new one.
    let mut context = Compressor::new(LEVEL)?;
    context.include_checksum(true)?;
    context.include_contentsize(true)?;
    block.output.reserve(compress_bound(block.input.len()));
    context.compress_to_buffer(&block.input, &mut block.output)?;
    Ok(())
}
