//! gzip: a member for each block, with its size and its checksum (RFC 1952, 2.2).

use std::io;

use libdeflater::{CompressionLvl, Compressor};

use super::format::{Block, Format};

const LEVEL: i32 = 2;

pub(super) const FORMAT: Format = Format { size: 1 << 20, compress };

fn compress(block: &mut Block) -> io::Result<()> {
    // One that was used before is nobody's promise to find the same matches again.
    let mut compressor = Compressor::new(CompressionLvl::new(LEVEL).expect("it is one of twelve"));
    let Block { input, output } = block;
    output.resize(compressor.gzip_compress_bound(input.len()), 0);
    let written = compressor.gzip_compress(input, output).map_err(io::Error::other)?;
    output.truncate(written);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(input: Vec<u8>) -> Vec<u8> {
        let mut block = Block { input, ..Block::default() };
        compress(&mut block).unwrap();
        block.output
    }

    #[test]
    fn a_member_says_nothing_of_when_and_where_it_was_made() {
        // SPEC: RFC 1952, 2.3. Deflated, no name, no time; what the last two say follows from the level.
        let [one, other] = [&b""[..], b"something"].map(|input| member(input.to_vec()));
        assert_eq!(one[..8], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0]);
        assert_eq!(one[..10], other[..10]);
        // The size stands at the end.
        assert_eq!(other[other.len() - 4..], 9u32.to_le_bytes());
    }

    #[test]
    fn what_cannot_be_made_smaller_hardly_grows() {
        let mut state = 1u32;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state.to_le_bytes()[1]
        })
        .take(FORMAT.size)
        .collect();
        let input = noise.len();
        let output = member(noise).len();
        assert!(output > input, "it became smaller");
        assert!(output < input + input / 512, "{output}");
    }
}
