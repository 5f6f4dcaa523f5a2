//! A writer whose bytes come out compressed.

use std::io::{self, Write};
use std::mem;
use std::num::NonZeroUsize;

use occ_oci::{LayerDigest, Sha256Writer};

use super::format::{Block, Format};
use super::pool::Pool;
use super::{Compressed, Compression};

/// A writer that compresses what it is given, on several threads, and knows digest and size of what came out.
///
/// Nothing is complete before [`finish`](Self::finish). After an error every call is an error: a blob with a
/// hole cannot come to look finished. Dropping it waits for its threads.
pub struct Compressor<W: Write> {
    output: Sha256Writer<W>,
    /// None where bytes pass as they are.
    blocks: Option<Blocks>,
    broken: bool,
}

struct Blocks {
    format: Format,
    block: Block,
    pool: Pool,
    /// Blocks that were written and are free again.
    spare: Vec<Block>,
}

impl<W: Write> Compressor<W> {
    /// Wraps a writer. Threads are started when there is work for them; one thread is the caller's own.
    pub fn new(output: W, compression: Compression, threads: NonZeroUsize) -> Self {
        Self::of(output, compression.format(), threads)
    }

    fn of(output: W, format: Option<Format>, threads: NonZeroUsize) -> Self {
        let blocks = format.map(|format| Blocks {
            format,
            block: Block::default(),
            pool: Pool::new(threads, format.compress),
            spare: Vec::new(),
        });
        Self { output: Sha256Writer::new(output), blocks, broken: false }
    }

    /// Compresses what is left, flushes the writer, and returns what was written.
    ///
    /// # Errors
    /// The writer's own.
    pub fn finish(mut self) -> io::Result<Compressed> {
        self.or_break(|output, blocks| match blocks {
            Some(blocks) => blocks.finish(output),
            None => Ok(()),
        })?;
        self.output.flush()?;
        let (_, digest, size) = self.output.finish();
        Ok(Compressed { digest: LayerDigest::new(digest), size })
    }

    fn or_break<T>(
        &mut self,
        act: impl FnOnce(&mut Sha256Writer<W>, &mut Option<Blocks>) -> io::Result<T>,
    ) -> io::Result<T> {
        if self.broken {
            return Err(io::Error::other("an earlier write failed"));
        }
        let done = act(&mut self.output, &mut self.blocks);
        self.broken = done.is_err();
        done
    }
}

impl<W: Write> Write for Compressor<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.or_break(|output, blocks| match blocks {
            Some(blocks) => blocks.take(bytes, output),
            None => output.write_all(bytes).map(|()| bytes.len()),
        })
    }

    /// Flushes the writer behind. A block that is not full stays: where it ends must not depend on who flushes.
    fn flush(&mut self) -> io::Result<()> {
        self.or_break(|output, _| output.flush())
    }
}

