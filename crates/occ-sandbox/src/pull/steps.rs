//! Loading a few layers at a time, while the next ones are fetched and unpacked.

use occ_engine::Engine;
use occ_image::Archive;
use tokio::sync::mpsc;

use super::archive::{Content, finished, unfinished};
use super::error::PullError;
use super::fetch::{Fetching, Ready};
use super::{PullNews, Unpack, Work};

/// Bytes of layers that are loaded at once: what an engine unpacks is first written to its disk.
const BATCH: u64 = 64 << 20;

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
        let mut there = fetching.from;
        // An earlier try may have left the one that holds what is there.
        let mut held = (there > 0).then(|| unfinished(self.incoming, there, Vec::new()).1);
        loop {
            let Some(batch) = batch(&mut ready, there < all).await else { return Ok(()) };
            there += batch.len();
            let contents = batch.into_iter().map(content).collect();
            let (archive, part) = if there == all {
                (finished(self.incoming, self.name, contents), None)
            } else {
                let (archive, id) = unfinished(self.incoming, there, contents);
                (archive, Some(id))
            };
            self.load_one(archive, fetching).await?;
            if let Some(held) = held.take() {
                // A further image holds its layers now. One that stays is removed by `prune`.
                drop(self.engine.remove_image(&held.0).await);
            }
            if part.is_none() {
                return Ok(());
            }
            held = part;
        }
    }

    async fn load_one(
        &self,
        archive: Archive,
        fetching: &Fetching<'_, E>,
    ) -> Result<(), PullError> {
        let told = |event| {
            if fetching.is_over() {
                (self.tell)(PullNews::Loading(event));
            }
        };
        let total = archive.len();
        let loaded = self.engine.load_image(Box::new(archive), total, &told).await;
        loaded.map_err(PullError::engine("load the image"))
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
