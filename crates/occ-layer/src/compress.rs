//! Compression of layers: the bytes follow from the input alone, never from the machine or how many threads
//! it has (OCI image spec, layer, media types).
//!
//! The input is cut where the format says, each block is compressed by itself from a fresh state, and the
//! results are written in order. Threads decide only who compresses a block.
//!
//! | | gzip | zstd |
//! |---|---|---|
//! | compressor | libdeflate 1.26, compiled in by the crate libdeflater 1.26 | libzstd 1.5.7, compiled in by the crate zstd 0.13 |
//! | level | 2 | 3 |
//! | block | 1 MiB | 4 MiB |
//! | shape | one member per block, with size and checksum | one frame per block, with size and checksum |
//!
//! Another version of a compressor may write other bytes: the lock file pins both, and the tests know the
//! digests of a fixed input. Older ones would not do: libzstd before 1.5.7 chose its search by the processor at
//! some levels. A build told to link the system's libzstd (`ZSTD_SYS_USE_PKG_CONFIG`) writes the system's bytes.
//! These versions were seen to write the same on x86-64 with and without AVX2 and on aarch64.
//!
//! Figures, on one core, built as we release: opencode 1.18.18 (183 MB), and 220 MB of `/usr`.
//!
//! | | opencode | | `/usr` | |
//! |---|---|---|---|---|
//! | GNU gzip -6 | 32.8 % | 22 MB/s | 33.9 % | 19 MB/s |
//! | zlib-rs 3 | 34.9 % | 95 MB/s | 36.1 % | 94 MB/s |
//! | zlib-rs 4 | 34.4 % | 82 MB/s | 35.5 % | 78 MB/s |
//! | zlib-rs 6 | 33.8 % | 65 MB/s | 34.8 % | 57 MB/s |
//! | libdeflate 1 | 35.5 % | 182 MB/s | 36.9 % | 175 MB/s |
//! | **libdeflate 2** | 34.0 % | 131 MB/s | 35.1 % | 130 MB/s |
//! | libdeflate 3 | 33.6 % | 122 MB/s | 34.7 % | 117 MB/s |
//! | libdeflate 6 | 32.6 % | 84 MB/s | 33.6 % | 76 MB/s |
//! | zstd 3, blocks of 1 MiB | 31.6 % | 250 MB/s | 33.2 % | 231 MB/s |
//! | **zstd 3**, blocks of 4 MiB | 30.9 % | 248 MB/s | 32.6 % | 229 MB/s |
//!
//! Level 2 of libdeflate is the fastest whose layers are at most 5 % larger than those of `gzip -6`, what engines
//! use. It compresses a piece as a whole and ends what it wrote, so that gzip is a member for each block; readers of
//! gzip take members one after the other for one stream (RFC 1952, 2.2), engines among them. The size of blocks is
//! all but invisible in gzip, whose window is 32 KiB; level 3 of zstd looks back 2 MiB.

use std::fmt;
use std::io::{self, Read, Write};
use std::num::NonZeroUsize;
use std::str::FromStr;

use occ_oci::LayerDigest;

mod compressor;
mod decompressor;
mod format;
mod gzip;
mod pool;
mod zstd;

pub use compressor::Compressor;
pub use decompressor::{Decompressor, decompress};

use format::Format;

/// How a layer's archive travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Compression {
    /// As it is.
    None,
    /// As gzip members (RFC 1952).
    Gzip,
    /// As zstd frames (RFC 8878).
    Zstd,
}

impl Compression {
    /// Returns the media type of a layer that travels so.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::None => "application/vnd.oci.image.layer.v1.tar",
            Self::Gzip => "application/vnd.oci.image.layer.v1.tar+gzip",
            Self::Zstd => "application/vnd.oci.image.layer.v1.tar+zstd",
        }
    }

    /// Tells by the first four bytes of a layer how it is compressed; an archive that is not begins otherwise.
    pub fn of_start(start: &[u8]) -> Self {
        match start {
            [0x1f, 0x8b, ..] => Self::Gzip,
            // A frame, or one that carries no contents and may stand first (RFC 8878, 3.1.2).
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            _ => Self::None,
        }
    }

    fn format(self) -> Option<Format> {
        match self {
            Self::None => None,
            Self::Gzip => Some(gzip::FORMAT),
            Self::Zstd => Some(zstd::FORMAT),
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        })
    }
}

/// A text that names no compression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not one of none, gzip, zstd")]
pub struct ParseCompressionError(String);

impl FromStr for Compression {
    type Err = ParseCompressionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "none" => Ok(Self::None),
            "gzip" => Ok(Self::Gzip),
            "zstd" => Ok(Self::Zstd),
            other => Err(ParseCompressionError(other.to_owned())),
        }
    }
}

/// A blob that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compressed {
    /// Digest of its bytes.
    pub digest: LayerDigest,
    /// Its size in bytes.
    pub size: u64,
}

/// Compresses everything a reader has into a writer, on so many threads.
///
/// One thread is the caller's own. In memory are at most as many blocks as threads and five more, with what
/// became of them: with eight threads about 60 MB for gzip and 90 MB for zstd.
///
/// # Errors
/// The reader's or the writer's own, or that no thread could be started. What was written then is no blob.
pub fn compress(
    mut input: impl Read,
    output: impl Write,
    compression: Compression,
    threads: NonZeroUsize,
) -> io::Result<Compressed> {
    let mut compressor = Compressor::new(output, compression, threads);
    io::copy(&mut input, &mut compressor)?;
    compressor.finish()
}
