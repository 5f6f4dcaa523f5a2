//! `occ image copy`: from one registry to another, byte for byte, with everything that refers to it.

use std::sync::atomic::{AtomicU64, Ordering};

use clap::Args;
use occ_oci::Reference;
use occ_registry::{Event as CopyEvent, Pushed, copy};
use occ_sandbox::Event;
use serde_json::json;

use super::named::{may_stand_for, or_interrupted, reference, resolve};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Arguments of `occ image copy`.
#[derive(Debug, Args)]
pub(crate) struct CopyArgs {
    /// Name of the image in a registry
    from: String,
    /// Name that it gets in another one; without a tag and with a digest before, it gets no tag
    to: String,
    /// Show what would be copied and copy nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs `occ image copy`.
pub(crate) fn run(args: &CopyArgs, context: &Context) -> Result<Exit, Failure> {
    let (from, to) = (reference(&args.from)?, reference(&args.to)?);
    context.block_on(or_interrupted(go(&from, &to, args.dry_run, context), context))
}

async fn go(
    from: &Reference,
    to: &Reference,
    dry_run: bool,
    context: &Context,
) -> Result<Exit, Failure> {
    let registries = context.registries()?;
    let source = registries.client(from.repository())?;
    let target = registries.client(to.repository())?;
    let root = resolve(&source, from).await?;
    let digest = root.digest();
    let tag = match to {
        Reference::Tagged(name) => Some(&name.tag),
        Reference::Pinned(name) if name.digest == *digest => None,
        Reference::Pinned(name) => {
            let message = format!("{from} is {digest}, and not {}", name.digest);
            return Err(Failure::new(Exit::Refused, message));
        }
    };
    if let Some(tag) = tag {
        may_stand_for(&target, tag, digest).await?;
    }
    if dry_run {
        let data = json!({ "changed": false, "from": from.to_string(), "to": to.to_string(), "digest": digest });
        context.terminal.result("occ/image-copy", &data, &format!("{to}  {digest}\n"))?;
        return Ok(Exit::Done);
    }
    let progress = context.terminal.progress();
    let bytes = AtomicU64::new(0);
    let what = format!("Copying to {}", to.repository().host());
    let told = |event| {
        if let CopyEvent::Blob { size, how: Pushed::Uploaded, .. } = event {
            let done = bytes.fetch_add(size, Ordering::Relaxed) + size;
            progress.show(&Event::Copied { what: what.clone(), done, total: 0 });
        }
    };
    let copied = copy(&source, &target, digest, &[], &told).await;
    progress.clear();
    let copied = copied?;
    if let Some(tag) = tag
        // Somebody else may have been quicker meanwhile.
        && !may_stand_for(&target, tag, digest).await?
    {
        target.tag(&root, tag).await?;
    }
    for skipped in &copied.skipped {
        context
            .terminal
            .warn(&format!("left out, because it is not what it is listed as: {skipped}"));
    }
    let data = json!({
        "changed": true,
        "from": from.to_string(),
        "to": to.to_string(),
        "digest": digest,
        "manifests": copied.manifests,
        "referrers": copied.referrers,
        "blobs": {
            "already_there": copied.already_there,
            "mounted": copied.mounted,
            "uploaded": copied.uploaded,
        },
        "bytes": bytes.into_inner(),
        "skipped": copied.skipped.iter().map(ToString::to_string).collect::<Vec<_>>(),
    });
    context.terminal.say(&format!(
        "copied: {} manifests and {} that refer to them, {} blobs sent, {} there already",
        copied.manifests,
        copied.referrers,
        copied.uploaded,
        copied.already_there + copied.mounted,
    ));
    context.terminal.result("occ/image-copy", &data, &format!("{to}  {digest}\n"))?;
    Ok(Exit::Done)
}
