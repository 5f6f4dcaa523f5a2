//! Gathering contents in one file: a tree of hundreds of packages would keep as many files open.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use occ_layer::tree::{Content, Kind, LayerTree};

use crate::error::BuildError;

/// A nameless file that contents are moved to, one behind the other.
pub(super) struct Gather {
    folder: PathBuf,
    file: Arc<File>,
    end: u64,
}

impl Gather {
    /// Makes an empty one on the disk of `folder`.
    pub(super) fn new(folder: &Path) -> Result<Self, BuildError> {
        let file = tempfile::tempfile_in(folder).map_err(BuildError::at(folder))?;
        Ok(Self { folder: folder.to_owned(), file: Arc::new(file), end: 0 })
    }

    /// Moves the contents of a tree's files, so that the files they were in can go.
    pub(super) fn take(&mut self, tree: &mut LayerTree) -> Result<(), BuildError> {
        let paths: Vec<String> = tree.entries().map(|(path, _)| path.to_owned()).collect();
        for path in paths {
            if let Some(Kind::File(content)) = tree.get_mut(&path).map(|entry| &mut entry.kind) {
                *content = self.moved(content).map_err(BuildError::at(&self.folder))?;
            }
        }
        Ok(())
    }

    fn moved(&mut self, content: &Content) -> io::Result<Content> {
        let (offset, size) = (self.end, content.size());
        let mut file = &*self.file;
        self.end += io::copy(&mut content.reader(), &mut file)?;
        if self.end - offset != size {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        file.flush()?;
        Ok(Content::Slice { file: Arc::clone(&self.file), offset, size })
    }
}
