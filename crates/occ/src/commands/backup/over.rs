//! `occ backup restore` where there is a sandbox: its volumes get what the backup holds, and the way back
//! stays.

use occ_engine::Docker;
use occ_sandbox::{
    Cause, Change, Contents, Filling, ImageBuilder as _, Lock, SandboxSpec, Verified,
};

use crate::commands::start::StartSettings;
use crate::commands::update::{agree_on, change_over};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Replaces what the sandbox's volumes hold.
pub(super) async fn restore_over(
    yes: bool,
    engine: &Docker,
    backup: &Verified,
    lock: &Lock,
    context: &Context,
) -> Result<(), Failure> {
    let mut settings = StartSettings::again(context)?.agreeing(yes);
    let (spec, config) = settings.wish(context)?;
    let filling = backup.filling(&context.instance);
    fits(&filling, &spec, context)?;
    let workshop = context.workshop(&config)?;
    let change =
        Change { anew: true, contents: Contents::Restored(filling), ..Change::of(Cause::Restore) };
    let plan = agree_on(&change, &spec, &mut settings, workshop.name(), context, engine).await?;
    change_over(&plan, &spec, context, engine, lock).await?;
    context.terminal.say("To return to what there was: occ rollback");
    Ok(())
}

/// A folder of this machine is not overwritten by what was in a volume.
fn fits(filling: &Filling, spec: &SandboxSpec, context: &Context) -> Result<(), Failure> {
    let used = spec.volumes();
    let unused = filling.names().find(|name| used.iter().all(|(volume, _)| volume != name));
    let Some(volume) = unused else { return Ok(()) };
    let what = format!("this sandbox does not use a volume that is in the backup: {volume}");
    Err(Failure::new(Exit::Failed, what)
        .hint("restore beside it: occ --instance NAME backup restore FILE")
        .hint(format!(
            "or give it the volume: occ --instance {} start --workspace volume",
            context.instance
        )))
}
