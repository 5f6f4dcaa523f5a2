//! Safe reading of foreign archives.
//!
//! [`unpack()`] makes a [`LayerTree`] of an archive that came from elsewhere. Nothing is ever written under
//! a name from the archive: contents go to one nameless file, names stay in memory until every one of them
//! was judged. A single member that is not as it should be refuses the whole archive.
//!
//! [`read_trusted`] reads archives of our own making and judges nothing.

mod central;
mod codec;
mod error;
mod fault;
mod format;
mod gzip;
mod intake;
mod limits;
mod members;
mod name;
mod pax;
mod spool;
mod tar;
mod trusted;
mod watch;
mod whole;
mod zip;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::tree::{Content, Kind, LayerTree};

pub use error::{Place, UnpackError};
pub use fault::Fault;
pub use format::Format;
pub use limits::{Limits, Measure};
pub(crate) use name::stays_inside;
pub use trusted::read_trusted;

use intake::Intake;
use spool::Spool;
use tar::Shelf;
use watch::Watch;

/// Reads all members of a foreign archive.
///
/// Entries have the paths of the archive, permission bits as they are there, and root as their owner.
/// Contents of compressed archives go to a nameless file on the disk of `spool`, which lasts as long as
/// the tree; those of an uncompressed tar archive are read from the archive itself. Memory holds names and
/// the window of the decompression, at most 128 MiB.
///
/// # Errors
/// [`UnpackError`]; [`UnpackError::Interrupted`] soon after `cancel` was set.
pub fn unpack(
    archive: &Path,
    format: Format,
    spool: &Path,
    limits: Limits,
    cancel: &AtomicBool,
) -> Result<LayerTree, UnpackError> {
    let watch = Watch::new(archive, limits, cancel);
    let tree = match format {
        Format::Plain => plain(watch)?,
        Format::Zip => zip::read(Spool::new(spool)?, watch)?,
        Format::Tar => {
            let file = Arc::new(watch.open()?);
            tar::read(&*file, Shelf::InPlace(Arc::clone(&file)), watch)?
        }
        Format::TarGz | Format::TarXz | Format::TarZst => {
            let reader = codec::open(watch.open()?, format, cancel, &watch)?;
            tar::read(reader, Shelf::Spool(Spool::new(spool)?), watch)?
        }
    };
    match whole::fault(&tree) {
        None => Ok(tree),
        Some((member, fault)) => {
            Err(UnpackError::Refused { archive: archive.to_owned(), member, fault })
        }
    }
}

/// The file as a tree of one member, called as the file is.
fn plain(watch: Watch<'_>) -> Result<LayerTree, UnpackError> {
    use std::os::unix::ffi::OsStrExt as _;
    let mut intake = Intake::new(watch);
    let name = intake.watch.archive().file_name().unwrap_or_default().as_bytes();
    intake.watch.enter(name)?;
    let file = intake.watch.open()?;
    let size = file.metadata().map_err(|error| intake.watch.broken(error))?.len();
    intake.watch.count(size)?;
    if let Some(path) = intake.path(name, false, PLAIN)? {
        let file = Arc::new(file);
        intake.insert(&path, Kind::File(Content::Slice { file, offset: 0, size }), PLAIN)?;
    }
    Ok(intake.tree)
}

/// A file that was brought has the mode of whoever brought it, which says nothing.
const PLAIN: u32 = 0o644;
