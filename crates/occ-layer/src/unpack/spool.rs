//! Where contents lie after decompression: one nameless file, gone with the last entry that needs it.

use std::fs::File;
use std::io::{self, Read, Write as _};
use std::path::Path;
use std::sync::Arc;

use crate::tree::Content;

use super::error::UnpackError;
use super::watch::Watch;

/// Bytes moved at once.
pub(super) const CHUNK: usize = 1 << 14;

/// Contents one behind the other.
pub(super) struct Spool<'a> {
    folder: &'a Path,
    file: Arc<File>,
    end: u64,
}

impl<'a> Spool<'a> {
    /// Makes an empty one on the disk of `folder`.
    pub(super) fn new(folder: &'a Path) -> Result<Self, UnpackError> {
        let file = tempfile::tempfile_in(folder)
            .map_err(|source| UnpackError::File { path: folder.to_owned(), source })?;
        Ok(Self { folder, file: Arc::new(file), end: 0 })
    }

    /// Keeps all that a reader gives.
    pub(super) fn keep(
        &mut self,
        mut reader: impl Read,
        watch: &mut Watch<'_>,
    ) -> Result<Content, UnpackError> {
        let offset = self.end;
        let mut buffer = [0; CHUNK];
        loop {
            let taken = watch.read(&mut reader, &mut buffer)?;
            if taken == 0 {
                let size = self.end - offset;
                return Ok(Content::Slice { file: Arc::clone(&self.file), offset, size });
            }
            (&*self.file).write_all(&buffer[..taken]).map_err(|error| self.failed(error))?;
            self.end += taken as u64;
        }
    }

    pub(super) fn failed(&self, source: io::Error) -> UnpackError {
        UnpackError::File { path: self.folder.to_owned(), source }
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;
    use std::fs::OpenOptions;
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::unpack::Limits;

    #[test]
    fn a_full_disk_is_recognised_by_its_source() {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut spool = Spool { folder: Path::new("/dev"), file: Arc::new(full), end: 0 };
        let never = AtomicBool::new(false);
        let mut watch = Watch::new(Path::new("a.tgz"), Limits::default(), &never);
        let error = spool.keep(&b"bytes"[..], &mut watch).unwrap_err();
        assert_eq!(error.to_string(), "cannot use /dev");
        let source = error.source().unwrap().downcast_ref::<io::Error>().unwrap();
        assert_eq!(source.kind(), io::ErrorKind::StorageFull);
    }
}
