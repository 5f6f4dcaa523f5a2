//! A container's log.

use std::pin::Pin;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};

use crate::engine::Engine;
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

impl LogsQuery {
    /// Returns the query for the last lines of what there is.
    pub fn last(lines: u64) -> Self {
        Self { tail: Some(lines), ..Self::default() }
    }
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

/// Reads a log to its end and returns it as text. What came before a break is better than nothing, and is returned.
///
/// # Errors
/// When there is no log to be had.
pub async fn read_log<E: Engine>(
    engine: &E,
    container: &str,
    query: &LogsQuery,
) -> Result<String, Error> {
    let mut stream = engine.logs(container, query).await?;
    let mut bytes = Vec::new();
    while let Some(Ok(chunk)) = stream.next().await {
        bytes.extend_from_slice(&chunk.bytes);
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
