//! The archive: plain files in one folder, gzip over tar.

use std::io::{self, Write as _};

use flate2::Compression;
use flate2::write::GzEncoder;

/// One file of the report.
#[derive(Debug)]
pub(super) struct Piece {
    /// Its name in the archive's folder.
    pub(super) name: String,
    /// Its contents, without secrets.
    pub(super) bytes: Vec<u8>,
}

/// The archive's one folder.
const FOLDER: &str = "opencode-cloud-report";

/// Returns the archive's bytes.
pub(super) fn write(pieces: &[Piece]) -> io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    for Piece { name, bytes } in pieces {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o600);
        header.set_size(bytes.len() as u64);
        archive.append_data(&mut header, format!("{FOLDER}/{name}"), bytes.as_slice())?;
    }
    let mut encoder = archive.into_inner()?;
    encoder.flush()?;
    encoder.finish()
}
