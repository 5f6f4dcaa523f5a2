//! Where the layers of one image lie on their way: a folder that one pull at a time works in.
//!
//! ```text
//! FOLDER/HEX/lock     held by whoever pulls
//! FOLDER/HEX/0.blob   a layer as it travels, whole or its beginning
//! FOLDER/HEX/0.tar    the same unpacked, while it is loaded
//! ```

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use occ_oci::ManifestDigest;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::error::PullError;
use crate::files::private_dir;

const LOCK: &str = "lock";

/// The folder, held.
#[derive(Debug)]
pub(super) struct Shelf {
    folder: PathBuf,
    _lock: File,
}

impl Shelf {
    /// Opens the folder of an image, waiting for another pull of the same.
    pub(super) async fn open(folder: &Path, digest: &ManifestDigest) -> Result<Self, PullError> {
        let folder = folder.join(digest.digest().hex());
        loop {
            match Self::try_open(&folder).map_err(PullError::file(&folder))? {
                Some(shelf) => return Ok(shelf),
                None => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }

    fn try_open(folder: &Path) -> io::Result<Option<Self>> {
        private_dir(folder).map_err(|error| error.source)?;
        let path = folder.join(LOCK);
        let lock = File::options().create(true).truncate(false).write(true).open(&path)?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK | Errno::INTR) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        // Whoever held it before may have removed the folder at its end.
        let is_same =
            |there: fs::Metadata| Ok::<_, io::Error>(there.ino() == lock.metadata()?.ino());
        match fs::metadata(&path).and_then(is_same) {
            Ok(true) => Ok(Some(Self { folder: folder.to_owned(), _lock: lock })),
            Ok(false) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns where a layer is, as it travels.
    pub(super) fn blob(&self, layer: usize) -> PathBuf {
        self.folder.join(format!("{layer}.blob"))
    }

    /// Returns where a layer is unpacked to.
    pub(super) fn unpacked(&self, layer: usize) -> PathBuf {
        self.folder.join(format!("{layer}.tar"))
    }

    /// Removes the folder, and those of pulls that nobody went on with: there is a newer image now.
    pub(super) fn clear(self, all: &Path) {
        // What cannot be removed lies in a cache.
        drop(fs::remove_dir_all(&self.folder));
        for other in fs::read_dir(all).into_iter().flatten().flatten() {
            if let Ok(Some(abandoned)) = Self::try_open(&other.path()) {
                drop(fs::remove_dir_all(&abandoned.folder));
            }
        }
    }
}
