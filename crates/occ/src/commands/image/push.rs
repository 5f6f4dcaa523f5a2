//! `occ image push`: from a layout, or from the engine, to registries.

use std::path::PathBuf;

use clap::Args;
use occ_image::{Layout, Selector, Size};
use occ_oci::{Descriptor, Tagged};
use occ_registry::Client;
use serde_json::json;

use super::exported::export;
use super::named::{may_stand_for, or_interrupted, reference};
use super::send::send_all;
use super::stored::{StoredBlobs, entry, read, whole};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Arguments of `occ image push`.
#[derive(Debug, Args)]
pub(crate) struct PushArgs {
    /// Image of the layout with all its platforms: a variant or a digest; with --engine its name or id there
    #[arg(value_name = "IMAGE")]
    image: String,
    /// Names that it gets, HOST/PATH:TAG each
    #[arg(value_name = "REFERENCE", required = true)]
    names: Vec<String>,
    /// Folder of the OCI layout
    #[arg(long, value_name = "DIR")]
    layout: Option<PathBuf>,
    /// Push an image of the container engine; it is exported, and its layers compressed anew
    #[arg(long, conflicts_with = "layout")]
    engine: bool,
    /// Show what would be sent and send nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs `occ image push`.
pub(crate) fn run(args: &PushArgs, context: &Context) -> Result<Exit, Failure> {
    context.block_on(or_interrupted(go(args, context), context))
}

async fn go(args: &PushArgs, context: &Context) -> Result<Exit, Failure> {
    let parse = |name: &String| {
        reference(name)?;
        name.parse::<Tagged>().map_err(|error| Failure::usage(format!("{name}: {error}")))
    };
    let names: Vec<Tagged> = args.names.iter().map(parse).collect::<Result<_, _>>()?;
    if args.engine {
        let exported = export(&args.image, context).await?;
        return push(&exported.layout, &exported.root, &names, args.dry_run, context).await;
    }
    let selector: Selector =
        args.image.parse().map_err(|error| Failure::usage(format!("{error}")))?;
    if selector.platform.is_some() {
        return Err(Failure::usage("an image is pushed with all its platforms")
            .hint("one of them alone is named by its digest"));
    }
    let usual = context.env.layout();
    let layout = Layout::open(args.layout.as_ref().unwrap_or(&usual))?;
    let root = entry(&layout, &selector.entry)?;
    push(&layout, &root, &names, args.dry_run, context).await
}

async fn push(
    layout: &Layout,
    root: &Descriptor,
    names: &[Tagged],
    dry_run: bool,
    context: &Context,
) -> Result<Exit, Failure> {
    let registries = context.registries()?;
    let root = read(layout, root)?;
    let whole = whole(layout, &root)?;
    let clients = names.iter().map(|name| registries.client(&name.repository));
    let clients: Vec<Client> = clients.collect::<Result<_, _>>()?;
    // Nothing is sent anywhere when one of the names must not move.
    for (client, name) in clients.iter().zip(names) {
        may_stand_for(client, &name.tag, root.digest()).await?;
    }
    let mut bytes = 0;
    if !dry_run {
        for (client, name) in clients.iter().zip(names) {
            let to = (client, Some(&name.tag));
            // What the first place has is mounted from there where that is possible.
            let first = Some(&names[0].repository);
            let shelf = StoredBlobs(layout);
            let sent = send_all((&root, &whole), &shelf, to, first, ("Pushing", context)).await?;
            bytes += sent.bytes;
        }
    }
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let data = json!({
        "changed": !dry_run, "digest": root.digest(), "names": names, "bytes": bytes,
    });
    let lines = names.iter().map(|name| format!("{name}  {}\n", root.digest()));
    if !dry_run {
        context.terminal.say(&format!("pushed: {} sent", Size(bytes)));
    }
    context.terminal.result("occ/image-push", &data, &lines.collect::<String>())?;
    Ok(Exit::Done)
}
