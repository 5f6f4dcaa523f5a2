//! Loading everything as one archive, which is read while its layers still come.

use std::fs::File;
use std::io::{self, Read};
use std::sync::mpsc as std_mpsc;

use occ_engine::Engine;
use tokio::sync::mpsc;

use super::archive::{Content, whole};
use super::error::PullError;
use super::fetch::{Fetching, Ready};
use super::{Unpack, Work};
use crate::event::Event;

impl<E: Engine> Work<'_, E> {
    /// Loads the image with all its layers; returns the bytes that were fetched.
    pub(super) async fn load_whole(&self) -> Result<u64, PullError> {
        let fetching = Fetching::new(self, 0);
        let (fetched, to_unpack) = mpsc::unbounded_channel();
        let (unpacked, ready) = mpsc::channel(1);
        let layers = &self.incoming.layers;
        let (senders, late): (Vec<_>, Vec<_>) = layers.iter().map(|_| Late::new()).unzip();
        let contents =
            late.into_iter().zip(layers).enumerate().map(|(layer, (late, described))| Content {
                layer,
                size: described.blob.size,
                bytes: Box::new(late),
            });
        let archive = whole(self.incoming, self.found, self.name, contents.collect());
        let told = |event| {
            if fetching.is_over() {
                (self.tell)(Event::Transfer(event));
            }
        };
        let total = archive.len();
        let load = async {
            let loaded = self.engine.load_image(Box::new(archive), total, &told).await;
            loaded.map_err(PullError::engine("load the image"))
        };
        tokio::try_join!(
            fetching.fetch(fetched),
            fetching.unpack(Unpack::Nothing, to_unpack, unpacked),
            hand_on(ready, senders),
            load,
        )?;
        Ok(fetching.fetched())
    }
}

async fn hand_on(
    mut ready: mpsc::Receiver<Ready>,
    to: Vec<std_mpsc::Sender<File>>,
) -> Result<(), PullError> {
    while let Some(ready) = ready.recv().await {
        // Nobody reads any more: the engine says why.
        drop(to[ready.layer].send(ready.file));
    }
    Ok(())
}

/// A file that is there when it is read at the latest: a reader waits for it.
struct Late {
    coming: std_mpsc::Receiver<File>,
    file: Option<File>,
}

impl Late {
    fn new() -> (std_mpsc::Sender<File>, Self) {
        let (sender, coming) = std_mpsc::channel();
        (sender, Self { coming, file: None })
    }
}

impl Read for Late {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.file.is_none() {
            let gone = |_| io::Error::new(io::ErrorKind::BrokenPipe, "the layer does not come");
            self.file = Some(self.coming.recv().map_err(gone)?);
        }
        self.file.as_mut().map_or(Ok(0), |file| file.read(buffer))
    }
}
