//! What maintaining this repository takes: generated pages and figures.

mod bench;
mod docs;
mod health;

use std::error::Error;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Generated pages and figures of opencode-cloud
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write the generated pages of docs/reference, the page on Docker Hub, and the workflows
    Docs {
        /// Write nothing; fail when a page is not what would be written
        #[arg(long)]
        check: bool,
    },
    /// Compile the health check of the image, for both architectures, into image/guest
    Health {
        /// Write nothing; fail when a program is not what would be written
        #[arg(long)]
        check: bool,
    },
    /// Measure the release build against a sandbox of its own; write docs/benchmarks.md
    Bench(bench::BenchArgs),
    /// Measure how the release build builds images; write docs/benchmarks-images.md
    BenchImages(bench::images::ImagesArgs),
    /// Measure how images are pulled, copied and verified; write docs/benchmarks-registries.md
    BenchRegistries(bench::registries::RegistriesArgs),
    /// Measure releases beside the same images released with Dockerfiles; write docs/benchmarks-releases.md
    BenchReleases(bench::releases::ReleasesArgs),
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Docs { check: false } => docs::write(&root()),
        Command::Docs { check: true } => docs::check(&root()),
        Command::Health { check } => health::run(check, &root()),
        Command::Bench(args) => bench::run(&args, &root()),
        Command::BenchImages(args) => bench::images::run(&args, &root()),
        Command::BenchRegistries(args) => bench::registries::run(&args, &root()),
        Command::BenchReleases(args) => bench::releases::run(&args, &root()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// How a task ends; what went wrong is for people only.
type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Returns the top folder of the workspace.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the top folder").into()
}

/// Tells a person; that nobody reads it is no reason to fail.
fn say(line: &str) {
    drop(writeln!(std::io::stderr(), "{line}"));
}
