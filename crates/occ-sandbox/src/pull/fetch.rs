//! Layers as they come: fetched a few at a time, unpacked and compared one after the other.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read as _, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use occ_engine::Engine;
use occ_layer::{Compression, decompress};
use occ_oci::{Algorithm, Hasher, VerifyingError};
use tokio::sync::mpsc;

use super::error::{LayerProblem, PullError};
use super::incoming::IncomingLayer;
use super::{Unpack, Work};
use crate::event::Event;

/// Layers that are fetched side by side.
const SIDE_BY_SIDE: usize = 3;
/// Bytes read and written at a time.
const PIECE: usize = 256 * 1024;
/// A layer may grow to this many bytes, however small it travels.
const HARMLESS: u64 = 256 << 20;
/// A larger one may grow so many times. Files of nothing but zeros grow a thousand times, real ones ten.
const GROWTH: u64 = 200;

/// The layers that the engine lacks, on their way.
pub(super) struct Fetching<'a, E> {
    work: &'a Work<'a, E>,
    /// The lowest layer that is fetched.
    pub(super) from: usize,
    total: u64,
    /// Bytes of each that are here.
    here: Vec<AtomicU64>,
    /// Bytes that were here before.
    before: AtomicU64,
    /// Bytes that were told of last.
    told: AtomicU64,
}

/// A layer that is ready to be loaded.
pub(super) struct Ready {
    pub(super) layer: usize,
    pub(super) file: File,
    pub(super) size: u64,
}

impl<'a, E: Engine> Fetching<'a, E> {
    pub(super) fn new(work: &'a Work<'a, E>, from: usize) -> Self {
        let layers = &work.incoming.layers;
        let total = layers[from..].iter().map(|layer| layer.blob.size).sum();
        let here = layers.iter().map(|_| AtomicU64::new(0)).collect();
        Self { work, from, total, here, before: AtomicU64::new(0), told: AtomicU64::new(0) }
    }

    /// Returns how many bytes came this time.
    pub(super) fn fetched(&self) -> u64 {
        self.done().saturating_sub(self.before.load(Ordering::Relaxed))
    }

    fn done(&self) -> u64 {
        self.here.iter().map(|here| here.load(Ordering::Relaxed)).sum()
    }

    /// Tells how far it is, not about every few bytes.
    fn tell(&self) {
        let (done, total) = (self.done(), self.total);
        if done >= self.told.load(Ordering::Relaxed) + PIECE as u64 || done == total {
            self.told.store(done, Ordering::Relaxed);
            (self.work.tell)(Event::Fetched { done, total });
        }
    }

    /// Returns whether all bytes are here.
    pub(super) fn is_over(&self) -> bool {
        self.done() >= self.total
    }

    /// Fetches the layers, lowest first.
    pub(super) async fn fetch(
        &self,
        fetched: mpsc::UnboundedSender<usize>,
    ) -> Result<(), PullError> {
        let layers = stream::iter(self.from..self.work.incoming.layers.len());
        let mut coming = layers.map(|layer| self.fetch_one(layer)).buffered(SIDE_BY_SIDE);
        while let Some(layer) = coming.try_next().await? {
            if fetched.send(layer).is_err() {
                // What went wrong with them is told by whoever takes layers.
                return Ok(());
            }
        }
        Ok(())
    }

    async fn fetch_one(&self, layer: usize) -> Result<usize, PullError> {
        let path = self.work.shelf.blob(layer);
        let open = File::options().create(true).truncate(false).read(true).write(true).open(&path);
        let file = open.map_err(PullError::file(&path))?;
        let blob = &self.work.incoming.layers[layer].blob;
        let first = AtomicU64::new(u64::MAX);
        let told = |bytes: u64| {
            if first.swap(0, Ordering::Relaxed) == u64::MAX {
                self.before.fetch_add(bytes, Ordering::Relaxed);
            }
            self.here[layer].store(bytes, Ordering::Relaxed);
            self.tell();
        };
        let mut file = tokio::fs::File::from_std(file);
        self.work.found.mirrors.save(blob, &mut file, &told).await?;
        Ok(layer)
    }

