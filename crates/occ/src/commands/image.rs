//! `occ image`: the workshop on the command line.

mod build;
mod cache;
mod dockerfile;
mod inspect;
mod lock;
mod outdated;
mod plan;
mod selection;
mod verify;

use clap::Subcommand;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

pub(crate) use cache::needed as needed_entries;
pub(crate) use lock::lock_anew;

/// Commands about images.
#[derive(Debug, Subcommand)]
pub(crate) enum ImageCommand {
    /// Build images into an OCI layout
    Build(build::BuildArgs),
    /// Show what images of a layout are made of, and what they waste
    Inspect(inspect::InspectArgs),
    /// Explain how two images differ
    Diff(inspect::DiffArgs),
    /// Show what a build would do, and why
    Plan(plan::PlanArgs),
    /// Find every file that images are made of, and write the lock
    ///
    /// What the lock has and what is still to be had stays as it is. Every file is fetched and compared before
    /// the lock is written.
    Lock(lock::LockArgs),
    /// Render an image as two Dockerfiles, to read or to build with
    Dockerfile(dockerfile::DockerfileArgs),
    /// Show what has newer versions than the lock
    Outdated(outdated::OutdatedArgs),
    /// Print the JSON schema of recipes
    Schema,
    /// Look at what builds keep, and make room
    #[command(subcommand)]
    Cache(cache::CacheCommand),
}

/// Runs `occ image`.
pub(crate) fn run(command: ImageCommand, context: &Context) -> Result<Exit, Failure> {
    match command {
        ImageCommand::Build(args) => build::run(&args, context),
        ImageCommand::Inspect(args) => inspect::inspect(&args, context),
        ImageCommand::Diff(args) => inspect::diff(&args, context),
        ImageCommand::Plan(args) => plan::run(&args, context),
        ImageCommand::Lock(args) => lock::run(&args, context),
        ImageCommand::Dockerfile(args) => dockerfile::run(&args, context),
        ImageCommand::Outdated(args) => outdated::run(&args, context),
        ImageCommand::Schema => {
            let schema = occ_image::recipe_schema();
            let data = serde_json::from_str(schema).expect("a test reads it");
            context.terminal.result("occ/image-schema", &data, schema)?;
            Ok(Exit::Done)
        }
        ImageCommand::Cache(command) => cache::run(&command, context),
    }
}
