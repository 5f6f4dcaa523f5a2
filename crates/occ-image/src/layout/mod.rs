//! Image layouts: finished images in a folder, as every OCI tool reads them (OCI image spec, image layout).
//!
//! ```text
//! oci-layout            says that the folder is a layout; held by whoever changes it
//! index.json            what is in it: an index for each variant, and for each image its bill of materials
//! blobs/ALGORITHM/HEX   everything else, by digest
//! .partial/             half-made blobs of whoever changes it
//! ```
//!
//! Blobs appear finished, and `index.json` is replaced last, so that a writer that is killed leaves the
//! layout as it was, with at most blobs that nobody asks for. Readers need no lock.

mod change;
mod document;
mod error;
mod fill;
mod listing;
mod prune;
mod resolve;
mod selector;
mod store;
mod stored;
mod write;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use occ_oci::{Descriptor, Index};
use serde::{Deserialize, Serialize};

pub use error::LayoutError;
pub use fill::{Arriving, Filling};
pub use prune::LayoutPruned;
pub use selector::{EntryName, ParseSelectorError, Selector};
pub use stored::StoredImage;

/// The file that says that a folder is a layout.
const MARK: &str = "oci-layout";
/// The file that says what is in it.
const INDEX: &str = "index.json";
/// The folder of half-made blobs.
const PARTIAL: &str = ".partial";
/// The version of the specification's layout.
const VERSION: &str = "1.0.0";

/// A folder that is an image layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    folder: PathBuf,
}

/// The contents of the file that says that a folder is a layout.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Mark {
    image_layout_version: String,
}

impl Layout {
    /// Opens a layout.
    ///
    /// # Errors
    /// [`LayoutError::NotALayout`], or when it cannot be read.
    pub fn open(folder: &Path) -> Result<Self, LayoutError> {
        let layout = Self { folder: folder.to_owned() };
        match fs::read(layout.folder.join(MARK)) {
            Ok(bytes) => layout.check_mark(&bytes)?,
            Err(error) if is_absent(&error) => {
                return Err(layout.is_none(format!("it has no file {MARK}")));
            }
            Err(error) => return Err(LayoutError::at(&layout.folder.join(MARK))(error)),
        }
        if !layout.folder.join(INDEX).is_file() {
            return Err(layout.is_none(format!("it has no file {INDEX}")));
        }
        Ok(layout)
    }

    /// Returns the folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns what its `index.json` lists.
    ///
    /// # Errors
    /// [`LayoutError`].
    pub fn entries(&self) -> Result<Vec<Descriptor>, LayoutError> {
        let index: Index = document::parse(INDEX, &self.index_bytes()?)?;
        Ok(index.manifests)
    }

    fn check_mark(&self, bytes: &[u8]) -> Result<(), LayoutError> {
        let mark: Option<Mark> = serde_json::from_slice(bytes).ok();
        match mark.map(|mark| mark.image_layout_version) {
            Some(version) if version == VERSION => Ok(()),
            Some(other) => Err(self.is_none(format!("its version is {other}, not {VERSION}"))),
            None => Err(self.is_none(format!("its file {MARK} states no version"))),
        }
    }

    fn is_none(&self, reason: String) -> LayoutError {
        LayoutError::NotALayout { path: self.folder.clone(), reason }
    }
}

/// Whether a file is not there, the folder it would be in included.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
