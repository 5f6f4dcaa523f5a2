//! `occ image build`: images into an OCI layout.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;
use occ_image::{BuildPlan, Compression, Image, Layout, LayoutError, Release};
use occ_oci::Digest;
use serde_json::{Value, json};

use super::selection::Selection;
use super::{again, plan};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::wiring::host_platform;

/// Arguments of `occ image build`.
#[derive(Debug, Args)]
pub(crate) struct BuildArgs {
    #[command(flatten)]
    pub(super) selection: Selection,
    /// Folder of the OCI layout; entries of other variants in it stay
    #[arg(long, short, value_name = "DIR")]
    output: Option<PathBuf>,
    /// How layers are compressed: gzip, zstd or none
    #[arg(long, value_name = "HOW", default_value_t = Compression::Gzip)]
    pub(super) compression: Compression,
    /// Load the images for this machine's platform into the container engine too
    #[arg(long)]
    load: bool,
    /// Build again from nothing, elsewhere and otherwise, and compare
    #[arg(long)]
    verify: bool,
    /// How much to do side by side; it changes no byte
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    #[command(flatten)]
    pub(super) release: ReleaseArgs,
    /// Show what would be done and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// What the images say about where they come from; without these they say `dev` and a fixed time.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Labels")]
pub(crate) struct ReleaseArgs {
    /// Version that the images are released with
    #[arg(long, value_name = "VERSION")]
    pub(super) image_version: Option<String>,
    /// Time of the build, as RFC 3339
    #[arg(long, value_name = "TIME", value_parser = crate::time::parse)]
    pub(super) created: Option<String>,
    /// Commit of the recipe
    #[arg(long, value_name = "COMMIT")]
    pub(super) revision: Option<String>,
    /// Branch of that commit
    #[arg(long, value_name = "BRANCH")]
    pub(super) branch: Option<String>,
    /// Address of the run that builds
    #[arg(long, value_name = "URL")]
    pub(super) run_url: Option<String>,
}

impl ReleaseArgs {
    /// Returns the arguments that this was read from.
    pub(super) fn arguments(&self) -> Vec<String> {
        [
            ("--image-version", &self.image_version),
            ("--created", &self.created),
            ("--revision", &self.revision),
            ("--branch", &self.branch),
            ("--run-url", &self.run_url),
        ]
        .into_iter()
        .filter_map(|(flag, value)| Some([flag.to_owned(), value.clone()?]))
        .flatten()
        .collect()
    }

    fn release(&self) -> Release {
        let usual = Release::default();
        Release {
            version: self.image_version.clone().unwrap_or(usual.version),
            created: self.created.clone().unwrap_or(usual.created),
            revision: self.revision.clone(),
            branch: self.branch.clone(),
            run_url: self.run_url.clone(),
        }
    }
}

/// Runs `occ image build`.
pub(crate) fn run(args: &BuildArgs, context: &Context) -> Result<Exit, Failure> {
    let source = args.selection.recipe.read(context)?;
    let plans = args.selection.plans(&source, &args.release.release(), context)?;
    if args.dry_run {
        return plan::show(&plans, context);
    }
    let folder = args.output.clone().unwrap_or_else(|| context.env.layout());
    let images = context.block_on(make(plans, args, folder.clone(), context))?;
    let layout = Layout::open(&folder)?;
    report(&layout, &images, context)?;
    if args.verify { again::run(args, &layout, context) } else { Ok(Exit::Done) }
}

async fn make(
    plans: Vec<BuildPlan>,
    args: &BuildArgs,
    folder: PathBuf,
    context: &Context,
) -> Result<Vec<Image>, Failure> {
    let mut places = context.places();
    places.jobs = args.jobs.unwrap_or(places.jobs);
    let form = Some(args.compression);
    let (images, written) = context
        .work(move |observer, cancel| {
            let images = occ_image::build(&plans, form, &places, observer, cancel)?;
            let written = Layout::write(&folder, &images, observer, cancel);
            Ok((images, written))
        })
        .await?;
    written?;
    if args.load {
        load(&images, context).await?;
    }
    Ok(images)
}

async fn load(images: &[Image], context: &Context) -> Result<(), Failure> {
    use occ_engine::Engine as _;
    let engine = context.engine()?;
    let platform = host_platform()?;
    for image in images.iter().filter(|image| image.platform == platform) {
        let progress = context.terminal.progress();
        let observer = |event| progress.show(&occ_sandbox::Event::Transfer(event));
        let archive = image.archive()?;
        let total = archive.len();
        tokio::select! {
            loaded = engine.load_image(Box::new(archive), total, &observer) => loaded?,
            () = context.cancel.cancelled() => return Err(Failure::interrupted()),
        };
        progress.clear();
        context.terminal.say(&format!("loaded: {} ({})", image.name, image.variant));
    }
    Ok(())
}

fn report(layout: &Layout, images: &[Image], context: &Context) -> Result<(), Failure> {
    let indexes = indexes(layout)?;
    let mut text = String::new();
    for image in images {
        let name = format!("{}@{}", image.variant, image.platform);
        text.push_str(&format!("{name:<28} {}\n", image.manifest_digest()));
    }
    for (variant, digest) in &indexes {
        if images.iter().any(|image| image.variant == *variant) {
            text.push_str(&format!("{variant:<28} {digest}\n"));
        }
    }
    let data = json!({
        "layout": layout.folder(),
        "images": images.iter().map(image).collect::<Vec<_>>(),
        "indexes": indexes.iter().map(|(variant, digest)| json!({ "variant": variant, "digest": digest })).collect::<Vec<_>>(),
    });
    context.terminal.say(&format!("written to {}", layout.folder().display()));
    context.terminal.result("occ/image-build", &data, &text)
}

fn image(image: &Image) -> Value {
    let size: u64 = image.layers.iter().map(|layer| layer.blob.size).sum();
    json!({
        "variant": image.variant,
        "platform": image.platform,
        "digest": image.manifest_digest(),
        "config": image.config_digest(),
        "key": image.key,
        "name": image.name,
        "layers": image.layers.len(),
        "size": size,
    })
}

/// Returns every variant of a layout with the digest of its index.
pub(super) fn indexes(layout: &Layout) -> Result<Vec<(String, Digest)>, LayoutError> {
    let entries = layout.entries()?.into_iter();
    Ok(entries.filter_map(|it| Some((it.ref_name()?.to_owned(), it.digest.clone()))).collect())
}
