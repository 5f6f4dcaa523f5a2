//! A container's log.

use std::pin::Pin;

use bytes::Bytes;
use futures_util::Stream;

use crate::error::Error;

/// Which part of a log is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogsQuery {
    /// Whether to go on as new lines come, until the container stops.
    pub follow: bool,
    /// Number of last lines; everything when `None`.
    pub tail: Option<u64>,
    /// Earliest line, seconds since 1970 UTC.
    pub since: Option<i64>,
    /// Whether each line starts with its time, RFC 3339.
    pub timestamps: bool,
}

/// Which stream of the program a piece came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A piece of output; pieces need not end at line ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Where it came from.
    pub source: Source,
    /// The bytes.
    pub bytes: Bytes,
}

/// Output as it comes.
pub type LogStream = Pin<Box<dyn Stream<Item = Result<Chunk, Error>> + Send>>;