impl Blocks {
    fn take<W: Write>(&mut self, bytes: &[u8], output: &mut Sha256Writer<W>) -> io::Result<usize> {
        // A full block waits for the next byte, so that the end of the input never leaves an empty one.
        if self.block.input.len() == self.format.size && !bytes.is_empty() {
            self.submit(output)?;
        }
        let input = &mut self.block.input;
        let room = self.format.size - input.len();
        let taken = bytes.len().min(room);
        input.reserve_exact(room);
        input.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn finish<W: Write>(&mut self, output: &mut Sha256Writer<W>) -> io::Result<()> {
        // Even nothing is a block, else no input at all would be no stream at all.
        self.submit(output)?;
        while let Some(block) = self.pool.next() {
            self.emit(block?, output)?;
        }
        Ok(())
    }

    fn submit<W: Write>(&mut self, output: &mut Sha256Writer<W>) -> io::Result<()> {
        while let Some(block) = self.pool.make_room() {
            self.emit(block?, output)?;
        }
        let next = self.spare.pop().unwrap_or_default();
        self.pool.submit(mem::replace(&mut self.block, next))
    }

    fn emit<W: Write>(&mut self, mut block: Block, output: &mut Sha256Writer<W>) -> io::Result<()> {
        output.write_all(&block.output)?;
        block.clear();
        self.spare.push(block);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use occ_oci::Digest;
    use proptest::prelude::*;

    use super::super::{decompress, gzip, zstd};
    use super::*;

    const BLOCK: usize = 1000;

    /// Writes in pieces of this size, with a flush after each, and cuts blocks small enough to have many.
    fn bytes(input: &[u8], format: Format, threads: usize, pieces: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let format = Format { size: BLOCK, ..format };
        let threads = NonZeroUsize::new(threads).unwrap();
        let mut compressor = Compressor::of(&mut out, Some(format), threads);
        for piece in input.chunks(pieces) {
            compressor.write_all(piece).unwrap();
            compressor.flush().unwrap();
        }
        let Compressed { digest, size } = compressor.finish().unwrap();
        assert_eq!(digest.digest(), &Digest::sha256(&out));
        assert_eq!(size, out.len() as u64);
        out
    }

    fn inputs() -> impl Strategy<Value = Vec<u8>> {
        // Runs, so that there is something to compress; lengths around whole blocks, so that ends are met.
        let run = (any::<u8>(), 1..200usize).prop_map(|(byte, length)| vec![byte; length]);
        let runs = prop::collection::vec(run, 0..200).prop_map(|runs| runs.concat());
        let noise = prop::collection::vec(any::<u8>(), 0..4 * BLOCK);
        let whole = (0..6usize, 0..3usize)
            .prop_map(|(blocks, more)| vec![42; (blocks * BLOCK + more).saturating_sub(1)]);
        prop_oneof![runs, noise, whole]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn bytes_follow_from_the_input_and_from_nothing_else(
            input in inputs(), pieces in 1..5 * BLOCK
        ) {
            for (format, compression) in
                [(gzip::FORMAT, Compression::Gzip), (zstd::FORMAT, Compression::Zstd)]
            {
                let one = bytes(&input, format, 1, usize::MAX);
                for threads in 1..=8 {
                    prop_assert_eq!(&bytes(&input, format, threads, pieces), &one, "{}", threads);
                }
                let mut back = Vec::new();
                decompress(&one[..], compression).unwrap().read_to_end(&mut back).unwrap();
                prop_assert_eq!(&back, &input);
            }
        }
    }

    #[test]
    fn gzip_is_a_member_and_zstd_a_frame_for_each_block() {
        let input = vec![b'a'; 3 * BLOCK];
        let gzip = bytes(&input, gzip::FORMAT, 2, usize::MAX);
        let mut rest = &gzip[..];
        for _ in 0..3 {
            let mut one = flate2::bufread::GzDecoder::new(rest);
            let mut back = Vec::new();
            one.read_to_end(&mut back).unwrap();
            assert_eq!(back, input[..BLOCK]);
            rest = one.into_inner();
        }
        assert_eq!(rest, []);
        let zstd = bytes(&input, zstd::FORMAT, 2, usize::MAX);
        // SPEC: RFC 8878, 3.1.1.1: frame magic; then size in two bytes, single segment, checksum.
        let head = [0x28, 0xb5, 0x2f, 0xfd, 0b0110_0100];
        assert_eq!(zstd.windows(5).filter(|window| *window == head).count(), 3);
    }

    /// Fails once and would go on after it.
    struct Hiccup(bool);

    impl Write for Hiccup {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if mem::replace(&mut self.0, false) {
                return Err(io::Error::from(io::ErrorKind::StorageFull));
            }
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn after_an_error_nothing_looks_finished() {
        for format in [None, Some(Format { size: BLOCK, ..gzip::FORMAT })] {
            for threads in [1, 3] {
                let threads = NonZeroUsize::new(threads).unwrap();
                let mut compressor = Compressor::of(Hiccup(true), format, threads);
                let failed = compressor.write_all(&vec![0; 20 * BLOCK]).unwrap_err();
                assert_eq!(failed.kind(), io::ErrorKind::StorageFull);
                assert!(compressor.write(b"more").is_err());
                assert!(compressor.flush().is_err());
                assert!(compressor.finish().is_err(), "a blob with a hole was finished");
            }
        }
    }
}
