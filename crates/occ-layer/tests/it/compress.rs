use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::num::NonZeroUsize;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use occ_layer::compress::{Compressed, Compression, Compressor, compress, decompress};
use occ_oci::Digest;

use crate::sample::{Breaking, noise, prose};

const MEBIBYTE: usize = 1 << 20;

fn threads(number: usize) -> NonZeroUsize {
    NonZeroUsize::new(number).unwrap()
}

fn packed(input: &[u8], compression: Compression, number: usize) -> (Vec<u8>, Compressed) {
    let mut out = Vec::new();
    let compressed = compress(input, &mut out, compression, threads(number)).unwrap();
    assert_eq!(compressed.digest.digest(), &Digest::sha256(&out));
    assert_eq!(compressed.size, out.len() as u64);
    (out, compressed)
}

fn unpacked(input: &[u8], compression: Compression) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    decompress(input, compression)?.read_to_end(&mut out)?;
    Ok(out)
}

/// Lengths around the ends of blocks of either format.
fn lengths() -> impl Iterator<Item = usize> {
    [0, 1, MEBIBYTE - 1, MEBIBYTE, MEBIBYTE + 1, 4 * MEBIBYTE, 9 * MEBIBYTE + 17].into_iter()
}

#[test]
fn any_number_of_threads_writes_the_same_bytes_and_they_come_back() {
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        for length in lengths() {
            let input = prose(length);
            let (one, _) = packed(&input, compression, 1);
            for number in [2, 3, 8] {
                let (many, _) = packed(&input, compression, number);
                assert!(many == one, "{compression} of {length} bytes on {number} threads");
            }
            assert!(unpacked(&one, compression).unwrap() == input, "{compression} of {length}");
        }
    }
}

/// Has another implementation inflate its standard input.
fn other(command: &mut Command, blob: &[u8]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("blob");
    std::fs::write(&file, blob).unwrap();
    let output = command.stdin(File::open(&file).unwrap()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn inflate_in_python() -> Command {
    let mut python = Command::new("python3");
    // Straight from the members, without the leniency of its gzip module for what follows.
    python.arg("-c").arg(
        "import sys, zlib\n\
         rest = sys.stdin.buffer.read()\n\
         while rest:\n\
         \x20   state = zlib.decompressobj(31)\n\
         \x20   sys.stdout.buffer.write(state.decompress(rest))\n\
         \x20   assert state.eof\n\
         \x20   rest = state.unused_data",
    );
    python
}

#[test]
fn gnu_gzip_and_python_read_what_was_compressed() {
    for length in lengths() {
        let input = prose(length);
        let (blob, _) = packed(&input, Compression::Gzip, 2);
        assert!(other(Command::new("gzip").arg("-dc"), &blob) == input);
        assert!(other(&mut inflate_in_python(), &blob) == input, "{length} bytes");
    }
}

#[test]
fn the_zstd_program_reads_what_was_compressed() {
    for length in lengths() {
        let input = prose(length);
        let (blob, _) = packed(&input, Compression::Zstd, 2);
        assert!(other(Command::new("zstd").arg("-dcq"), &blob) == input, "{length} bytes");
    }
}

/// Another compressor, level or size of blocks gives layers other names: a decision, not an accident.
#[test]
fn compressors_still_write_what_they_wrote() {
    let mut input = prose(9 * MEBIBYTE + 17);
    input.extend(noise(MEBIBYTE));
    let digest = |compression| packed(&input, compression, 2).1.digest.to_string();
    assert_eq!(
        Digest::sha256(&input).to_string(),
        "sha256:e7f2b88013fd285cf38f54af2def1cd7acbfea2215dcd740fc7d0bbaf66fe1a9"
    );
    assert_eq!(
        digest(Compression::Gzip),
        "sha256:e59fbc43d85bb17c78a05489d5442d4d60b0da57ae8d04cb57750e6a2afe340b"
    );
    assert_eq!(
        digest(Compression::Zstd),
        "sha256:ea3ab00266d4d7f803570f2eaa99e75c1d4e4d18043156fb2b8c7d88e7d4e634"
    );
}

#[test]
fn damage_is_an_error() {
    let input = prose(5 * MEBIBYTE);
    for compression in [Compression::Gzip, Compression::Zstd] {
        let (blob, _) = packed(&input, compression, 2);
        for cut in [1, 3, 9, blob.len() / 2, blob.len() - 1] {
            assert!(unpacked(&blob[..cut], compression).is_err(), "{compression} cut at {cut}");
        }
        for at in [0, blob.len() / 2, blob.len() - 6] {
            let mut damaged = blob.clone();
            damaged[at] ^= 0x55;
            assert!(unpacked(&damaged, compression).is_err(), "{compression} damaged at {at}");
        }
        let more = [&blob[..], b"something that is no stream"].concat();
        assert!(unpacked(&more, compression).is_err(), "{compression} and more");
        let twice = [&blob[..], &blob].concat();
        assert!(unpacked(&twice, compression).unwrap() == [&input[..], &input].concat());
    }
}

/// What somebody who wants to stop puts into a reader.
#[derive(Debug)]
struct Cancelled;

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cancelled")
    }
}

