//! Locks by name, which the kernel drops with their holder.

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::Cache;
use crate::error::BuildError;
use crate::event::Event;

/// A name held until dropped.
pub(crate) struct Hold {
    _file: File,
}

/// Opens a lock file.
pub(super) fn open(path: &Path) -> Result<File, BuildError> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(BuildError::at(path))
}

/// Takes a lock if nobody holds it.
pub(super) fn try_hold(file: &File) -> Result<bool, Errno> {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK | Errno::INTR) => Ok(false),
        Err(error) => Err(error),
    }
}

impl Cache<'_> {
    /// Holds a name, waiting for another build that does, and saying so.
    pub(crate) fn hold(&self, name: &str) -> Result<Hold, BuildError> {
        self.hold_and(name, || (self.observer)(Event::WaitingForOtherBuild))
    }

    /// Holds a name that is never held for long, by threads of this build either.
    pub(super) fn hold_briefly(&self, name: &str) -> Result<Hold, BuildError> {
        self.hold_and(name, || ())
    }

    fn hold_and(&self, name: &str, waiting: impl Fn()) -> Result<Hold, BuildError> {
        let path = self.folder.join("locks").join(name);
        let file = open(&path)?;
        let mut told = false;
        while !try_hold(&file).map_err(|error| BuildError::at(&path)(error.into()))? {
            if !std::mem::replace(&mut told, true) {
                waiting();
            }
            if self.cancel.load(Ordering::Relaxed) {
                return Err(BuildError::Cancelled);
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(Hold { _file: file })
    }
}
