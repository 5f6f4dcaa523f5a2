//! The folder in which a Debian is unpacked. It can be outside of the cache, so it is swept up by itself.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use rustix::fs::{FlockOperation, StatVfsMountFlags, flock, statvfs};
use tempfile::TempDir;

use crate::error::BuildError;
use crate::program::Program;
use crate::workshop::Workshop;

/// Begins the name of every such folder.
const PREFIX: &str = "occ-base-";
/// Name of the lock in it.
const LOCK: &str = ".lock";

/// A folder that vanishes with this value; should its maker be killed, the next one removes it.
pub(super) struct Scratch {
    folder: PathBuf,
    lock: File,
}

impl Scratch {
    /// Makes one that every user can read, and removes what killed builds left.
    pub(super) fn new(
        workshop: &Workshop,
        root: bool,
        cancel: &AtomicBool,
    ) -> Result<Self, BuildError> {
        let parent = parent(workshop, root);
        let at = || BuildError::at(parent);
        sweep(parent, workshop, cancel).map_err(at())?;
        let folder = TempDir::with_prefix_in(PREFIX, parent).map_err(at())?;
        // It gets its name when it is held, so that nobody finds it free.
        let half = folder.path().join(".half");
        let lock = File::create(&half).map_err(at())?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)
            .map_err(|error| at()(error.into()))?;
        fs::rename(&half, folder.path().join(LOCK)).map_err(at())?;
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).map_err(at())?;
        Ok(Self { folder: folder.keep(), lock })
    }

    pub(super) fn path(&self) -> &Path {
        &self.folder
    }

    /// Returns the lock for a program to keep open: the folder then stays while the program runs, even if
    /// this process is killed.
    pub(super) fn lock(&self) -> Result<File, BuildError> {
        self.lock.try_clone().map_err(BuildError::at(&self.folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed now is for the next build to try.
        remove(&self.folder).ok();
    }
}

/// Root needs a disk on which devices work, and many systems have none below their folder of temporary
/// files. Anybody else needs a folder that every user can reach, which a home often is not.
fn parent(workshop: &Workshop, root: bool) -> &Path {
    let no_devices = statvfs(&workshop.temp_dir)
        .is_ok_and(|disk| disk.f_flag.contains(StatVfsMountFlags::NODEV));
    if root && no_devices { &workshop.cache_dir } else { &workshop.temp_dir }
}

/// Removes what killed builds left; what resists is in nobody's way.
fn sweep(parent: &Path, workshop: &Workshop, cancel: &AtomicBool) -> io::Result<()> {
    let me = rustix::process::geteuid();
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        let path = entry.path();
        let ours = entry.file_name().to_string_lossy().starts_with(PREFIX)
            && entry.metadata().is_ok_and(|it| it.is_dir() && it.uid() == me.as_raw());
        let lock = File::open(path.join(LOCK));
        let free = |lock: &File| flock(lock, FlockOperation::NonBlockingLockExclusive).is_ok();
        if !ours || !lock.as_ref().is_ok_and(free) {
            continue;
        }
        let removed = remove(&path);
        let of_others = removed.is_err_and(|it| it.kind() == io::ErrorKind::PermissionDenied);
        if of_others && !me.is_root() {
            // The files belong to users that only mmdebstrap's namespace has.
            let program = &workshop.programs.mmdebstrap;
            let emptied = Program::new(program, "mmdebstrap", cancel)
                .with(|command| {
                    command
                        .current_dir("/")
                        .args(["--unshare-helper", "rm", "-rf", "--one-file-system"])
                        .arg(&path);
                })
                .run(|_, _| ());
            // It cannot remove the folder itself, so it always says that it failed.
            emptied.ok();
            remove(&path).ok();
        }
    }
    Ok(())
}

/// Removes a folder, and nothing on any other disk: a build that was killed may have left `/proc`, `/sys` or
/// `/dev` mounted in it. The lock goes last, so that what is left can be found again.
fn remove(folder: &Path) -> io::Result<()> {
    let lock = folder.join(LOCK);
    remove_below(folder, &lock, fs::symlink_metadata(folder)?.dev())?;
    fs::remove_file(&lock)?;
    fs::remove_dir(folder)
}

fn remove_below(folder: &Path, lock: &Path, device: u64) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, metadata) = (entry.path(), entry.metadata()?);
        if metadata.dev() != device {
            return Err(io::ErrorKind::CrossesDevices.into());
        }
        if metadata.is_dir() {
            remove_below(&path, lock, device)?;
            fs::remove_dir(&path)?;
        } else if path != lock {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn workshop(folder: &TempDir) -> Workshop {
        Workshop::new(folder.path().to_owned(), folder.path().to_owned())
    }

    fn names(folder: &TempDir) -> Vec<String> {
        let entries = fs::read_dir(folder.path()).expect("a folder");
        let name = |entry: io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
        let mut names: Vec<String> =
            entries.map(name).map(|name| name.to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_nobody_holds_goes_and_all_else_stays() {
        let folder = TempDir::new().expect("a folder");
        let new = || Scratch::new(&workshop(&folder), false, &AtomicBool::new(false));
        let held = new().expect("the first");
        let mode = fs::metadata(held.path()).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o755);
        let program = held.lock().expect("a second holder");

        let killed = folder.path().join(format!("{PREFIX}killed"));
        fs::create_dir_all(killed.join("root/etc")).expect("a leftover");
        fs::write(killed.join("root/.lock"), "").expect("a file of the same name");
        let precious = folder.path().join("precious");
        fs::create_dir(&precious).expect("a folder of somebody's");
        fs::write(precious.join("file"), "").expect("a file");
        symlink(&precious, killed.join("root/link")).expect("a link out");
        fs::write(killed.join(LOCK), "").expect("its lock");
        fs::create_dir(folder.path().join(format!("{PREFIX}young"))).expect("one without a lock");

        let other = new().expect("the second");
        let name = |scratch: &Scratch| {
            scratch.path().file_name().expect("a name").to_string_lossy().into_owned()
        };
        let mut expected =
            vec![name(&held), name(&other), format!("{PREFIX}young"), "precious".to_owned()];
        expected.sort();
        assert_eq!(names(&folder), expected);
        assert!(precious.join("file").exists());

        // A program that outlives its maker keeps the folder.
        std::mem::forget(held);
        drop(new().expect("the third"));
        assert_eq!(names(&folder), expected);
        drop((program, other));
    }

    #[test]
    fn another_disk_is_never_entered() {
        let folder = TempDir::new().expect("a folder");
        fs::create_dir(folder.path().join("proc")).expect("a folder");
        fs::write(folder.path().join("proc/file"), "").expect("a file");
        let device = fs::metadata(folder.path()).expect("it is there").dev();
        let lock = folder.path().join(LOCK);
        let error = remove_below(folder.path(), &lock, device + 1).expect_err("another disk");
        assert_eq!(error.kind(), io::ErrorKind::CrossesDevices);
        assert!(folder.path().join("proc/file").exists());
    }
}
