//! `occ image tag`: one more name for the same bytes.

use clap::Args;
use occ_engine::Engine as _;
use occ_oci::{Reference, Tag};
use serde_json::json;

use super::named::{Place, may_stand_for, or_interrupted, resolve};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Arguments of `occ image tag`.
#[derive(Debug, Args)]
pub(crate) struct TagArgs {
    /// The image: with a host one in a registry, without one of the engine
    #[arg(value_name = "IMAGE")]
    image: String,
    /// What it is to be called too: tags of the same repository, or names in the engine
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
    /// Show what would be done and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs `occ image tag`.
pub(crate) fn run(args: &TagArgs, context: &Context) -> Result<Exit, Failure> {
    context.block_on(or_interrupted(tag(args, context), context))
}

async fn tag(args: &TagArgs, context: &Context) -> Result<Exit, Failure> {
    match Place::parse(&args.image)? {
        Place::Registry(reference) => in_registry(args, &reference, context).await,
        Place::Engine(name) => in_engine(args, &name, context).await,
    }
}

async fn in_registry(
    args: &TagArgs,
    reference: &Reference,
    context: &Context,
) -> Result<Exit, Failure> {
    let read = |name: &String| {
        name.parse::<Tag>().map_err(|error| {
            Failure::usage(format!("{name} is no tag: {error}"))
                .hint("to another repository it is: occ image copy FROM TO")
        })
    };
    let tags: Vec<Tag> = args.names.iter().map(read).collect::<Result<_, _>>()?;
    let client = context.registries()?.client(reference.repository())?;
    let manifest = resolve(&client, reference).await?;
    let mut moved = Vec::new();
    // All are looked at before one is moved.
    for tag in &tags {
        if !may_stand_for(&client, tag, manifest.digest()).await? {
            moved.push(tag);
        }
    }
    for tag in moved.iter().filter(|_| !args.dry_run) {
        client.tag(&manifest, tag).await?;
    }
    let names: Vec<String> =
        tags.iter().map(|tag| format!("{}:{tag}", client.repository())).collect();
    let changed = !moved.is_empty() && !args.dry_run;
    let data = json!({ "changed": changed, "digest": manifest.digest(), "names": names });
    let lines = names.iter().map(|name| format!("{name}  {}\n", manifest.digest()));
    context.terminal.result("occ/image-tag", &data, &lines.collect::<String>())?;
    Ok(Exit::Done)
}

async fn in_engine(args: &TagArgs, name: &str, context: &Context) -> Result<Exit, Failure> {
    for name in &args.names {
        if !matches!(Place::parse(name)?, Place::Engine(_)) {
            return Err(Failure::usage(format!(
                "{name} is in a registry, and the image in the engine"
            ))
            .hint("a built image is brought there by: occ image push"));
        }
    }
    let engine = context.engine()?;
    let found = engine.image(name).await?.ok_or_else(|| absent(name))?;
    for name in args.names.iter().filter(|_| !args.dry_run) {
        engine.tag_image(&found.id, name).await?;
    }
    let data = json!({ "changed": !args.dry_run, "image": found.id, "names": args.names });
    let lines = args.names.iter().map(|name| format!("{name}  {}\n", found.id));
    context.terminal.result("occ/image-tag", &data, &lines.collect::<String>())?;
    Ok(Exit::Done)
}

/// Returns the failure for an image that the engine does not have.
pub(super) fn absent(name: &str) -> Failure {
    Failure::new(Exit::Failed, format!("the engine has no image {name}"))
        .hint("see what it has: occ image ls")
}
