//! Everything of an image on its way to a registry, with what is shown meanwhile.

use std::sync::atomic::{AtomicU64, Ordering};

use occ_oci::{Repository, Tag};
use occ_registry::{Client, Copied, Event as SendEvent, Pushed, RawManifest, Shelf, Whole, send};
use occ_sandbox::Event;

use super::named::may_stand_for;
use crate::context::Context;
use crate::failure::Failure;

/// What was sent.
pub(super) struct Sent {
    pub(super) copied: Copied,
    /// Bytes that travelled.
    pub(super) bytes: u64,
}

/// Sends everything to a registry, and then lets the tag stand for it.
pub(super) async fn send_all(
    (root, whole): (&RawManifest, &Whole),
    shelf: &impl Shelf,
    (to, tag): (&Client, Option<&Tag>),
    mount: Option<&Repository>,
    (verb, context): (&str, &Context),
) -> Result<Sent, Failure> {
    let progress = context.terminal.progress();
    let what = format!("{verb} to {}", to.host());
    let (total, done, bytes) = (whole.bytes(), AtomicU64::new(0), AtomicU64::new(0));
    let told = |event| {
        if let SendEvent::Blob { size, how, .. } = event {
            if how == Pushed::Uploaded {
                bytes.fetch_add(size, Ordering::Relaxed);
            }
            let done = done.fetch_add(size, Ordering::Relaxed) + size;
            progress.show(&Event::Copied { what: what.clone(), done, total });
        }
    };
    let copied = send(whole, shelf, to, mount, &told).await;
    progress.clear();
    let copied = copied?;
    if let Some(tag) = tag
        // Somebody else may have been quicker meanwhile.
        && !may_stand_for(to, tag, root.digest()).await?
    {
        to.tag(root, tag).await?;
    }
    Ok(Sent { copied, bytes: bytes.into_inner() })
}
