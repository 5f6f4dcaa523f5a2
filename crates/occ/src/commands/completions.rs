//! `occ completions`.

use clap::Args;
use clap_complete::{Shell, generate};

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Arguments of `occ completions`.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// Shell to complete in
    shell: Shell,
}

/// Runs `occ completions`.
pub(crate) fn run(args: &CompletionsArgs, context: &Context) -> Result<Exit, Failure> {
    let mut text = Vec::new();
    generate(args.shell, &mut crate::cli::command(), "occ", &mut text);
    context.terminal.bytes(&text)?;
    Ok(Exit::Done)
}
