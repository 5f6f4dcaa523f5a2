//! A reader whose bytes came in compressed.

use std::io::{self, BufReader, Read};

use flate2::read::MultiGzDecoder;

use super::Compression;

/// A reader of what a compressed stream holds.
///
/// It reads the stream to its very end, and ends in an error where the stream is cut off, its checksums are
/// wrong, or something else follows it.
pub struct Decompressor<R: Read>(Way<R>);

enum Way<R: Read> {
    None(R),
    Gzip(Box<MultiGzDecoder<R>>),
    Zstd(zstd::Decoder<'static, BufReader<R>>),
}

/// Wraps a reader of a stream that was compressed so, by whomever.
///
/// # Errors
/// When there is no memory for it.
pub fn decompress<R: Read>(input: R, compression: Compression) -> io::Result<Decompressor<R>> {
    Ok(Decompressor(match compression {
        Compression::None => Way::None(input),
        Compression::Gzip => Way::Gzip(Box::new(MultiGzDecoder::new(input))),
        Compression::Zstd => Way::Zstd(zstd::Decoder::new(input)?),
    }))
}

impl<R: Read> Read for Decompressor<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Way::None(input) => input.read(buffer),
            Way::Gzip(input) => input.read(buffer),
            Way::Zstd(input) => input.read(buffer),
        }
    }
}
