//! `occ release describe`: what Docker Hub says about the images.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use occ_image::{Lock, Recipe};
use occ_oci::Digest;
use occ_release::{
    DESCRIPTION_TEMPLATE, DESCRIPTION_TEMPLATE_NAME, Description, DescriptionError, Facts, Hub,
    HubRepository, Version,
};
use serde_json::json;

use super::page::{Page, Pages, Way};
use crate::commands::image::{RecipeArgs, or_interrupted};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// The page in the repository.
const PAGE: &str = "DOCKER_HUB.md";

/// Arguments of `occ release describe`.
#[derive(Debug, Args)]
pub(crate) struct DescribeArgs {
    #[command(flatten)]
    recipe: RecipeArgs,
    /// Template in place of the built-in one
    #[arg(long, value_name = "FILE")]
    template: Option<PathBuf>,
    /// Version of the release, such as v1.2.3; without it that of the locked opencode
    #[arg(long, value_name = "VERSION")]
    release: Option<Version>,
    /// Digest of a variant's image, to stand beside it; may be given several times
    #[arg(long, value_name = "VARIANT=DIGEST")]
    digest: Vec<String>,
    /// File to write; - prints it
    #[arg(long, short, value_name = "FILE", default_value = PAGE)]
    output: String,
    /// Write nothing; end with exit code 1 when the file is not what would be written
    #[arg(long)]
    check: bool,
    /// Put it on Docker Hub, as the description of this repository
    #[arg(long, value_name = "NAMESPACE/NAME", conflicts_with_all = ["check", "output"])]
    push: Option<HubRepository>,
    /// Docker Hub's own interface, not that of its registry
    #[arg(long, value_name = "URL", env = "OCC_HUB_API", default_value = Hub::API)]
    api: String,
    /// Show what would be done and do nothing
    #[arg(long, conflicts_with = "check")]
    dry_run: bool,
}

/// Runs `occ release describe`.
pub(crate) fn run(args: &DescribeArgs, context: &Context) -> Result<Exit, Failure> {
    let description = args.description(context)?;
    if let Some(repository) = &args.push {
        let pushed = push(args, repository, &description, context);
        return context.block_on(or_interrupted(pushed, context));
    }
    if args.output == "-" && !args.check {
        let data = json!({ "short": description.short, "full": description.full });
        context.terminal.result("occ/release-description", &data, &description.full)?;
        return Ok(Exit::Done);
    }
    let way = match (args.check, args.dry_run) {
        (true, _) => Way::Check,
        (_, true) => Way::Show,
        _ => Way::Write,
    };
    let all = vec![Page { path: PathBuf::from(&args.output), text: description.full }];
    let mut mend = "occ release describe".to_owned();
    if args.output != PAGE {
        mend.push_str(&format!(" --output {}", args.output));
    }
    Pages { all, mend, schema: "occ/release-describe" }.handle(way, context)
}

impl DescribeArgs {
    fn description(&self, context: &Context) -> Result<Description, Failure> {
        let source = self.recipe.read(context)?;
        let mut facts = facts(&source.recipe, source.lock()?)?;
        if let Some(version) = self.release {
            facts.version = version;
        }
        for text in &self.digest {
            let (variant, digest) = parse_digest(text, &facts)?;
            facts.digests.insert(variant, digest);
        }
        let Some(path) = &self.template else {
            return render(DESCRIPTION_TEMPLATE_NAME, DESCRIPTION_TEMPLATE, &facts);
        };
        let text = fs::read_to_string(path).map_err(|error| {
            Failure::new(Exit::Config, format!("cannot read {}: {error}", path.display()))
        })?;
        render(&path.display().to_string(), &text, &facts)
    }
}

/// Reads `VARIANT=DIGEST`.
fn parse_digest(text: &str, facts: &Facts) -> Result<(String, Digest), Failure> {
    let wrong = |why: String| {
        Failure::usage(format!("--digest {text}: {why}"))
            .hint("it is for example: --digest base=sha256:…")
    };
    let (variant, digest) =
        text.split_once('=').ok_or_else(|| wrong("there is no =".to_owned()))?;
    if !facts.variants().any(|known| known == variant) {
        let known = facts.variants().collect::<Vec<_>>().join(", ");
        return Err(wrong(format!("the variants are {known}")));
    }
    let digest = digest.parse().map_err(|error| wrong(format!("{error}")))?;
    Ok((variant.to_owned(), digest))
}

fn facts(recipe: &Recipe, lock: &Lock) -> Result<Facts, Failure> {
    Facts::of(recipe, lock).map_err(|error| {
        Failure::of(Exit::Config, &error).hint("look at what is locked: occ image plan")
    })
}

fn render(name: &str, text: &str, facts: &Facts) -> Result<Description, Failure> {
    Description::render(name, text, facts).map_err(|error| match error {
        DescriptionError::TooLong { .. } => Failure::of(Exit::Refused, &error)
            .hint(format!("leave something out, the README has it anyway: {name}")),
        DescriptionError::NoShort { .. } | DescriptionError::Template(_) => {
            Failure::of(Exit::Config, &error)
        }
    })
}

async fn push(
    args: &DescribeArgs,
    repository: &HubRepository,
    description: &Description,
    context: &Context,
) -> Result<Exit, Failure> {
    let way = context.registries()?;
    let mut hub = Hub::enter(&way, &args.api, repository).await?;
    let there = hub.read().await?;
    let parts = description.other_parts(&there);
    if !parts.is_empty() && !args.dry_run {
        hub.write(description, &parts).await?;
    }
    let verb = if args.dry_run { "would be sent" } else { "sent" };
    let line = |part: &occ_release::DescriptionPart| {
        let bytes = description.part(*part).len();
        format!("{verb}: {} ({bytes} of {} bytes)\n", part.name(), part.limit())
    };
    let text = match parts.as_slice() {
        [] => format!("{repository} says that already\n"),
        parts => parts.iter().map(line).collect(),
    };
    let data = json!({
        "changed": !parts.is_empty() && !args.dry_run,
        "repository": repository.to_string(),
        "sent": parts.iter().map(|part| part.name()).collect::<Vec<_>>(),
        "short_bytes": description.short.len(),
        "full_bytes": description.full.len(),
    });
    context.terminal.result("occ/release-describe", &data, &text)?;
    Ok(Exit::Done)
}

/// Returns the page of the built-in recipe and its path from the top folder, for generated files.
pub(crate) fn built_in() -> (PathBuf, String) {
    let recipe = Recipe::embedded().expect("a test reads it");
    let lock = Lock::embedded().expect("a test reads it");
    let facts = Facts::of(&recipe, &lock).expect("a test reads it");
    let page = Description::render(DESCRIPTION_TEMPLATE_NAME, DESCRIPTION_TEMPLATE, &facts);
    (PathBuf::from(PAGE), page.expect("a test renders it").full)
}
