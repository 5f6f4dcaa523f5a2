//! `occ image`: the workshop on the command line.

mod again;
mod build;
mod cache;
mod copy;
mod dockerfile;
mod exported;
mod fetched;
mod inspect;
mod lock;
mod ls;
mod named;
mod outdated;
mod plan;
mod pull;
mod push;
mod remote;
mod rm;
mod selection;
mod send;
mod spot;
mod stored;
mod tag;
mod tree;
mod verify;

use clap::Subcommand;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

pub(crate) use cache::needed as needed_entries;
pub(crate) use lock::lock_anew;
pub(crate) use named::{or_interrupted, reference, repository, resolve};
pub(crate) use selection::RecipeArgs;

/// Commands about images.
#[derive(Debug, Subcommand)]
pub(crate) enum ImageCommand {
    /// Build images into an OCI layout
    Build(build::BuildArgs),
    /// List images in the container engine, or the tags of a repository
    Ls(ls::LsArgs),
    /// Pull an image from registries into the container engine
    ///
    /// The tag is resolved once; registries that disagree are an error. What the engine has is not fetched, and
    /// what was fetched by a pull that was cut off is not fetched again.
    Pull(pull::PullArgs),
    /// Push an image of a layout, or of the container engine, to registries
    ///
    /// An image of a layout goes with all its platforms and what refers to it.
    Push(push::PushArgs),
    /// Copy an image between registries and layouts, with all its platforms and what refers to it
    ///
    /// Every byte stays what it is. A name in a registry begins with its host; oci:FOLDER:NAME is an image of a
    /// layout, which is made if the folder is empty or not there.
    Copy(copy::CopyArgs),
    /// Give an image one more name, in its registry or in the container engine
    ///
    /// The tag of a release, such as 1.2.3, never moves to another image.
    Tag(tag::TagArgs),
    /// Remove images of ours from the container engine that no sandbox uses
    Rm(rm::RmArgs),
    /// Find out who signed an image in a registry, and say what that proves
    ///
    /// Ends with 0 when somebody whom the trust policy names has signed it, 3 when not, 6 when that could not be
    /// found out. Nothing is fetched but signatures, and no service is asked but the registries.
    Verify(verify::VerifyArgs),
    /// Show what a name in a registry stands for: platforms, and what refers to them
    Tree(tree::TreeArgs),
    /// Show what images of a layout are made of, and what they waste; or what one in a registry is
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
        ImageCommand::Ls(args) => ls::run(&args, context),
        ImageCommand::Pull(args) => pull::run(&args, context),
        ImageCommand::Push(args) => push::run(&args, context),
        ImageCommand::Copy(args) => copy::run(&args, context),
        ImageCommand::Tag(args) => tag::run(&args, context),
        ImageCommand::Rm(args) => rm::run(&args, context),
        ImageCommand::Verify(args) => verify::run(&args, context),
        ImageCommand::Tree(args) => tree::run(&args, context),
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
