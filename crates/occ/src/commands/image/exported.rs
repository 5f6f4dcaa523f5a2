//! An image of the engine as a layout, which is there for as long as somebody needs it.

use std::io::{self, Read};
use std::sync::Arc;

use bytes::{Buf as _, Bytes};
use futures_util::StreamExt as _;
use occ_engine::{ArchiveStream, Engine as _};
use occ_image::{Compression, Layout, SavedError, WorkFolder, work_folder};
use occ_oci::{ANNOTATION_REF_NAME, Descriptor};
use occ_sandbox::Event;
use tokio::sync::mpsc;

use super::tag::absent;
use crate::context::Context;
use crate::failure::Failure;

/// Pieces of the archive that wait for the one who compresses.
const WAITING: usize = 8;

/// An image of the engine as a layout.
pub(super) struct Exported {
    pub(super) layout: Layout,
    /// The image's manifest.
    pub(super) root: Descriptor,
    _folder: WorkFolder,
}

/// Exports an image of the engine by its name or id. Its layers are compressed with gzip, the same layers to the
/// same bytes each time; where it was pulled, its registry may have had them compressed otherwise.
pub(super) async fn export(name: &str, context: &Context) -> Result<Exported, Failure> {
    let engine = context.engine()?;
    let Some(image) = engine.image(name).await? else { return Err(absent(name)) };
    let Some(archive) = engine.save_image(&image.id.0).await? else { return Err(absent(name)) };
    let folder = work_folder(&context.env.cache_dir)?;
    let place = folder.path().join("layout");
    let progress = Arc::new(context.terminal.progress());
    let (pieces, came) = mpsc::channel(WAITING);
    let cancel = context.cancel.clone();
    let taking = tokio::task::spawn_blocking(move || {
        let mut filling = Layout::fill(&place, &|_| {}, cancel.flag())?;
        let threads = std::thread::available_parallelism().map_err(SavedError::Read)?;
        let archive = Pieces { came, rest: Bytes::new() };
        let root = filling.saved(archive, Compression::Gzip, threads)?;
        let mut entry = root.clone();
        entry.annotations.insert(ANNOTATION_REF_NAME.to_owned(), "exported".to_owned());
        filling.list(entry);
        Ok::<_, SavedError>((filling.finish()?, root))
    });
    let what = format!("Exporting {name}");
    let (mut done, total) = (0, image.size);
    let passed = pass_on(archive, pieces, |bytes| {
        done += bytes;
        let total = total.max(done);
        progress.show(&Event::Copied { what: what.clone(), done, total });
    });
    let passed = passed.await;
    let taken = taking.await.expect("it does not panic");
    progress.clear();
    // What broke the archive off tells it better than that it broke off.
    passed?;
    let (layout, root) = taken?;
    Ok(Exported { layout, root, _folder: folder })
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
struct Pieces {
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
