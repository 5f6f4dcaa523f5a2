//! Decompression, with a bound on the memory that an archive can ask for.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::sync::atomic::{AtomicBool, Ordering};

use lzma_rust2::XzReader;

use super::error::UnpackError;
use super::format::Format;
use super::gzip::Gzip;
use super::spool::CHUNK;
use super::watch::Watch;

/// How far back an archive may refer: what `zstd` allows without asking, and twice what `xz -9` uses.
const WINDOW_LOG: u32 = 27;
/// The same for xz in KiB, with room for the decoder itself.
const XZ_MEMORY: u32 = (1 << (WINDOW_LOG - 10)) + 1024;

/// Returns the tar archive inside a compressed file.
pub(super) fn open<'a>(
    file: File,
    format: Format,
    cancel: &'a AtomicBool,
    watch: &Watch<'_>,
) -> Result<Box<dyn Read + 'a>, UnpackError> {
    let file = BufReader::with_capacity(CHUNK, Heard { file, cancel });
    Ok(match format {
        Format::TarGz => Box::new(Gzip::new(file)),
        Format::TarXz => Box::new(XzReader::new_mem_limit(file, true, XZ_MEMORY)),
        Format::TarZst => {
            let mut decoder = zstd::Decoder::with_buffer(file).map_err(|e| watch.broken(e))?;
            decoder.window_log_max(WINDOW_LOG).map_err(|error| watch.broken(error))?;
            Box::new(decoder)
        }
        Format::Tar | Format::Zip | Format::Plain => Box::new(file),
    })
}

/// Stops reading on request: a decoder can go through a whole archive that holds nothing without
/// returning.
struct Heard<'a> {
    file: File,
    cancel: &'a AtomicBool,
}

impl Read for Heard<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.cancel.load(Ordering::Relaxed) {
            return Err(io::Error::other("interrupted"));
        }
        self.file.read(buffer)
    }
}
