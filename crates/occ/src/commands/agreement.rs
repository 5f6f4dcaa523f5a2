//! The flags of commands that ask before they change something.

use clap::Args;

/// The flags of commands that ask before they change something.
#[derive(Debug, Args)]
pub(crate) struct Agreement {
    /// Answer yes to every question that can lose no work
    #[arg(long, short)]
    pub(super) yes: bool,
    /// Show what would be done, and change nothing that runs
    #[arg(long)]
    pub(super) dry_run: bool,
}