    /// Compares what layers unpack to with what the image says, and hands them on.
    pub(super) async fn unpack(
        &self,
        unpack: Unpack,
        mut fetched: mpsc::UnboundedReceiver<usize>,
        ready: mpsc::Sender<Ready>,
    ) -> Result<(), PullError> {
        while let Some(layer) = fetched.recv().await {
            let prepared = self.prepare(layer, unpack).await?;
            if ready.send(prepared).await.is_err() {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn prepare(&self, layer: usize, unpack: Unpack) -> Result<Ready, PullError> {
        let described = self.work.incoming.layers[layer].clone();
        let unpacks = match described.compression {
            Compression::None => false,
            Compression::Gzip => unpack == Unpack::All,
            Compression::Zstd => unpack != Unpack::Nothing,
        };
        let (from, to) = (self.work.shelf.blob(layer), self.work.shelf.unpacked(layer));
        let work = move || prepare(&described, &from, unpacks.then_some(&*to));
        let done = tokio::task::spawn_blocking(work).await;
        let (file, size) = done.expect("unpacking does not panic")?;
        Ok(Ready { layer, file, size })
    }
}

/// Unpacks a layer, into a file where one is named, and compares it; returns what is to be loaded.
fn prepare(
    layer: &IncomingLayer,
    from: &Path,
    to: Option<&Path>,
) -> Result<(File, u64), PullError> {
    let file = File::open(from).map_err(PullError::file(from))?;
    let wrong =
        |source: LayerProblem| PullError::Layer { digest: layer.blob.digest.clone(), source };
    let Some(to) = to else {
        unpack(layer, &file, io::sink()).map_err(|error| error.told(wrong, from))?;
        return Ok((File::open(from).map_err(PullError::file(from))?, layer.blob.size));
    };
    let out = File::create(to).map_err(PullError::file(to))?;
    let size = unpack(layer, &file, out).map_err(|error| error.told(wrong, to))?;
    let unpacked = File::open(to).map_err(PullError::file(to))?;
    // It is read through the open file; the name would only be left over. The blob is not needed any more,
    // and stays: what the engine does not take is loaded again.
    std::fs::remove_file(to).map_err(PullError::file(to))?;
    Ok((unpacked, size))
}

enum Broken {
    Layer(LayerProblem),
    Writing(io::Error),
}

impl Broken {
    fn told(self, wrong: impl FnOnce(LayerProblem) -> PullError, path: &Path) -> PullError {
        match self {
            Self::Layer(problem) => wrong(problem),
            Self::Writing(source) => PullError::file(path)(source),
        }
    }
}

fn unpack(layer: &IncomingLayer, from: &File, to: impl Write) -> Result<u64, Broken> {
    let damaged = |error| Broken::Layer(LayerProblem::Damaged(error));
    let from = BufReader::with_capacity(PIECE, from);
    let mut from = decompress(from, layer.compression).map_err(damaged)?;
    let mut to = BufWriter::with_capacity(PIECE, to);
    let (mut hasher, mut piece, mut size) = (Hasher::new(Algorithm::Sha256), vec![0; PIECE], 0);
    loop {
        let read = from.read(&mut piece).map_err(damaged)?;
        if read == 0 {
            break;
        }
        size += read as u64;
        if size > HARMLESS.max(layer.blob.size.saturating_mul(GROWTH)) {
            return Err(Broken::Layer(LayerProblem::Bomb(GROWTH)));
        }
        hasher.update(&piece[..read]);
        to.write_all(&piece[..read]).map_err(Broken::Writing)?;
    }
    to.flush().map_err(Broken::Writing)?;
    let (expected, got) = (layer.diff_id.digest().clone(), hasher.finish());
    if got == expected {
        return Ok(size);
    }
    Err(Broken::Layer(VerifyingError::Digest { expected, got }.into()))
}
