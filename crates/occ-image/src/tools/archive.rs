//! Opening what others packed.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use occ_layer::tree::{Kind, LayerTree};
use occ_layer::unpack::{Format, Limits, UnpackError, unpack};

use crate::cache::Cache;
use crate::error::BuildError;

/// Reads an archive of the cache; `name` is what it is called in errors, `spool` a work folder.
pub(super) fn open(
    archive: &Path,
    format: Format,
    name: &str,
    cache: &Cache<'_>,
    spool: &Path,
) -> Result<LayerTree, BuildError> {
    let (_, cancel) = cache.context();
    unpack(archive, format, spool, Limits::default(), cancel).map_err(|error| match error {
        UnpackError::Interrupted => BuildError::Cancelled,
        UnpackError::File { path, source } => BuildError::at(&path)(source),
        source => BuildError::Archive { name: name.to_owned(), source },
    })
}

/// Returns the files of an archive without the folder that everything in it is in, whatever that is called.
/// Links are left out, as npm and cargo do.
pub(super) fn without_first_folder(archive: &LayerTree) -> Result<LayerTree, BuildError> {
    let mut tree = LayerTree::new();
    for (path, entry) in archive.entries() {
        if let (Some((_, inside)), Kind::File(_)) = (path.split_once('/'), &entry.kind) {
            tree.insert(inside, entry.clone())?;
        }
    }
    Ok(tree)
}

/// Writes the files of a tree below a folder, for a program to find them there.
pub(super) fn write_out(tree: &LayerTree, folder: &Path) -> Result<(), BuildError> {
    for (path, entry) in tree.entries() {
        let Kind::File(content) = &entry.kind else { continue };
        let path = folder.join(path);
        let above = path.parent().unwrap_or(folder);
        fs::create_dir_all(above).map_err(BuildError::at(above))?;
        let mut file = File::create(&path).map_err(BuildError::at(&path))?;
        io::copy(&mut content.reader(), &mut file).map_err(BuildError::at(&path))?;
        let mode = if entry.mode & 0o111 == 0 { 0o644 } else { 0o755 };
        fs::set_permissions(&path, Permissions::from_mode(mode)).map_err(BuildError::at(&path))?;
    }
    Ok(())
}
