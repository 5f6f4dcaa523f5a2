//! Files of our own: written whole or not at all, under a lock where two processes could meet.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// A file or folder that could not be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} {path}")]
pub struct FileError {
    /// What was going on, such as `write`.
    pub doing: &'static str,
    /// The file or folder.
    pub path: PathBuf,
    /// Why.
    #[source]
    pub source: io::Error,
}

impl FileError {
    /// Returns a closure that wraps an io error with what was done to which path.
    pub fn wrap(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self { doing, path, source }
    }
}

/// Creates a folder that only its owner can enter, with its parents.
///
/// # Errors
/// When a parent is not writable or something else stands there.
pub fn private_dir(path: &Path) -> Result<(), FileError> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(FileError::wrap("create the folder", path))
}

/// Replaces a file's contents: readers see the old bytes or the new ones, never a part.
///
/// # Errors
/// When the folder is not writable or full; the old file is then untouched.
pub fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
    let parent = path.parent().unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = parent.join(format!(".{name}.{}.tmp", rustix::process::getpid().as_raw_pid()));
    let written = write_synced(&temporary, bytes, mode)
        .and_then(|()| fs::rename(&temporary, path))
        .and_then(|()| File::open(parent)?.sync_all());
    written.map_err(|source| {
        // The temporary file is ours; that it is gone already is as good.
        drop(fs::remove_file(&temporary));
        FileError { doing: "write", path: path.to_owned(), source }
    })
}

/// Removes a file for good; that it is gone already is as good.
///
/// # Errors
/// When the folder is not writable.
pub(crate) fn remove(path: &Path) -> Result<(), FileError> {
    let parent = path.parent().unwrap_or(Path::new("."));
    let removed = match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.and_then(|()| File::open(parent)?.sync_all()),
    };
    removed.map_err(FileError::wrap("remove", path))
}

/// Adds a line to a file that is only ever added to, and keeps its newer half once it has grown past
/// `limit` bytes.
///
/// # Errors
/// When the folder is not writable or full.
pub(crate) fn add_line(path: &Path, line: &str, limit: u64) -> Result<(), FileError> {
    let grown = fs::metadata(path).is_ok_and(|meta| meta.len() > limit);
    if grown {
        let text = fs::read_to_string(path).map_err(FileError::wrap("read", path))?;
        let lines: Vec<&str> = text.lines().collect();
        let newer = lines[lines.len() / 2..].join("\n") + "\n";
        replace(path, newer.as_bytes(), 0o600)?;
    }
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
        .map_err(FileError::wrap("open", path))?;
    // One write: two lines never mix.
    file.write_all(format!("{line}\n").as_bytes()).map_err(FileError::wrap("write", path))
}

fn write_synced(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// An exclusive lock, held until dropped; the kernel drops it with the process.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// What trying for a lock gave.
#[derive(Debug)]
pub enum TryLock {
    /// It is ours.
    Held(Lock),
    /// Another process has it.
    Busy {
        /// The other process, when it wrote its id.
        by: Option<u32>,
    },
}

/// Tries once for the lock on a file, creating it when needed.
///
/// # Errors
/// When the file cannot be created or locking is not possible there.
pub(crate) fn try_lock(path: &Path) -> Result<TryLock, FileError> {
    let wrap = || FileError::wrap("lock", path);
    let mut file = open_lock(path).map_err(wrap())?;
    match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {
            let pid = rustix::process::getpid().as_raw_pid().to_string();
            file.set_len(0).and_then(|()| file.write_all(pid.as_bytes())).map_err(wrap())?;
            Ok(TryLock::Held(Lock { _file: file }))
        }
        Err(rustix::io::Errno::WOULDBLOCK) => {
            let by = fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok());
            Ok(TryLock::Busy { by })
        }
        Err(errno) => Err(wrap()(errno.into())),
    }
}

/// Waits for the lock on a file that nobody holds for more than a moment.
///
/// # Errors
/// When the file cannot be created or locking is not possible there.
pub(crate) fn lock(path: &Path) -> Result<Lock, FileError> {
    let file = open_lock(path).and_then(|file| {
        rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive)?;
        Ok(file)
    });
    file.map(|file| Lock { _file: file }).map_err(FileError::wrap("lock", path))
}

fn open_lock(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_replaced_file_has_the_new_bytes_and_mode_and_leaves_nothing_beside_it() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("record.json");
        replace(&path, b"old", 0o600).expect("write");
        replace(&path, b"new", 0o600).expect("write");
        assert_eq!(fs::read(&path).expect("read"), b"new");
        assert_eq!(fs::metadata(&path).expect("stat").permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).expect("list").count(), 1);
    }

    #[test]
    fn a_second_taker_is_told_who_holds_the_lock() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("lock");
        let TryLock::Held(first) = try_lock(&path).expect("lock") else { panic!("busy") };
        let TryLock::Busy { by } = try_lock(&path).expect("lock") else { panic!("held twice") };
        assert_eq!(by, Some(std::process::id()));
        drop(first);
        assert!(matches!(try_lock(&path).expect("lock"), TryLock::Held(_)));
    }
}
