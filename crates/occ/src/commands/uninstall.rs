//! `occ uninstall`: takes the service away; the sandbox's volumes and settings stay.

use clap::Args;
use serde_json::json;

use super::install::PlaceArgs;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::service::{Standing, remove, standing};

/// Arguments of `occ uninstall`.
#[derive(Debug, Args)]
pub(crate) struct UninstallArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// Remove a service file that something else made
    #[arg(long)]
    force: bool,
    /// Show what would be done and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs `occ uninstall`.
pub(crate) fn run(args: &UninstallArgs, context: &Context) -> Result<Exit, Failure> {
    let manager = args.place.manager();
    let (service, _) = args.place.service(context)?;
    let (name, path) = (manager.name(&service), manager.path(&service, &context.env));
    let found = standing(&path, &service, "")?;
    if found == Standing::Foreign && !args.force {
        let message =
            format!("a service of that name was made by something else: {}", path.display());
        return Err(Failure::new(Exit::Failed, message)
            .hint(format!("look at it: cat {}", path.display()))
            .hint("to remove it: occ uninstall --force"));
    }
    let installed = found != Standing::Absent;
    if installed && !args.dry_run {
        // Before the file: a manager stops only what it can still read.
        manager.disable(&service, &context.env)?;
        remove(&path)?;
        manager.forget(&service, &context.env)?;
    }
    let data = json!({ "changed": installed, "name": name, "path": path, "dry_run": args.dry_run });
    let text = match (installed, args.dry_run) {
        (false, _) => "not installed\n".to_owned(),
        (true, false) => "uninstalled\n".to_owned(),
        (true, true) => {
            format!(
                " 1. stop the service, and the sandbox with it: {name}\n 2. remove: {}\n",
                path.display()
            )
        }
    };
    let text = if context.terminal.quiet() { String::new() } else { text };
    context.terminal.result("occ/uninstall", &data, &text)?;
    if installed && !args.dry_run {
        context.terminal.say("Volumes and settings stay; start the sandbox by hand: occ start");
    }
    Ok(Exit::Done)
}
