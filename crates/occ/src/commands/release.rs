//! `occ release`: the press on the command line.

mod ci;
mod describe;
mod page;

use clap::Subcommand;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

pub(crate) use ci::files as workflow_files;
pub(crate) use describe::built_in as built_in_description;

/// Commands about releases.
#[derive(Debug, Subcommand)]
pub(crate) enum ReleaseCommand {
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
        ReleaseCommand::Describe(args) => describe::run(&args, context),
        ReleaseCommand::Ci(args) => ci::run(&args, context),
    }
}
