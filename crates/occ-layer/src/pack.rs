//! Layers ready to travel: a tree written and compressed in one pass.

use std::io::Write;
use std::num::NonZeroUsize;

use occ_oci::{DiffId, LayerDigest};

use crate::compress::{Compressed, Compression, Compressor};
use crate::tree::LayerTree;
use crate::write::{WriteError, Written, write};

/// A layer that was written and compressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// Digest of the archive.
    pub diff_id: DiffId,
    /// Size of the archive in bytes.
    pub size: u64,
    /// The archive as it travels.
    pub blob: Compressed,
}

/// Writes a tree as a layer that travels compressed, on so many threads; the archive itself is never on disk.
///
/// The bytes follow from tree and compression alone.
///
/// # Errors
/// [`WriteError`].
pub fn pack(
    tree: LayerTree,
    output: impl Write,
    compression: Compression,
    threads: NonZeroUsize,
) -> Result<Packed, WriteError> {
    if compression == Compression::None {
        // Archive and blob are one: hashing it once is enough.
        let Written { diff_id, size } = write(tree, output)?;
        let digest = LayerDigest::new(diff_id.digest().clone());
        return Ok(Packed { diff_id, size, blob: Compressed { digest, size } });
    }
    let mut compressor = Compressor::new(output, compression, threads);
    let Written { diff_id, size } = write(tree, &mut compressor)?;
    let blob = compressor.finish()?;
    Ok(Packed { diff_id, size, blob })
}
