//! The page with the figures of releases.

use super::place::Bytes;
use super::press::Steps;
use super::rivals::Taken;
use crate::bench::figure::spread;
use crate::bench::machine::Machine;
use crate::bench::timing::Samples;

/// What is released.
pub(super) const NEW: &str = "new opencode version";
pub(super) const FETCHED: &str = "the same, its packages fetched";
pub(super) const TESTED: &str = "the same, every image tried";
pub(super) const BASE: &str = "another base";
pub(super) const NOTHING: &str = "nothing changed";
pub(super) const FURTHER: &str = "nothing changed, released under another name";

/// In which order they stand.
const ORDER: [&str; 6] = [NEW, FETCHED, TESTED, BASE, NOTHING, FURTHER];

/// Who releases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// `docker build` with one Dockerfile for all variants.
    Single,
    /// `docker build` with a base and a Dockerfile for each variant.
    Split,
    /// `occ` with gzip layers.
    Gzip,
    /// `occ` with zstd layers.
    Zstd,
}

/// How the figures were taken; the same words whatever they are.
const METHOD: &str = "\
## Method

- **Who.** *One Dockerfile*: the four variants are one Dockerfile with build arguments, the version of opencode at
  its top. *Split base*: a base of its own, and a Dockerfile on it for each variant. Both follow a published
  pipeline that builds such images. They are the Dockerfiles that `occ image dockerfile` renders from the same
  recipe and lock; for one Dockerfile the two are joined. `docker build` with BuildKit and `docker push` make and
  send one variant after the other, **for this machine's architecture, to one registry**: the other architecture
  would run npm and apt under an emulator. *occ* is `occ release run` **for both architectures, to two
  registries**, with signatures, bills of materials, provenance, reading back, policy and receipt; images are not run
  and not scanned, as the others' are not. *Every image tried* is the release as it is meant to be, with smoke: the four
  images for this machine's architecture.
- Registries are the distribution project's (`docker-registry`), on this machine and without encryption. Home, key
  and cache are made for the occasion. Where Debian's and npm's packages come from is what this machine's clients
  know, for all of them. The base of both schemes of `docker build` begins with one Debian, made by mmdebstrap.
- **A new opencode version.** Before it everything of another version is built, cached and in the registries, the
  base too. `docker build` fetches what its steps fetch. *occ* has found and fetched the new packages when the lock
  was written, which is before a release; *its packages fetched* is with opencode's packages taken out of the cache
  again. Before each turn the registries go back to what they were, and opencode's layers leave the cache.
- **Another base**: one more Debian package. *occ* makes the base for both architectures, the other one's under an
  emulator. One Dockerfile makes its base anew for every new version, so that it has no row here.
- **Nothing changed**: the same again. With *occ* that is found out from the receipt; *under another name* is a
  further build of the same: new tags, configurations, signatures and a receipt.
- **Sent** is what came into the registries as blobs and manifests, of both together for *occ*; **read** is what they
  answered, to what looks and reads back; **stored** is by how much their folders grew on the disk, in blocks.
- A time is from the first to the last moment of the processes. A figure is the median; in brackets the
  quartiles. *Faster* is how often the time goes into that of the split base for the same.

Measured with `just bench-releases`. No test depends on these figures.
";

/// One row of the table.
pub(super) struct Row {
    what: &'static str,
    who: Who,
    took: Samples,
    bytes: Bytes,
}

impl Row {
    /// Takes the turns of something; bytes are those of the last.
    pub(super) fn new(what: &'static str, who: Who, turns: Vec<Taken>) -> Self {
        let bytes = turns.last().map(|taken| taken.1).unwrap_or_default();
        let took = turns.into_iter().map(|taken| taken.0.as_secs_f64() * 1000.0).collect();
        Self { what, who, took: Samples::new(took), bytes }
    }

    /// What it is held against.
    fn rival(&self) -> &'static str {
        match self.what {
            FETCHED => NEW,
            FURTHER => NOTHING,
            other => other,
        }
    }

    fn must(&self) -> &'static str {
        match (self.what, self.who) {
            (_, Who::Single | Who::Split) => "",
            (NEW | FETCHED, Who::Gzip) => "10 times",
            (NEW | FETCHED, Who::Zstd) => "20 times",
            (TESTED, _) => "120000 ms",
            (NOTHING | FURTHER, _) => "3000 ms",
            _ => "",
        }
    }
}

impl Who {
    /// Returns how layers are compressed.
    pub(super) fn form(self) -> &'static str {
        if self == Self::Zstd { "zstd" } else { "gzip" }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Single => "one Dockerfile",
            Self::Split => "split base",
            Self::Gzip => "occ, gzip",
            Self::Zstd => "occ, zstd",
        }
    }
}

/// Returns the page.
pub(super) fn render(
    date: &str,
    machine: &Machine,
    loads: [&str; 2],
    recipe: &str,
    rows: &[Row],
    steps: &[(Who, Vec<Steps>)],
) -> String {
    let Machine { processor, processors, memory_gib, kernel, engine, occ, opencode, .. } = machine;
    let [before, after] = loads;
    format!(
        "# Benchmarks of releases\n\n\
         {date}: occ {occ}, opencode {opencode}, Docker Engine {engine}, Linux {kernel}, \
         {processors} × {processor}, {memory_gib} GiB of memory. Load average {before} before anything \
         was measured, {after} at the end, its own work included. All of them build `image/{recipe}`.\n\n{}\n\
         Where the time of a new version goes, in seconds:\n\n{}\n{METHOD}",
        table(rows),
        shares(steps),
    )
}

