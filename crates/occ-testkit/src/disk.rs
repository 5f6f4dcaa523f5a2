//! A small disk, to be filled.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use crate::root::{as_root, do_as_root};

/// A disk of its own in a folder, gone when this is dropped.
#[derive(Debug)]
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts a disk of this size, such as `200k`, at a folder, which is made.
    pub fn mount(at: &Path, size: &str) -> Self {
        fs::create_dir_all(at).expect("a folder");
        let option = format!("size={size},mode=1777");
        let words = ["-t", "tmpfs", "-o", &option, "tmpfs"].map(OsStr::new);
        do_as_root("mount", words.into_iter().chain([at.as_os_str()]));
        Self(at.to_owned())
    }

    /// Fills it to the last byte.
    pub fn fill(&self) {
        // Both end with an error: it is full.
        for size in ["bs=1M", "bs=1"] {
            let to = format!("of={}", self.0.join(format!("filler-{size}")).display());
            drop(as_root("dd", ["if=/dev/zero", &to, size]).output());
        }
    }

    /// Takes away what filled it.
    pub fn clear(&self) {
        let fillers = ["bs=1M", "bs=1"].map(|size| self.0.join(format!("filler-{size}")));
        let words = fillers.iter().map(|path| path.as_os_str());
        do_as_root("rm", [OsStr::new("-f")].into_iter().chain(words));
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // The folder goes away with the test's own; whatever still uses the disk may do so till its end.
        drop(as_root("umount", ["--lazy".as_ref(), self.0.as_os_str()]).status());
    }
}
