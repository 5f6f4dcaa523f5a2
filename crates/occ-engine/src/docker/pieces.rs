//! A reader's bytes on their way to the engine, read on a thread of their own.

use std::io::{self, Read};

use bytes::Bytes;
use futures_util::{Stream, stream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::failure::broken;
use crate::error::Error;

/// Bytes read at a time.
const PIECE: usize = 256 * 1024;

/// Pieces read ahead of what the engine takes.
const AHEAD: usize = 4;

/// A reader that is being read.
pub(super) struct Reading(JoinHandle<io::Result<()>>);

impl Reading {
    /// Returns what went wrong on our side: the cause of whatever the engine said about it.
    ///
    /// The pieces must have been dropped before, or read to their end.
    pub(super) async fn end(self, doing: &'static str, reading: &'static str) -> Result<(), Error> {
        match self.0.await {
            Ok(read) => read.map_err(|source| Error::Local { doing: reading, source }),
            Err(panicked) => Err(broken(doing, panicked)),
        }
    }
}

/// Starts to read; `taken` hears of every piece that goes to the engine.
pub(super) fn pieces(
    reader: Box<dyn Read + Send>,
    taken: impl Fn(usize) + Send + 'static,
) -> (Reading, impl Stream<Item = io::Result<Bytes>> + Send + 'static) {
    let (pieces, waiting) = mpsc::channel(AHEAD);
    // Ends by itself when the reader ends or nobody takes its pieces any more.
    let reading = tokio::task::spawn_blocking(move || read(reader, &pieces));
    let stream = stream::unfold((waiting, taken), |(mut waiting, taken)| async move {
        let piece: io::Result<Bytes> = waiting.recv().await?;
        if let Ok(piece) = &piece {
            taken(piece.len());
        }
        Some((piece, (waiting, taken)))
    });
    (Reading(reading), stream)
}

fn read(
    mut reader: Box<dyn Read + Send>,
    pieces: &mpsc::Sender<io::Result<Bytes>>,
) -> io::Result<()> {
    loop {
        let mut piece = Vec::with_capacity(PIECE);
        if let Err(error) = reader.by_ref().take(PIECE as u64).read_to_end(&mut piece) {
            // The request must break off: an archive that merely ends early might be taken whole.
            let _gone = pieces.blocking_send(Err(io::ErrorKind::Interrupted.into()));
            return Err(error);
        }
        if piece.is_empty() || pieces.blocking_send(Ok(piece.into())).is_err() {
            return Ok(());
        }
    }
}
