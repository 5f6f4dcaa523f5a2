//! `occ image copy`: from one registry to another, or between a registry and a layout, byte for byte, with
//! everything that refers to it.

use clap::Args;
use occ_image::{EntryName, Layout};
use occ_oci::{Reference, Tag};
use occ_registry::{Client, Copied, RawManifest, Whole};
use serde_json::{Value, json};

use super::fetched::{Fetched, fetch};
use super::named::{may_stand_for, or_interrupted, resolve};
use super::send::{Sent, send_all};
use super::spot::Spot;
use super::stored::{StoredBlobs, entry, read, whole};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Arguments of `occ image copy`.
#[derive(Debug, Args)]
pub(crate) struct CopyArgs {
    /// Name of the image in a registry; or oci:FOLDER:NAME, one in a layout
    from: String,
    /// Name that it gets in another place; in a registry, without a tag and with a digest before, it gets no tag,
    /// and in a layout, without a name, that of the tag before
    to: String,
    /// Show what would be copied and copy nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs `occ image copy`.
pub(crate) fn run(args: &CopyArgs, context: &Context) -> Result<Exit, Failure> {
    let spots = (Spot::parse(&args.from)?, Spot::parse(&args.to)?);
    context.block_on(or_interrupted(go(&spots, args.dry_run, context), context))
}

async fn go(spots: &(Spot, Spot), dry_run: bool, context: &Context) -> Result<Exit, Failure> {
    let copy = Copy { spots, dry_run, context };
    match spots {
        (Spot::Registry(from), Spot::Registry(to)) => {
            let source = context.registries()?.client(from.repository())?;
            let root = resolve(&source, from).await?;
            let (target, tag) = copy.target(&root, to).await?;
            if dry_run {
                return copy.done(&root, None);
            }
            let whole = source.whole(&root).await?;
            let to = (&target, tag.as_ref());
            let mount = Some(source.repository());
            let sent = send_all((&root, &whole), &source, to, mount, ("Copying", context)).await?;
            copy.done(&root, Some(sent.into_counts(whole)))
        }
        (Spot::Registry(from), Spot::Layout { folder, entry }) => {
            let source = context.registries()?.client(from.repository())?;
            let root = resolve(&source, from).await?;
            let name = name_in_layout(from, entry.as_ref(), &root)?;
            if dry_run {
                return copy.done(&root, None);
            }
            let whole = source.whole(&root).await?;
            let to = (folder.clone(), name);
            let fetched = fetch(&source, (&root, &whole), to, context).await?;
            copy.done(&root, Some(fetched.into_counts(whole)))
        }
        (Spot::Layout { folder, entry: Some(name) }, Spot::Registry(to)) => {
            let layout = Layout::open(folder)?;
            let root = read(&layout, &entry(&layout, name)?)?;
            let whole = whole(&layout, &root)?;
            let (target, tag) = copy.target(&root, to).await?;
            if dry_run {
                return copy.done(&root, None);
            }
            let to = (&target, tag.as_ref());
            let shelf = StoredBlobs(&layout);
            let sent = send_all((&root, &whole), &shelf, to, None, ("Copying", context)).await?;
            copy.done(&root, Some(sent.into_counts(whole)))
        }
        (Spot::Layout { folder, entry: None }, Spot::Registry(_)) => {
            let message = format!("oci:{} names no image of the layout", folder.display());
            Err(Failure::usage(message).hint("see what is in it: occ image inspect --layout DIR"))
        }
        (Spot::Layout { .. }, Spot::Layout { .. }) => {
            Err(Failure::usage("one of the two places has to be in a registry"))
        }
    }
}

/// Returns the name that an image gets in a layout.
fn name_in_layout(
    from: &Reference,
    entry: Option<&EntryName>,
    root: &RawManifest,
) -> Result<Option<String>, Failure> {
    match (entry, from) {
        (Some(EntryName::Name(name)), _) => Ok(Some(name.clone())),
        (Some(EntryName::Digest(digest)), _) if digest == root.digest().digest() => Ok(None),
        (Some(EntryName::Digest(digest)), _) => {
            let message = format!("{from} is {}, and not {digest}", root.digest());
            Err(Failure::new(Exit::Refused, message))
        }
        (None, Reference::Tagged(name)) => Ok(Some(name.tag.to_string())),
        (None, Reference::Pinned(_)) => Ok(None),
    }
}

/// What a copy has done.
struct Counts {
    whole: Whole,
    copied: Copied,
    bytes: u64,
}

impl Sent {
    fn into_counts(self, whole: Whole) -> Counts {
        Counts { whole, copied: self.copied, bytes: self.bytes }
    }
}

impl Fetched {
    fn into_counts(self, whole: Whole) -> Counts {
        let referrers = whole.parts.iter().filter(|part| part.kind == occ_registry::Kind::Referrer);
        let referrers = referrers.count();
        let copied = Copied {
            manifests: whole.parts.len() - referrers,
            referrers,
            already_there: self.already_there,
            uploaded: self.blobs,
            ..Copied::default()
        };
        Counts { whole, copied, bytes: self.bytes }
    }
}

/// One copy.
struct Copy<'a> {
    spots: &'a (Spot, Spot),
    dry_run: bool,
    context: &'a Context,
}

impl Copy<'_> {
    /// Returns where in a registry an image goes, and its tag there, if it may have it.
    async fn target(
        &self,
        root: &RawManifest,
        to: &Reference,
    ) -> Result<(Client, Option<Tag>), Failure> {
        let target = self.context.registries()?.client(to.repository())?;
        let tag = match to {
            Reference::Tagged(name) => {
                may_stand_for(&target, &name.tag, root.digest()).await?;
                Some(name.tag.clone())
            }
            Reference::Pinned(name) if name.digest == *root.digest() => None,
            Reference::Pinned(name) => {
                let (from, digest) = (&self.spots.0, root.digest());
                let message = format!("{from} is {digest}, and not {}", name.digest);
                return Err(Failure::new(Exit::Refused, message));
            }
        };
        Ok((target, tag))
    }

    /// Says what was done.
    fn done(&self, root: &RawManifest, counts: Option<Counts>) -> Result<Exit, Failure> {
        let (from, to) = self.spots;
        let mut data = json!({
            "changed": !self.dry_run,
            "from": from.to_string(),
            "to": to.to_string(),
            "digest": root.digest(),
        });
        if let Some(counts) = counts {
            self.tell(&counts);
            add(&mut data, counts);
        }
        let line = format!("{to}  {}\n", root.digest());
        self.context.terminal.result("occ/image-copy", &data, &line)?;
        Ok(Exit::Done)
    }

    fn tell(&self, Counts { whole, copied, .. }: &Counts) {
        let terminal = &self.context.terminal;
        for skipped in &whole.skipped {
            terminal.warn(&format!("left out, because it is not what it is listed as: {skipped}"));
        }
        terminal.say(&format!(
            "copied: {} manifests and {} that refer to them, {} blobs sent, {} there already",
            copied.manifests,
            copied.referrers,
            copied.uploaded,
            copied.already_there + copied.mounted,
        ));
    }
}

fn add(data: &mut Value, Counts { whole, copied, bytes }: Counts) {
    data["manifests"] = copied.manifests.into();
    data["referrers"] = copied.referrers.into();
    data["blobs"] = json!({
        "already_there": copied.already_there,
        "mounted": copied.mounted,
        "uploaded": copied.uploaded,
    });
    data["bytes"] = bytes.into();
    data["skipped"] = whole.skipped.iter().map(ToString::to_string).collect();
}
