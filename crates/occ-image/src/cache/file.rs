//! Files of other people, by digest.

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use occ_oci::{Digest, Verifying, VerifyingError};

use super::Cache;
use crate::error::BuildError;
use crate::event::Event;

impl Cache<'_> {
    /// Returns where a file with this digest is or would be.
    pub(crate) fn file_path(&self, digest: &Digest) -> PathBuf {
        let name = format!("{}-{}", digest.algorithm().name(), digest.hex());
        self.folder.join("files").join(name)
    }

    /// Returns the kept file if it is there and still is what it was; a damaged one is removed.
    pub(crate) fn file(&self, digest: &Digest, size: u64) -> Result<Option<PathBuf>, BuildError> {
        let path = self.file_path(digest);
        match verify(&path, digest, Some(size)) {
            Ok(()) => Ok(Some(path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) if VerifyingError::of(&error).is_some() => {
                (self.observer)(Event::DamagedFile(digest.clone()));
                fs::remove_file(&path).map_err(BuildError::at(&path))?;
                Ok(None)
            }
            Err(error) => Err(BuildError::at(&path)(error)),
        }
    }

    /// Keeps a file that a package client brought, if it is the promised one. `name` is for the error.
    ///
    /// `from` must be on the disk of the cache, in a work folder; it is gone afterwards.
    pub(crate) fn keep_file(
        &self,
        from: &Path,
        name: &str,
        digest: &Digest,
        size: Option<u64>,
    ) -> Result<PathBuf, BuildError> {
        verify(from, digest, size).map_err(|error| match VerifyingError::of(&error) {
            Some(source) => {
                BuildError::FileMismatch { name: name.to_owned(), source: source.clone() }
            }
            None => BuildError::at(from)(error),
        })?;
        let path = self.file_path(digest);
        fs::rename(from, &path).map_err(BuildError::at(&path))?;
        Ok(path)
    }
}

fn verify(path: &Path, digest: &Digest, size: Option<u64>) -> io::Result<()> {
    let file = File::open(path)?;
    let size = match size {
        Some(size) => size,
        None => file.metadata()?.len(),
    };
    let mut reader = BufReader::with_capacity(1 << 18, Verifying::new(file, digest.clone(), size));
    io::copy(&mut reader, &mut io::sink())?;
    Ok(())
}
