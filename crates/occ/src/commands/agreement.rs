//! The flags of commands that ask before they change something.

use clap::Args;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

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

/// Asks whether what was listed may go; `command` is what agrees to it where nobody can be asked.
pub(super) async fn agree_to_remove(
    question: &str,
    command: &str,
    context: &Context,
) -> Result<(), Failure> {
    if !context.terminal.can_ask() {
        return Err(Failure::usage(
            "removing was not agreed to, and there is no terminal to ask at",
        )
        .hint(format!("to remove what is listed above: {command}")));
    }
    if context.terminal.confirm(question, false, &context.cancel).await? {
        return Ok(());
    }
    Err(Failure::new(Exit::Failed, "Aborted. Nothing was removed"))
}
