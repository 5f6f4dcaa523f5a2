//! `occ backup`: a sandbox in one file, and back.

mod create;
mod list;
mod over;
mod restore;

use std::path::{Path, PathBuf};

use clap::Subcommand;

pub(crate) use self::restore::forget_part;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Ending of the files that are made here.
const ENDING: &str = "occ-backup";

/// Commands about backups.
#[derive(Debug, Subcommand)]
pub(crate) enum BackupCommand {
    /// Keep the sandbox in one file
    ///
    /// Sessions, settings, workspace volume and record; not the password. A running sandbox is frozen while its
    /// volumes are read, and goes on afterwards.
    Create(create::CreateArgs),
    /// List the backups
    #[command(alias = "ls")]
    List(list::ListArgs),
    /// Put back what a file holds, as a new sandbox or in the place of what there is
    Restore(restore::RestoreArgs),
}

/// Runs `occ backup`.
pub(crate) fn run(command: BackupCommand, context: &Context) -> Result<Exit, Failure> {
    match command {
        BackupCommand::Create(args) => create::run(&args, context),
        BackupCommand::List(args) => list::run(&args, context),
        BackupCommand::Restore(args) => restore::run(&args, context),
    }
}

/// Returns the folder for backups that nobody gave a place.
fn folder(context: &Context) -> PathBuf {
    context.env.state_dir.join("backups")
}

/// Returns a path as it was typed, from where it was typed.
fn from_here(path: &Path, context: &Context) -> PathBuf {
    context.env.working_dir.as_ref().map_or_else(|| path.to_owned(), |here| here.join(path))
}
