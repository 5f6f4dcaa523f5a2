//! gzip: one member of deflated blocks, each ended by a sync flush (RFC 1951, RFC 1952).

use std::io;

use flate2::{Compress, Compression, Crc, FlushCompress};

use super::format::{Block, Format};

const LEVEL: u32 = 4;

pub(super) const FORMAT: Format = Format {
    size: 1 << 20,
    // SPEC: RFC 1952, 2.3. Deflated, no name, no time, no promise about speed, from an unknown system.
    start: &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255],
    compress,
    end,
};

/// A sync flush ends at a byte and refers to nothing before it, so that blocks can stand side by side.
fn compress(block: &mut Block) -> io::Result<()> {
    let mut state = Compress::new(Compression::new(LEVEL), false);
    let Block { input, output, check } = block;
    // More than deflate ever needs: were it filled, how the flush is written would follow from the capacity.
    output.reserve(input.len() + input.len() / 256 + 64);
    let mut rest = &input[..];
    loop {
        let before = state.total_in();
        state.compress_vec(rest, output, FlushCompress::Sync).map_err(io::Error::other)?;
        let taken = usize::try_from(state.total_in() - before).unwrap_or(rest.len());
        rest = &rest[taken..];
        if rest.is_empty() && output.len() < output.capacity() {
            break;
        }
        output.reserve(64);
    }
    check.update(input);
    Ok(())
}

/// An empty last block (RFC 1951, 3.2.6), the checksum, and the size modulo 2^32.
fn end(check: &Crc) -> Vec<u8> {
    [&[0x03, 0x00][..], &check.sum().to_le_bytes(), &check.amount().to_le_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_at_the_end_wraps_beyond_four_gibibytes() {
        let megabyte = vec![7; 1 << 20];
        let mut small = Crc::new();
        small.update(&megabyte);
        let mut whole = Crc::new();
        for _ in 0..4099 {
            whole.combine(&small);
        }
        assert_eq!(end(&whole)[6..], (3u32 << 20).to_le_bytes());
        assert_eq!(end(&whole)[2..6], whole.sum().to_le_bytes());
    }

    #[test]
    fn what_cannot_be_made_smaller_still_fits_its_room() {
        let mut state = 1u32;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state.to_le_bytes()[1]
        })
        .take(FORMAT.size)
        .collect();
        let mut block = Block { input: noise, ..Block::default() };
        compress(&mut block).unwrap();
        let (input, output) = (block.input.len(), block.output.len());
        assert!(output > input, "it became smaller");
        assert!(output < input + input / 512, "{output}");
    }
}