/// Returns the table alone.
pub(super) fn table(rows: &[Row]) -> String {
    let mut table = String::from(
        "| what | who | time | faster | must | sent | read | stored |\n|---|---|---|---|---|---|---|---|\n",
    );
    let place = |row: &&Row| ORDER.iter().position(|what| *what == row.what);
    let mut sorted: Vec<&Row> = rows.iter().collect();
    sorted.sort_by_key(place);
    for row in sorted {
        let split = rows.iter().find(|it| it.who == Who::Split && it.what == row.rival());
        let faster = split.filter(|_| row.who != Who::Split).map_or_else(String::new, |split| {
            format!("{:.1} times", split.took.median() / row.took.median())
        });
        let [sent, read, stored] =
            [row.bytes.sent, row.bytes.read, row.bytes.stored].map(megabytes);
        table.push_str(&format!(
            "| {} | {} | {} | {faster} | {} | {sent} | {read} | {stored} |\n",
            row.what,
            row.who.name(),
            spread(&row.took),
            row.must(),
        ));
    }
    table
}

/// Returns the medians of the steps.
pub(super) fn shares(steps: &[(Who, Vec<Steps>)]) -> String {
    let names = steps.first().and_then(|(_, turns)| turns.first());
    let names: Vec<&str> = names.into_iter().flatten().map(|(name, _)| *name).collect();
    let mut table = format!("| | {} |\n|---{}|\n", names.join(" | "), "|---".repeat(names.len()));
    for (who, turns) in steps {
        let of = |name: &&str| {
            let found = turns.iter().flatten().filter(|(step, _)| step == name);
            let found: Vec<f64> = found.map(|(_, seconds)| *seconds).collect();
            if found.is_empty() {
                String::new()
            } else {
                format!("{:.1}", Samples::new(found).median())
            }
        };
        let cells: Vec<String> = names.iter().map(of).collect();
        table.push_str(&format!("| {} | {} |\n", who.name(), cells.join(" | ")));
    }
    table
}

fn megabytes(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^53 bytes")]
    let megabytes = bytes as f64 / 1_000_000.0;
    if megabytes < 100.0 { format!("{megabytes:.1} MB") } else { format!("{megabytes:.0} MB") }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn row(what: &'static str, who: Who, seconds: u64, sent: u64) -> Row {
        let bytes = Bytes { sent, read: 500_000, stored: 2 * sent };
        Row::new(what, who, vec![(Duration::from_secs(seconds), bytes)])
    }

    #[test]
    fn ours_is_held_against_the_split_base_for_the_same() {
        let rows = [
            row(NEW, Who::Single, 200, 900_000_000),
            row(NEW, Who::Split, 100, 300_000_000),
            row(NOTHING, Who::Split, 4, 0),
            row(NEW, Who::Gzip, 8, 150_000_000),
            row(NOTHING, Who::Gzip, 1, 0),
            row(FETCHED, Who::Zstd, 4, 140_000_000),
            row(FURTHER, Who::Zstd, 2, 100_000),
        ];
        let table = table(&rows);
        for part in [
            "| new opencode version | one Dockerfile | 200000 ms (200000 to 200000, 1 runs) | 0.5 times |  | 900 MB | 0.5 MB | 1800 MB |\n",
            "| new opencode version | split base | 100000 ms (100000 to 100000, 1 runs) |  |  | 300 MB |",
            "| new opencode version | occ, gzip | 8000 ms (8000 to 8000, 1 runs) | 12.5 times | 10 times | 150 MB |",
            "| the same, its packages fetched | occ, zstd | 4000 ms (4000 to 4000, 1 runs) | 25.0 times | 20 times |",
            "| nothing changed | occ, gzip | 1000 ms (1000 to 1000, 1 runs) | 4.0 times | 3000 ms |",
            "| nothing changed, released under another name | occ, zstd | 2000 ms (2000 to 2000, 1 runs) | 2.0 times | 3000 ms |",
        ] {
            assert!(table.contains(part), "{part}\n{table}");
        }
        let at = |part: &str| table.find(part).expect("a row");
        assert!(at("| the same") < at("| nothing changed | split"), "{table}");
    }

    #[test]
    fn steps_are_told_by_their_medians() {
        let turn = |a, b| vec![("assemble", a), ("stage", b)];
        let steps = [
            (Who::Gzip, vec![turn(3.0, 1.0), turn(5.0, 1.0), turn(4.0, 2.0)]),
            (Who::Zstd, vec![turn(2.0, 1.0)]),
        ];
        assert_eq!(
            shares(&steps),
            "| | assemble | stage |\n|---|---|---|\n| occ, gzip | 4.0 | 1.0 |\n| occ, zstd | 2.0 | 1.0 |\n"
        );
    }
}
