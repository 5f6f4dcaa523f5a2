//! The door of the tree: what every member has to pass, whatever archive it comes from.

use crate::tree::{Entry, Kind, LayerTree};

use super::error::UnpackError;
use super::fault::Fault;
use super::name::{path, stays_inside, text};
use super::watch::Watch;

const SET_ID_AND_STICKY: u32 = 0o7000;

/// A tree that is being filled.
pub(super) struct Intake<'a> {
    pub(super) watch: Watch<'a>,
    pub(super) tree: LayerTree,
}

impl<'a> Intake<'a> {
    pub(super) fn new(watch: Watch<'a>) -> Self {
        Self { watch, tree: LayerTree::new() }
    }

    /// Returns the path of a member; none for the root, which every tree has.
    pub(super) fn path(
        &self,
        name: &[u8],
        is_folder: bool,
        mode: u32,
    ) -> Result<Option<String>, UnpackError> {
        let path = path(name).map_err(|fault| self.watch.refused(fault))?;
        let fault = match path {
            _ if mode & SET_ID_AND_STICKY != 0 => Fault::SetId,
            _ if name.ends_with(b"/") && !is_folder => Fault::Contradiction,
            None if !is_folder => Fault::Nameless,
            path => return Ok(path),
        };
        Err(self.watch.refused(fault))
    }

    /// Returns a symbolic link at `link`.
    pub(super) fn symlink(&mut self, link: &str, target: &[u8]) -> Result<Kind, UnpackError> {
        self.watch.count_name(target)?;
        let target = text(target).map_err(|fault| self.watch.refused(fault))?;
        if stays_inside(link, target) {
            return Ok(Kind::Symlink(target.to_owned()));
        }
        Err(self.watch.refused(Fault::SymlinkOut(target.to_owned())))
    }

    /// Returns a hard link. Whether there is such a file shows when all members are in.
    pub(super) fn hardlink(&mut self, target: &[u8]) -> Result<Kind, UnpackError> {
        self.watch.count_name(target)?;
        let out = || Fault::HardlinkOut(String::from_utf8_lossy(target).into_owned());
        let fault = match path(target) {
            Ok(Some(target)) => return Ok(Kind::Hardlink(target)),
            Ok(None) | Err(Fault::Absolute | Fault::Climbs | Fault::Nameless) => out(),
            Err(fault) => fault,
        };
        Err(self.watch.refused(fault))
    }

    /// Lets a member in. Owners, times and attributes say something about the stranger's machine, so they
    /// stay outside.
    pub(super) fn insert(&mut self, path: &str, kind: Kind, mode: u32) -> Result<(), UnpackError> {
        let entry = Entry::new(kind, mode & 0o777);
        // `npm pack` writes a file twice that package.json names with `./` (npm/cli).
        if self.tree.get(path).is_some_and(|there| is_again(there, &entry)) {
            return Ok(());
        }
        self.tree.insert(path, entry).map_err(|_| self.watch.refused(Fault::Duplicate))
    }
}

/// Returns whether two entries are files with the same bytes.
fn is_again(there: &Entry, again: &Entry) -> bool {
    use std::io::Read as _;
    let bytes = |entry: &Entry| match &entry.kind {
        Kind::File(content) if content.size() < 1 << 20 => {
            let mut bytes = Vec::new();
            content.reader().read_to_end(&mut bytes).ok().map(|_| bytes)
        }
        _ => None,
    };
    there.mode == again.mode && bytes(there).is_some_and(|there| Some(there) == bytes(again))
}
