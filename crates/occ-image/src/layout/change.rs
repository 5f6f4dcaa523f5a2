//! The right to change a layout: one at a time has it, and whatever it leaves half-made is nobody's.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use tempfile::NamedTempFile;

use super::{INDEX, Layout, LayoutError, MARK, Mark, PARTIAL, VERSION};
use crate::event::{Event, Observer};
use crate::image::json;

/// Held until dropped; the kernel drops it with its holder.
pub(super) struct Change<'a> {
    pub(super) layout: Layout,
    pub(super) observer: Observer<'a>,
    pub(super) cancel: &'a AtomicBool,
    _mark: File,
}

impl<'a> Change<'a> {
    /// Waits for everybody else to be done. A folder that is empty or not there becomes a layout.
    pub(super) fn begin(
        folder: &Path,
        observer: Observer<'a>,
        cancel: &'a AtomicBool,
    ) -> Result<Self, LayoutError> {
        let layout = Layout { folder: folder.to_owned() };
        fs::create_dir_all(folder).map_err(LayoutError::at(folder))?;
        if !layout.is_ours_to_fill()? {
            let reason = format!("it has files, and no file {MARK} among them");
            return Err(layout.is_none(reason));
        }
        let path = folder.join(MARK);
        let at = |error| LayoutError::at(&path)(error);
        let open =
            OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path);
        let mut mark = open.map_err(at)?;
        wait_for(&mark, observer, cancel).map_err(at)?;
        let mut bytes = Vec::new();
        mark.read_to_end(&mut bytes).map_err(at)?;
        if bytes.is_empty() {
            let version = Mark { image_layout_version: VERSION.to_owned() };
            mark.write_all(&json(&version)).and_then(|()| mark.sync_all()).map_err(at)?;
        } else {
            layout.check_mark(&bytes)?;
        }
        let change = Self { layout, observer, cancel, _mark: mark };
        change.sweep()?;
        for part in ["blobs/sha256", PARTIAL] {
            let path = folder.join(part);
            fs::create_dir_all(&path).map_err(LayoutError::at(&path))?;
        }
        Ok(change)
    }

    /// Makes a file on the disk of the layout, to be renamed to where it belongs.
    pub(super) fn half_made(&self) -> Result<NamedTempFile, LayoutError> {
        let folder = self.layout.folder.join(PARTIAL);
        NamedTempFile::new_in(&folder).map_err(LayoutError::at(&folder))
    }

    /// Replaces `index.json`. What it lists was made to last before.
    pub(super) fn publish_index(&self, bytes: &[u8]) -> Result<(), LayoutError> {
        for folder in ["blobs", "blobs/sha256"] {
            sync(&self.layout.folder.join(folder))?;
        }
        let mut half = self.half_made()?;
        half.write_all(bytes).map_err(LayoutError::at(half.path()))?;
        publish(half, &self.layout.folder.join(INDEX))?;
        sync(&self.layout.folder)
    }

    fn sweep(&self) -> Result<(), LayoutError> {
        let path = self.layout.folder.join(PARTIAL);
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(LayoutError::at(&path)(error))
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Change<'_> {
    fn drop(&mut self) {
        // Otherwise the next one sweeps.
        self.sweep().ok();
    }
}

impl Layout {
    /// Nobody who names the wrong folder by mistake should find blobs among their own files.
    fn is_ours_to_fill(&self) -> Result<bool, LayoutError> {
        let at = |error| LayoutError::at(&self.folder)(error);
        let mut is_ours = true;
        for entry in fs::read_dir(&self.folder).map_err(at)? {
            let name: PathBuf = entry.map_err(at)?.file_name().into();
            if name == Path::new(MARK) {
                return Ok(true);
            }
            is_ours = false;
        }
        // Another writer may have begun while we looked.
        Ok(is_ours || self.folder.join(MARK).exists())
    }
}

fn wait_for(file: &File, observer: Observer<'_>, cancel: &AtomicBool) -> io::Result<()> {
    let mut told = false;
    loop {
        match flock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(()),
            Err(Errno::WOULDBLOCK | Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        if !std::mem::replace(&mut told, true) {
            observer(Event::WaitingForOtherBuild);
        }
        if cancel.load(Ordering::Relaxed) {
            return Err(io::Error::other(crate::error::Interrupted));
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// Moves a finished file to its place, where it is whole or not at all, even after a power cut.
pub(super) fn publish(half: NamedTempFile, path: &Path) -> Result<(), LayoutError> {
    half.as_file()
        .set_permissions(Permissions::from_mode(0o644))
        .and_then(|()| half.as_file().sync_all())
        .map_err(LayoutError::at(path))?;
    half.persist(path).map_err(|error| LayoutError::at(path)(error.error))?;
    Ok(())
}

/// Makes the names in a folder last.
fn sync(folder: &Path) -> Result<(), LayoutError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(LayoutError::at(folder))
}
