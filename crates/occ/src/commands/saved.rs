//! What the engine exports of an image, read on a thread of its own while it comes.

use std::io::{self, Read};

use bytes::{Buf as _, Bytes};
use futures_util::StreamExt as _;
use occ_engine::ArchiveStream;
use occ_sandbox::Event;
use tokio::sync::mpsc;

use crate::context::Context;
use crate::failure::Failure;

/// Pieces of the archive that wait for the one who reads.
const WAITING: usize = 8;

/// Has an archive read, showing how far it is: what goes on, and about how many bytes will come.
pub(super) async fn take<T, E>(
    archive: ArchiveStream,
    (what, total): (String, u64),
    context: &Context,
    read: impl FnOnce(Pieces) -> Result<T, E> + Send + 'static,
) -> Result<T, Failure>
where
    T: Send + 'static,
    E: Into<Failure> + Send + 'static,
{
    let progress = context.terminal.progress();
    let mut done = 0;
    let taken = taken(archive, read, |bytes| {
        done += bytes;
        progress.show(&Event::Copied { what: what.clone(), done, total: total.max(done) });
    });
    let taken = taken.await;
    progress.clear();
    taken
}

async fn taken<T, E>(
    archive: ArchiveStream,
    read: impl FnOnce(Pieces) -> Result<T, E> + Send + 'static,
    told: impl FnMut(u64),
) -> Result<T, Failure>
where
    T: Send + 'static,
    E: Into<Failure> + Send + 'static,
{
    let (pieces, came) = mpsc::channel(WAITING);
    let reading = tokio::task::spawn_blocking(move || read(Pieces { came, rest: Bytes::new() }));
    let passed = pass_on(archive, pieces, told).await;
    let read = reading.await.expect("it does not panic");
    // What broke the archive off tells it better than that it broke off.
    passed?;
    read.map_err(Into::into)
}

/// Passes an archive on, for as long as somebody takes it.
async fn pass_on(
    mut archive: ArchiveStream,
    to: mpsc::Sender<Result<Bytes, BrokenOff>>,
    mut told: impl FnMut(u64),
) -> Result<(), occ_engine::Error> {
    while let Some(piece) = archive.next().await {
        match piece {
            Ok(piece) => {
                told(piece.len() as u64);
                if to.send(Ok(piece)).await.is_err() {
                    break;
                }
            }
            Err(error) => {
                // Whoever takes it is gone already.
                drop(to.send(Err(BrokenOff)).await);
                return Err(error);
            }
        }
    }
    Ok(())
}

/// The archive broke off.
#[derive(Debug, thiserror::Error)]
#[error("it broke off")]
struct BrokenOff;

/// A reader of pieces as they come.
pub(super) struct Pieces {
    came: mpsc::Receiver<Result<Bytes, BrokenOff>>,
    rest: Bytes,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() {
            match self.came.blocking_recv() {
                Some(Ok(piece)) => self.rest = piece,
                Some(Err(error)) => return Err(io::Error::other(error)),
                None => return Ok(0),
            }
        }
        let length = buffer.len().min(self.rest.len());
        self.rest.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}
