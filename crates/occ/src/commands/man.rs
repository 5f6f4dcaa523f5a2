//! `occ man`.

use std::path::PathBuf;

use clap::Args;
use clap_mangen::Man;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Arguments of `occ man`.
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Write the pages of all commands into this folder
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Runs `occ man`.
pub(crate) fn run(args: &ManArgs, context: &Context) -> Result<Exit, Failure> {
    let command = crate::cli::command();
    if let Some(dir) = &args.dir {
        clap_mangen::generate_to(command, dir).map_err(|error| {
            Failure::new(Exit::Failed, format!("cannot write into {}: {error}", dir.display()))
        })?;
        return Ok(Exit::Done);
    }
    let mut page = Vec::new();
    Man::new(command).render(&mut page)?;
    context.terminal.bytes(&page)?;
    Ok(Exit::Done)
}
