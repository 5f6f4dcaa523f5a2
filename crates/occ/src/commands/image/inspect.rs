//! `occ image inspect` and `occ image diff`: what images of a layout are made of.

use std::path::PathBuf;

use clap::Args;
use occ_image::{Layout, Selector, StoredImage};
use serde_json::json;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::wiring::host_platform;

/// Arguments of `occ image inspect`.
#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// Image of the layout: a variant, NAME@PLATFORM or a digest; without it all
    image: Vec<Selector>,
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

/// Runs `occ image inspect`.
pub(crate) fn inspect(args: &InspectArgs, context: &Context) -> Result<Exit, Failure> {
    let layout = open(args.layout.as_ref(), context)?;
    let usual = host_platform()?;
    let images = if args.image.is_empty() {
        layout.images()?
    } else {
        let find = |selector| layout.image(selector, usual);
        args.image.iter().map(find).collect::<Result<_, _>>()?
    };
    let mut wasteful = Vec::new();
    let (mut found, mut text) = (Vec::new(), String::new());
    for image in images {
        let looking = context.work(move |_, cancel| Ok(occ_image::inspect(&image, cancel)));
        let inspection = context.block_on(looking)??;
        if !inspection.waste.files.is_empty() {
            wasteful.push(format!("{}@{}", inspection.entry, inspection.platform));
        }
        text.push_str(&inspection.to_string());
        found.push(inspection);
    }
    context.terminal.result("occ/image-inspect", &json!({ "images": found }), &text)?;
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
        let selector: Selector =
            text.parse().map_err(|error| Failure::usage(format!("{error}")))?;
        Ok(open(folder.as_ref(), context)?.image(&selector, host_platform()?)?)
    };
    let (before, after) = (find(&args.before)?, find(&args.after)?);
    let comparing = context.work(move |_, cancel| Ok(occ_image::diff(&before, &after, cancel)));
    let difference = context.block_on(comparing)??;
    let text = if args.files { format!("{difference:#}") } else { difference.to_string() };
    context.terminal.result("occ/image-diff", &json!(difference), &text)?;
    Ok(Exit::Done)
}
