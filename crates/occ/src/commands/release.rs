//! `occ release`: the press on the command line.

mod afterwards;
mod ci;
mod describe;
mod hands;
mod housekeeping;
mod judge;
mod page;
mod run;
mod scanner;
mod show;
mod status;
mod wish;

use clap::Subcommand;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

pub(crate) use ci::files as workflow_files;
pub(crate) use describe::built_in as built_in_description;

/// Commands about releases.
#[derive(Debug, Subcommand)]
pub(crate) enum ReleaseCommand {
    /// Show what a release would do, and what is wrong with it
    Plan(run::PlanArgs),
    /// Release all variants for all platforms to all registries, or nothing
    ///
    /// Everything is built, brought to every registry without a name, run, scanned, signed, read back and judged before
    /// anything gets its name. What stops it leaves nothing half-published, and it goes on where it stopped.
    Run(run::RunArgs),
    /// Show the releases that were begun here, and how far they are
    Status(status::StatusArgs),
    /// Go on with a release that stopped
    Resume(run::ResumeArgs),
    /// Give up a release that stopped, and remove what it brought to registries
    Abandon(afterwards::AbandonArgs),
    /// Hold a release against its receipt: signatures, names and every image, in every registry
    ///
    /// Ends with 3 when anything is not as the receipt says.
    Verify(afterwards::VerifyArgs),
    /// Let the names that move stand for an earlier release again: all of them, or none
    ///
    /// The earlier release is signed once more with a number of its own, so that whoever saw the newer one takes it.
    Rollback(afterwards::RollbackArgs),
    /// Show how two releases differ
    Diff(afterwards::DiffArgs),
    /// Write a page about all releases: what ran when, sizes, layers, what was verified
    Report(housekeeping::ReportArgs),
    /// Show how large every image is and was; ends with 3 when the newest grew too much
    Sizes(housekeeping::SizesArgs),
    /// Remove old releases from registries, or show which would go
    ///
    /// The newest stay, whatever is young, the first of every series, and whatever any name stands for that moves.
    Retain(housekeeping::RetainArgs),
    /// Make the other registries equal to the first one
    ///
    /// What is lacking is brought and read as readers do before it gets its names. What only the others have stays.
    Sync(housekeeping::SyncArgs),
    /// Write what Docker Hub says about the images, or put it there
    ///
    /// The page is a template filled in with what recipe and lock know. With --push it goes to Docker Hub, with the
    /// login for docker.io; what is there already is not sent again.
    Describe(describe::DescribeArgs),
    /// Write the workflows of GitHub Actions and Gitea Actions
    Ci(ci::CiArgs),
}

/// Runs `occ release`.
pub(crate) fn run(command: ReleaseCommand, context: &Context) -> Result<Exit, Failure> {
    match command {
        ReleaseCommand::Plan(args) => run::plan(&args, context),
        ReleaseCommand::Run(args) => run::run(&args, context),
        ReleaseCommand::Status(args) => status::run(&args, context),
        ReleaseCommand::Resume(args) => run::resume(&args, context),
        ReleaseCommand::Abandon(args) => afterwards::give_up(&args, context),
        ReleaseCommand::Verify(args) => afterwards::verify(&args, context),
        ReleaseCommand::Rollback(args) => afterwards::go_back(&args, context),
        ReleaseCommand::Diff(args) => afterwards::diff(&args, context),
        ReleaseCommand::Report(args) => housekeeping::write_report(&args, context),
        ReleaseCommand::Sizes(args) => housekeeping::sizes(&args, context),
        ReleaseCommand::Retain(args) => housekeeping::retain(&args, context),
        ReleaseCommand::Sync(args) => housekeeping::sync(&args, context),
        ReleaseCommand::Describe(args) => describe::run(&args, context),
        ReleaseCommand::Ci(args) => ci::run(&args, context),
    }
}
