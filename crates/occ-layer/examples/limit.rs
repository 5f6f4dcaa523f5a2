//! What a layer costs whoever makes it: reads the archives it is given, hashes them, compresses them as layers
//! travel and hashes the result. `cargo xtask bench-images` holds the workshop against it.

use std::fs::File;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread;

use occ_layer::Compression;
use occ_layer::compress::Compressor;
use occ_oci::Sha256Writer;

/// Every archive has a thread that hashes, and its share of the processors to compress.
fn main() -> io::Result<()> {
    let archives: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let processors = thread::available_parallelism()?.get();
    let share = processors.div_ceil(archives.len().max(1));
    let threads = NonZeroUsize::new(share).unwrap_or(NonZeroUsize::MIN);
    thread::scope(|scope| {
        let working: Vec<_> =
            archives.iter().map(|archive| scope.spawn(move || cost(archive, threads))).collect();
        working.into_iter().try_for_each(|it| it.join().expect("nobody panics"))
    })
}

fn cost(archive: &Path, threads: NonZeroUsize) -> io::Result<()> {
    let mut file = File::open(archive)?;
    let blob = Compressor::new(io::sink(), Compression::Gzip, threads);
    let mut archive = Sha256Writer::new(blob);
    io::copy(&mut file, &mut archive)?;
    archive.finish().0.finish().map(drop)
}
