//! Loading a few layers at a time, while the next ones are fetched and unpacked.
//!
//! An engine first takes an archive to its disk and then makes layers of it. So the next archive is sent
//! while it still works on the one before; only its end is held back until that is done, since the layers in
//! it stand on the others.

use std::io::{self, Read};
use std::sync::mpsc as std_mpsc;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesOrdered;
use occ_engine::{Engine, Event, ImageId};
use occ_image::Archive;
use tokio::sync::mpsc;

use super::archive::{Content, finished, unfinished};
use super::error::PullError;
use super::fetch::{Fetching, Ready};
use super::{Unpack, Work};

/// Bytes of layers that are loaded at once.
const BATCH: u64 = 64 << 20;
/// Archives that an engine has at once: one that it works on, and one on its way.
const AT_ONCE: usize = 2;
/// Bytes of an archive's end that are held back: what marks it, and nothing else.
const END: u64 = 1024;

impl<E: Engine> Work<'_, E> {
    /// Loads the layers that the engine lacks.
    pub(super) async fn load_in_steps(
        &self,
        fetching: &Fetching<'_, E>,
        unpack: Unpack,
    ) -> Result<(), PullError> {
        let (fetched, to_unpack) = mpsc::unbounded_channel();
        let (unpacked, ready) = mpsc::channel(1);
        tokio::try_join!(
            fetching.fetch(fetched),
            fetching.unpack(unpack, to_unpack, unpacked),
            self.load_ready(fetching, ready),
        )?;
        Ok(())
    }

    async fn load_ready(
        &self,
        fetching: &Fetching<'_, E>,
        mut ready: mpsc::Receiver<Ready>,
    ) -> Result<(), PullError> {
        let all = self.incoming.layers.len();
        let (mut sent, mut is_sent) = (fetching.from, false);
        // An earlier try may have left the one that holds what is there.
        let mut held = (sent > 0).then(|| unfinished(self.incoming, sent, Vec::new()).1);
        let mut under_way = FuturesOrdered::new();
        let mut gates = std::collections::VecDeque::new();
        loop {
            let may_send = !is_sent && under_way.len() < AT_ONCE;
            tokio::select! {
                batch = batch(&mut ready, sent < all), if may_send => {
                    // Nothing comes any more: why is told by whoever fetches or unpacks.
                    let Some(batch) = batch else { return Ok(()) };
                    sent += batch.len();
                    is_sent = sent == all;
                    let contents = batch.into_iter().map(content).collect();
                    let (archive, part) = self.archive(sent, contents);
                    let (gate, opened) = std_mpsc::channel();
                    if under_way.is_empty() {
                        let _opened = gate.send(());
                    }
                    gates.push_back(gate);
                    under_way.push_back(self.load_one(Gated::new(archive, opened), part, fetching));
                }
                Some(loaded) = under_way.next(), if !under_way.is_empty() => {
                    let part: Option<ImageId> = loaded?;
                    gates.pop_front();
                    if let Some(next) = gates.front() {
                        let _opened = next.send(());
                    }
                    if let Some(held) = std::mem::replace(&mut held, part.clone()) {
                        // A further image holds its layers now. One that stays is removed by `prune`.
                        drop(self.engine.remove_image(&held.0).await);
                    }
                    if part.is_none() {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Returns the image with its lowest layers up to one, and the id of an image that is not the whole one.
    fn archive(&self, upto: usize, contents: Vec<Content>) -> (Archive, Option<ImageId>) {
        if upto == self.incoming.layers.len() {
            return (finished(self.incoming, self.name, contents), None);
        }
        let (archive, id) = unfinished(self.incoming, upto, contents);
        (archive, Some(id))
    }

    async fn load_one(
        &self,
        archive: Gated,
        part: Option<ImageId>,
        fetching: &Fetching<'_, E>,
    ) -> Result<Option<ImageId>, PullError> {
        let told = |event| {
            // Of the many archives only the last one's end is news.
            if fetching.is_over() && (event != Event::Unpacking || part.is_none()) {
                (self.tell)(crate::event::Event::Transfer(event));
            }
        };
        let total = archive.archive.len();
        let loaded = self.engine.load_image(Box::new(archive), total, &told).await;
        loaded.map_err(PullError::engine("load the image"))?;
        Ok(part)
    }
}

/// Returns what is ready, waiting for the first where one has to come; none when nothing comes any more.
async fn batch(ready: &mut mpsc::Receiver<Ready>, waits: bool) -> Option<Vec<Ready>> {
    let mut batch = Vec::new();
    if waits {
        batch.push(ready.recv().await?);
    }
    while batch.iter().map(|ready: &Ready| ready.size).sum::<u64>() < BATCH
        && let Ok(more) = ready.try_recv()
    {
        batch.push(more);
    }
    Some(batch)
}

fn content(ready: Ready) -> Content {
    Content { layer: ready.layer, size: ready.size, bytes: Box::new(ready.file) }
}

/// An archive whose end comes when it may.
struct Gated {
    archive: Archive,
    /// Bytes before its end.
    before: u64,
    /// Says that the end may come.
    opened: Option<std_mpsc::Receiver<()>>,
}

impl Gated {
    fn new(archive: Archive, opened: std_mpsc::Receiver<()>) -> Self {
        let before = archive.len().saturating_sub(END);
        Self { archive, before, opened: Some(opened) }
    }
}

impl Read for Gated {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.before > 0 {
            let most = usize::try_from(self.before).unwrap_or(usize::MAX).min(buffer.len());
            let read = self.archive.read(&mut buffer[..most])?;
            self.before -= read as u64;
            return Ok(read);
        }
        if let Some(opened) = self.opened.take() {
            let gone = |_| io::Error::new(io::ErrorKind::BrokenPipe, "the image is not loaded");
            opened.recv().map_err(gone)?;
        }
        self.archive.read(buffer)
    }
}
