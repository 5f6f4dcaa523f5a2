//! The figures of `docs/benchmarks-images.md`: what building images costs, beside what it cannot avoid.
//!
//! Like their sisters they are for reading, and nothing here judges them.

mod debian;
mod dockerfiles;
mod page;
mod stored;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use clap::Args;

use self::debian::PlainDebian;
use self::dockerfiles::Dockerfiles;
use self::page::Row;
use self::stored::Stored;
use super::builder::Builder;
use super::machine::{self, Machine};
use super::sandbox::output;
use super::timing::{Samples, interleaved};
use super::{release_build, text};
use crate::{Outcome, say};

/// What to measure, and when it is.
#[derive(Args)]
pub(crate) struct ImagesArgs {
    /// The day that goes into the page, such as 2026-01-31
    #[arg(long)]
    date: String,
    /// Folder of the release build with `occ` and `examples/limit`; the one beside this program when not given
    #[arg(long, value_name = "DIR")]
    programs: Option<PathBuf>,
    /// Folder that keeps packages and layers from one run to the next; in the target folder when not given
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// Turns of what takes seconds
    #[arg(long, default_value_t = 7)]
    turns: usize,
    /// Turns of what takes minutes
    #[arg(long, default_value_t = 2)]
    long_turns: usize,
}

/// Where the figures go.
const PAGE: &str = "docs/benchmarks-images.md";

/// Everything there is to build.
const ALL: [&str; 6] = ["image", "build", "--variant", "all", "--platform", "all"];

/// Measures, and writes the page.
pub(crate) fn run(args: &ImagesArgs, root: &Path) -> Outcome {
    let occ = release_build()?;
    let programs = args.programs.as_deref().or(occ.parent()).ok_or("occ lies nowhere")?;
    let target = occ.ancestors().nth(2).ok_or("occ lies nowhere")?;
    let cache = args.cache.clone().unwrap_or_else(|| target.join("bench-images"));
    let before = machine::load()?;
    let recipe = root.join("image/sandbox.toml");
    let builder = Builder::new(&programs.join("occ"), &recipe, &cache.join("all"))?;
    say("Building all images, so that everything is cached");
    let layout = cache.join("layout");
    let all = [ALL.as_slice(), &["--output", text(&layout)?]].concat();
    builder.time(&all)?;

    let machine = Machine::look(&builder.version()?, &builder.opencode()?)?;
    let mut rows = quick(args, &builder, &all, &cache, &programs.join("examples/limit"))?;
    rows.extend(with_docker(args, &builder, &all)?);
    rows.push(base(args, &builder, &cache)?);
    rows.push(Row::stored(&Stored::read(&layout)?));
    rows.push(Row::memory(builder.peak()));
    let page = page::render(&args.date, &machine, [&before, &machine::load()?], &rows);
    fs::write(root.join(PAGE), page)?;
    say(&format!("written: {PAGE}"));
    say(&page::table(&rows));
    Ok(())
}

/// A new opencode beside the limit, and nothing new at all.
fn quick(
    args: &ImagesArgs,
    builder: &Builder,
    all: &[&str],
    cache: &Path,
    limit: &Path,
) -> Outcome<Vec<Row>> {
    let archives = opencode_archives(builder, cache)?;
    say("Measuring a new version of opencode and the limit in turns");
    let [new, least, nothing] = interleaved(
        args.turns,
        || Ok(()),
        [
            &|| {
                builder.forget(|layer| layer.name == "tool/opencode")?;
                builder.time(all)
            },
            &|| time(Command::new(limit).args(&archives)),
            &|| builder.time(all),
        ],
    )?;
    Ok(vec![Row::new_version(&new, &least), Row::nothing(&nothing)])
}

/// Returns the uncompressed layers of opencode, for both platforms.
fn opencode_archives(builder: &Builder, cache: &Path) -> Outcome<Vec<PathBuf>> {
    let mut archives = Vec::new();
    for layer in builder.layers()?.iter().filter(|layer| layer.name == "tool/opencode") {
        let archive = cache.join(format!("opencode-{}.tar", archives.len()));
        let kept = fs::File::open(builder.kept(layer, "tar.gz"))?;
        let made = fs::File::create(&archive)?;
        let unpacked = Command::new("gzip").arg("-dc").stdin(kept).stdout(made).status()?;
        if !unpacked.success() {
            return Err(format!("gzip: {unpacked}").into());
        }
        archives.push(archive);
    }
    Ok(archives)
}

/// The same work by the engine's own builder.
fn with_docker(args: &ImagesArgs, builder: &Builder, all: &[&str]) -> Outcome<Vec<Row>> {
    say("Building the rendered Dockerfiles, so that everything is cached");
    let dockerfiles = Dockerfiles::prepare(builder)?;
    say("Measuring a new version of opencode with occ and with docker build in turns");
    let [docker, ours] = interleaved(
        args.long_turns,
        || Ok(()),
        [&|| dockerfiles.time_new_version(), &|| {
            builder.forget(|layer| layer.name == "tool/opencode")?;
            builder.time(all)
        }],
    )?;
    Ok(vec![Row::docker(&ours, &docker)])
}

/// The base beside mmdebstrap's own.
fn base(args: &ImagesArgs, builder: &Builder, cache: &Path) -> Outcome<Row> {
    say("Measuring the Debian base and plain mmdebstrap in turns");
    // Layers of the base are made without compression, as an engine takes them and as mmdebstrap's are.
    let own = builder.beside(&cache.join("base"))?;
    let layout = cache.join("layout-base");
    let build = ["image", "build", "--compression", "none", "--output", text(&layout)?];
    own.time(&build)?;
    let plain = PlainDebian::prepare(builder, cache)?;
    let [ours, others]: [Samples; 2] = interleaved(
        args.long_turns,
        || Ok(()),
        [
            &|| {
                own.forget(|layer| layer.name.starts_with("base/"))?;
                own.time(&build)
            },
            &|| plain.time(),
        ],
    )?;
    builder.saw(own.peak());
    fs::remove_dir_all(&layout)?;
    Ok(Row::base(&ours, &others))
}

/// Returns how long a command takes that must succeed.
fn time(command: &mut Command) -> Outcome<Duration> {
    let begun = Instant::now();
    output(command)?;
    Ok(begun.elapsed())
}
