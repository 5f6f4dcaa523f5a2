//! Ways unpacking can fail.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::tree::TreeError;

use super::fault::Fault;
use super::limits::Measure;

/// Why an archive was not unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// It was asked to stop.
    #[error("unpacking was interrupted")]
    Interrupted,
    /// The archive could not be read, or its contents not be kept.
    #[error("cannot use {path}")]
    File {
        /// The archive, or the folder for its contents.
        path: PathBuf,
        /// Why; a full disk is `StorageFull` or `QuotaExceeded`.
        #[source]
        source: io::Error,
    },
    /// The archive ends before it is complete.
    #[error("{archive} ends too early, {place}")]
    Truncated {
        /// The archive.
        archive: PathBuf,
        /// Where.
        place: Place,
    },
    /// The archive breaks the rules of its format or compression, or needs more memory than is given.
    #[error("cannot make sense of {archive}, {place}")]
    Damaged {
        /// The archive.
        archive: PathBuf,
        /// Where.
        place: Place,
        /// What is wrong.
        #[source]
        source: io::Error,
    },
    /// More came out than [`Limits`](super::Limits) allow.
    #[error("{archive} has more than {limit} {measure}, {place}")]
    OverLimit {
        /// The archive.
        archive: PathBuf,
        /// Where the limit was reached.
        place: Place,
        /// The limit.
        limit: u64,
        /// What it counts.
        measure: Measure,
    },
    /// A member is of a kind that is not taken from strangers.
    #[error("{member:?} in {archive} {fault}")]
    Refused {
        /// The archive.
        archive: PathBuf,
        /// The member's name as the archive has it, or its path.
        member: String,
        /// What is wrong with it.
        fault: Fault,
    },
    /// The members of a trusted archive make no tree.
    #[error(transparent)]
    Tree(#[from] TreeError),
}

/// Where in an archive something went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Before the first member.
    Start,
    /// In this member, or in the header of the one that follows.
    Member(String),
    /// After the last member.
    End,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start => formatter.write_str("at its start"),
            Self::Member(name) => write!(formatter, "at {name:?}"),
            Self::End => formatter.write_str("after its last member"),
        }
    }
}
