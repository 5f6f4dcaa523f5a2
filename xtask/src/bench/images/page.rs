//! The page with the figures of images.

use super::stored::Stored;
use crate::bench::figure::spread;
use crate::bench::machine::Machine;
use crate::bench::timing::Samples;

/// How the figures were taken; the same words whatever they are.
const METHOD: &str = "\
## Method

- The program is the release build with a cache of its own. All packages are there before anything is
  timed: what a network takes is not in the figures.
- What is seen *beside* something is measured in turns with it (A B A B …), the first turn of all left
  out, so that a busy moment of the machine meets both. A figure is the median; in brackets the
  quartiles. *Result* is the ratio of the medians where there are two.
- **A new opencode version**: opencode's layers for both platforms are taken out of the cache; then all
  four variants are built for both platforms, from the fetched packages to a finished OCI layout with its
  bills of materials. Beside it stands `crates/occ-layer/examples/limit.rs`, which does the least that can
  be done about these bytes: it reads the two archives, hashes them, compresses them with the same
  compressor on all processors, hashes the result and throws it away.
- **docker build** gets the Dockerfiles that `occ image dockerfile` renders, with BuildKit, for this
  machine's architecture only: the other one would run npm under an emulator. Everything is in its cache
  but the step that fetches opencode and what BuildKit holds to depend on it. The package is fetched from
  the registry each time, which is a part of its figure.
- **The base**: the layers of the base for this machine's architecture are taken out of the cache, and
  the variant `base` is built without compression. Beside it stands mmdebstrap with the same packages from
  a folder, with the same paths left out, into one uncompressed archive.
- **Bytes stored** are those of the layout with gzip layers; beside them the same layers counted for every
  image by itself, which is what images have that are built from one Dockerfile each and share nothing.
- **Memory** is the most that `occ` itself had in any of these runs, bases included (`VmHWM`). Programs
  that it runs, such as mmdebstrap, are not in it.

Measured with `just bench-images`. No test depends on these figures.
";

/// One row of the table.
pub(super) struct Row {
    what: &'static str,
    measured: String,
    beside: String,
    result: String,
    must: &'static str,
}

impl Row {
    pub(super) fn new_version(ours: &Samples, limit: &Samples) -> Self {
        Self {
            what: "new opencode version, everything else cached: 4 variants, 2 platforms",
            measured: spread(ours),
            beside: format!("read, hash, compress: {}", spread(limit)),
            result: ratio(ours, limit),
            must: "2 times",
        }
    }

    pub(super) fn docker(ours: &Samples, docker: &Samples) -> Self {
        Self {
            what: "the same once more",
            measured: spread(ours),
            beside: format!("`docker build`, 4 variants, 1 platform: {}", spread(docker)),
            result: ratio(ours, docker),
            must: "",
        }
    }

    pub(super) fn nothing(ours: &Samples) -> Self {
        Self {
            what: "nothing changed: 4 variants, 2 platforms",
            measured: spread(ours),
            beside: String::new(),
            result: String::new(),
            must: "1000 ms",
        }
    }

    pub(super) fn base(ours: &Samples, plain: &Samples) -> Self {
        Self {
            what: "base for this architecture, packages fetched",
            measured: spread(ours),
            beside: format!("plain mmdebstrap: {}", spread(plain)),
            result: ratio(ours, plain),
            must: "1.3 times",
        }
    }

    pub(super) fn stored(stored: &Stored) -> Self {
        Self {
            what: "bytes stored: 4 variants, 2 platforms",
            measured: format!(
                "{}, {} of it layers",
                megabytes(stored.all),
                megabytes(stored.layers)
            ),
            beside: format!(
                "{} images that share nothing: {}",
                stored.images,
                megabytes(stored.unshared)
            ),
            result: format!("{:.2} times", share(stored.all, stored.unshared)),
            must: "each layer once",
        }
    }

    pub(super) fn memory(peak: u64) -> Self {
        Self {
            what: "peak memory",
            measured: megabytes(peak),
            beside: String::new(),
            result: String::new(),
            must: "300 MB",
        }
    }
}

fn ratio(ours: &Samples, others: &Samples) -> String {
    format!("{:.2} times", ours.median() / others.median())
}

#[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^53 bytes")]
fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}

fn megabytes(bytes: u64) -> String {
    let megabytes = share(bytes, 1_000_000);
    if megabytes < 100.0 { format!("{megabytes:.1} MB") } else { format!("{megabytes:.0} MB") }
}

/// Returns the page.
pub(super) fn render(date: &str, machine: &Machine, loads: [&str; 2], rows: &[Row]) -> String {
    let Machine { processor, processors, memory_gib, kernel, engine, occ, opencode, .. } = machine;
    let [before, after] = loads;
    format!(
        "# Benchmarks of building images\n\n\
         {date}: occ {occ}, opencode {opencode}, Docker Engine {engine}, Linux {kernel}, \
         {processors} × {processor}, {memory_gib} GiB of memory. Load average {before} before anything \
         was measured, {after} at the end, its own work included.\n\n{}\n{METHOD}",
        table(rows),
    )
}

/// Returns the table alone.
pub(super) fn table(rows: &[Row]) -> String {
    let mut table =
        String::from("| what | measured | beside | result | must |\n|---|---|---|---|---|\n");
    for Row { what, measured, beside, result, must } in rows {
        table.push_str(&format!("| {what} | {measured} | {beside} | {result} | {must} |\n"));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_what_it_is_beside_and_how_often() {
        let rows = [
            Row::new_version(&Samples::new(vec![3000.0]), &Samples::new(vec![2000.0])),
            Row::stored(&Stored {
                images: 8,
                all: 250_000_000,
                layers: 200_000_000,
                unshared: 1_000_000_000,
            }),
            Row::memory(86_700_000),
        ];
        let table = table(&rows);
        for part in [
            "| 3000 ms (3000 to 3000, 1 runs) | read, hash, compress: 2000 ms",
            "| 1.50 times | 2 times |",
            "| 250 MB, 200 MB of it layers | 8 images that share nothing: 1000 MB | 0.25 times |",
            "| peak memory | 86.7 MB |  |  | 300 MB |",
        ] {
            assert!(table.contains(part), "{part}\n{table}");
        }
    }
}