impl std::error::Error for Cancelled {}

#[test]
fn a_reader_that_fails_ends_it_with_its_own_error() {
    let input = prose(11 * MEBIBYTE);
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        for length in [0, 1000, 11 * MEBIBYTE] {
            for number in [1, 2, 8] {
                let reader = Breaking(&input[..length], || io::Error::other(Cancelled));
                let failed =
                    compress(reader, io::sink(), compression, threads(number)).unwrap_err();
                let cause = failed.into_inner().unwrap();
                assert!(cause.is::<Cancelled>(), "{cause}");
            }
        }
    }
}

/// A disk with so much room.
struct Disk(usize);

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(self.0);
        self.0 -= taken;
        if taken == 0 { Err(io::Error::from(io::ErrorKind::StorageFull)) } else { Ok(taken) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_ends_it_with_its_own_error() {
    let input = noise(13 * MEBIBYTE);
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let (blob, _) = packed(&input, compression, 2);
        for room in [0, 5, 3 * MEBIBYTE, blob.len() - 1] {
            for number in [1, 2, 8] {
                let disk = Disk(room);
                let failed = compress(&input[..], disk, compression, threads(number)).unwrap_err();
                assert_eq!(failed.kind(), io::ErrorKind::StorageFull, "{compression}, {room}");
            }
        }
        compress(&input[..], Disk(blob.len()), compression, threads(2)).unwrap();
    }
}

/// Counts how far it is ahead of the writer.
struct Ahead<'a> {
    left: usize,
    noise: &'a [u8],
    given: usize,
    written: &'a AtomicUsize,
    most: &'a AtomicUsize,
}

impl Read for Ahead<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let at = self.given % self.noise.len();
        let taken = buffer.len().min(self.left).min(self.noise.len() - at);
        buffer[..taken].copy_from_slice(&self.noise[at..at + taken]);
        self.left -= taken;
        self.given += taken;
        let ahead = self.given.saturating_sub(self.written.load(Ordering::SeqCst));
        self.most.fetch_max(ahead, Ordering::SeqCst);
        Ok(taken)
    }
}

struct Behind<'a>(&'a AtomicUsize);

impl Write for Behind<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.fetch_add(bytes.len(), Ordering::SeqCst);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn the_reader_is_never_far_ahead_of_the_writer() {
    // Noise is as large compressed as it was, so that both sides count the same bytes; no block sees it twice.
    let noise = noise(9 * MEBIBYTE);
    for (compression, block) in
        [(Compression::None, 0), (Compression::Gzip, MEBIBYTE), (Compression::Zstd, 4 * MEBIBYTE)]
    {
        for number in [1, 2, 6] {
            let (written, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let left = 20 * block + 9 * MEBIBYTE;
            let reader = Ahead { left, noise: &noise, given: 0, written: &written, most: &most };
            compress(reader, Behind(&written), compression, threads(number)).unwrap();
            let blocks = number + number.min(4) + 1;
            let most = most.into_inner();
            assert!(most <= blocks * block + 64 * 1024, "{compression}, {number}: {most}");
        }
    }
}

#[test]
fn names_and_media_types_are_those_of_the_specification() {
    for (compression, name, ending) in [
        (Compression::None, "none", ""),
        (Compression::Gzip, "gzip", "+gzip"),
        (Compression::Zstd, "zstd", "+zstd"),
    ] {
        assert_eq!(compression.to_string(), name);
        assert_eq!(name.parse(), Ok(compression));
        let media_type = format!("application/vnd.oci.image.layer.v1.tar{ending}");
        assert_eq!(compression.media_type(), media_type);
        let (blob, _) = packed(b"a", compression, 1);
        assert_eq!(Compression::of_start(&blob), compression);
    }
    for wrong in ["", "GZIP", "gz", "zstd "] {
        let error = wrong.parse::<Compression>().unwrap_err();
        assert_eq!(error.to_string(), format!("{wrong:?} is not one of none, gzip, zstd"));
    }
    // What carries no contents may stand before the first frame.
    assert_eq!(Compression::of_start(b"\x50\x2a\x4d\x18\0\0"), Compression::Zstd);
    for short in [&b""[..], b"\x1f", b"\x28\xb5\x2f"] {
        assert_eq!(Compression::of_start(short), Compression::None);
    }
}

#[test]
fn both_ends_can_be_moved_to_another_thread() {
    fn is_send<T: Send>(_: &T) {}
    is_send(&Compressor::new(io::sink(), Compression::Zstd, threads(2)));
    is_send(&decompress(io::empty(), Compression::Zstd).unwrap());
    is_send(&decompress(io::empty(), Compression::Gzip).unwrap());
}
