//! `occ image inspect` and `occ image diff`: what images of a layout are made of.

use std::path::PathBuf;

use clap::Args;
use occ_image::{Layout, Selector, StoredImage};
use serde_json::json;

use super::named::{Place, or_interrupted};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::wiring::host_platform;

/// Arguments of `occ image inspect`.
#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// Image of the layout: a variant, NAME@PLATFORM or a digest; or with a host the name of one in a registry;
    /// without any all of the layout
    image: Vec<String>,
    /// Folder of the OCI layout
    #[arg(long, value_name = "DIR")]
    layout: Option<PathBuf>,
    /// List every file that is stored more than once, and end with exit code 3 if there is one
    #[arg(long)]
    waste: bool,
}

/// Arguments of `occ image diff`.
#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// The older image: a variant, NAME@PLATFORM or a digest, after `DIR:` for one of another layout
    before: String,
    /// The newer image
    after: String,
    /// Folder of the OCI layout
    #[arg(long, value_name = "DIR")]
    layout: Option<PathBuf>,
    /// List every file
    #[arg(long)]
    files: bool,
}

fn open(folder: Option<&PathBuf>, context: &Context) -> Result<Layout, Failure> {
    let usual = context.env.layout();
    Ok(Layout::open(folder.unwrap_or(&usual))?)
}

fn selector(text: &str) -> Result<Selector, Failure> {
    text.parse().map_err(|error| Failure::usage(format!("{error}")))
}

/// Runs `occ image inspect`.
pub(crate) fn inspect(args: &InspectArgs, context: &Context) -> Result<Exit, Failure> {
    let (mut stored, mut named) = (Vec::new(), Vec::new());
    for name in &args.image {
        match Place::parse(name)? {
            Place::Registry(reference) => named.push(reference),
            Place::Engine(name) => stored.push(selector(&name)?),
        }
    }
    let mut text = String::new();
    let mut remote = Vec::new();
    for reference in &named {
        let read = or_interrupted(super::remote::inspect(reference, context), context);
        remote.extend(context.block_on(read)?);
    }
    text.extend(remote.iter().map(ToString::to_string));
    let images = match (named.is_empty(), stored.as_slice()) {
        (false, []) => Vec::new(),
        (_, []) => open(args.layout.as_ref(), context)?.images()?,
        (_, some) => {
            let (layout, usual) = (open(args.layout.as_ref(), context)?, host_platform()?);
            some.iter().map(|one| layout.image(one, usual)).collect::<Result<_, _>>()?
        }
    };
    let (mut wasteful, mut found) = (Vec::new(), Vec::new());
    for image in images {
        let looking = context.work(move |_, cancel| Ok(occ_image::inspect(&image, cancel)));
        let inspection = context.block_on(looking)??;
        if !inspection.waste.files.is_empty() {
            wasteful.push(format!("{}@{}", inspection.entry, inspection.platform));
        }
        text.push_str(&inspection.to_string());
        found.push(inspection);
    }
    let data = json!({ "images": found, "remote": remote });
    context.terminal.result("occ/image-inspect", &data, &text)?;
    if args.waste && !wasteful.is_empty() {
        let message = format!("files are stored more than once in {}", wasteful.join(", "));
        return Err(Failure::new(Exit::Refused, message));
    }
    Ok(Exit::Done)
}

/// Runs `occ image diff`.
pub(crate) fn diff(args: &DiffArgs, context: &Context) -> Result<Exit, Failure> {
    let find = |text: &str| -> Result<StoredImage, Failure> {
        let (folder, text) = match text.split_once(':') {
            Some((folder, text)) if folder != "sha256" => (Some(PathBuf::from(folder)), text),
            _ => (args.layout.clone(), text),
        };
        Ok(open(folder.as_ref(), context)?.image(&selector(text)?, host_platform()?)?)
    };
    let (before, after) = (find(&args.before)?, find(&args.after)?);
    let comparing = context.work(move |_, cancel| Ok(occ_image::diff(&before, &after, cancel)));
    let difference = context.block_on(comparing)??;
    let text = if args.files { format!("{difference:#}") } else { difference.to_string() };
    context.terminal.result("occ/image-diff", &json!(difference), &text)?;
    Ok(Exit::Done)
}
