//! Ways a build can fail.

use std::io;
use std::path::{Path, PathBuf};

use occ_oci::VerifyingError;

use crate::plan::PlanError;
use occ_layer::tree::TreeError;
use occ_layer::unpack::UnpackError;

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// It was asked to stop.
    #[error("the build was interrupted")]
    Cancelled,
    /// A program that does part of the work is not installed.
    #[error("{name} is not installed (Debian and Ubuntu have it in the package {package})")]
    MissingProgram {
        /// The program.
        name: String,
        /// The Debian package that has it.
        package: &'static str,
    },
    /// A program did not do its part.
    #[error("{name} failed ({status}):\n{}", tail.join("\n"))]
    ProgramFailed {
        /// The program.
        name: String,
        /// How it ended, such as `exit status: 1`.
        status: String,
        /// Its last lines, at most 15.
        tail: Vec<String>,
    },
    /// What a package client brought is not what was promised.
    #[error("{name} is not the file that was promised")]
    FileMismatch {
        /// The file, such as package and version.
        name: String,
        /// Expected and got.
        #[source]
        source: VerifyingError,
    },
    /// A registry does not have what the lock or the recipe names.
    #[error("{name} is not to be had from {registry}")]
    NotAvailable {
        /// The file, such as package and version.
        name: String,
        /// Which registry, such as `npm`.
        registry: &'static str,
    },
    /// A registry answered with something that is no answer.
    #[error("cannot understand what {registry} says about {name}: {reason}")]
    Answer {
        /// What was asked about.
        name: String,
        /// Which registry, such as `npm`.
        registry: &'static str,
        /// What is wrong with the answer.
        reason: String,
    },
    /// A package cannot be put into an image.
    #[error("{name} cannot be put into an image: {reason}")]
    Unsuitable {
        /// The package.
        name: String,
        /// Why.
        reason: String,
    },
    /// A file is no archive that can be trusted, or none at all.
    #[error("cannot take {name} apart")]
    Archive {
        /// The file, such as package and version.
        name: String,
        /// Why.
        #[source]
        source: UnpackError,
    },
    /// There is no plan.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The package client said it was done, and what should be there is not.
    #[error("{whole} has no {part}")]
    Incomplete {
        /// What it should be in.
        whole: String,
        /// What is missing.
        part: String,
    },
    /// There is no room left.
    #[error("no space left on the disk of {path}")]
    StorageFull {
        /// A file or folder on the full disk.
        path: PathBuf,
    },
    /// The base's archive has something that a layer cannot hold.
    #[error("the base cannot be made a layer")]
    Tree(#[from] TreeError),
    /// A file could not be read or written.
    #[error("cannot use {path}")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Travels in an [`io::Error`] through writers that know only those.
#[derive(Debug, thiserror::Error)]
#[error("interrupted")]
pub(crate) struct Interrupted;

impl BuildError {
    /// Returns a conversion of I/O errors on `path`.
    pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| {
            if source
                .get_ref()
                .is_some_and(<dyn std::error::Error + Send + Sync>::is::<Interrupted>)
            {
                return Self::Cancelled;
            }
            match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    Self::StorageFull { path }
                }
                _ => Self::File { path, source },
            }
        }
    }
}
