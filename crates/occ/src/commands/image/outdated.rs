//! `occ image outdated`: what has newer versions than the lock.

use clap::Args;
use occ_image::{LockRequest, Upgrade, lock_changes};
use serde_json::json;

use super::lock::resolve;
use super::selection::RecipeArgs;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Arguments of `occ image outdated`.
#[derive(Debug, Args)]
pub(crate) struct OutdatedArgs {
    #[command(flatten)]
    recipe: RecipeArgs,
    /// End with exit code 1 when something is outdated
    #[arg(long)]
    check: bool,
}

/// Runs `occ image outdated`.
pub(crate) fn run(args: &OutdatedArgs, context: &Context) -> Result<Exit, Failure> {
    let source = args.recipe.read(context)?;
    let kept = source.lock()?.clone();
    let request = LockRequest { upgrade: Upgrade::All, ..LockRequest::default() };
    let newest = context.block_on(resolve(&source, &request, context))?;
    let changes = lock_changes(Some(&kept), &newest);
    let text = if changes.is_empty() {
        "everything is the newest there is\n".to_owned()
    } else {
        changes.iter().map(|change| format!("{change}\n")).collect()
    };
    context.terminal.result("occ/image-outdated", &json!({ "outdated": changes }), &text)?;
    let stale = args.check && !changes.is_empty();
    Ok(if stale { Exit::Failed } else { Exit::Done })
}
