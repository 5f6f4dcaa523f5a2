//! `occ release ci`: the workflows of a forge.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use occ_image::Recipe;
use occ_release::{Forge, workflows};

use super::page::{Page, Pages, Way};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Arguments of `occ release ci`.
#[derive(Debug, Args)]
pub(crate) struct CiArgs {
    /// Whose workflows; without it those of all
    #[arg(long, value_enum, value_name = "FORGE")]
    forge: Option<ForgeName>,
    /// Top folder of the repository
    #[arg(long, short, value_name = "DIR", default_value = ".")]
    output: PathBuf,
    /// Write nothing; end with exit code 1 when a file is not what would be written
    #[arg(long)]
    check: bool,
    /// Show what would be written and do nothing
    #[arg(long, conflicts_with = "check")]
    dry_run: bool,
}

/// What runs workflows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ForgeName {
    /// GitHub Actions
    Github,
    /// Gitea Actions
    Gitea,
}

/// Runs `occ release ci`.
pub(crate) fn run(args: &CiArgs, context: &Context) -> Result<Exit, Failure> {
    let forges = match args.forge {
        None => Forge::ALL.to_vec(),
        Some(ForgeName::Github) => vec![Forge::Github],
        Some(ForgeName::Gitea) => vec![Forge::Gitea],
    };
    let mut pages = Vec::new();
    for forge in &forges {
        pages.extend(pages_of(*forge, &args.output)?);
    }
    let way = match (args.check, args.dry_run) {
        (true, _) => Way::Check,
        (_, true) => Way::Show,
        _ => Way::Write,
    };
    let mut mend = "occ release ci".to_owned();
    if let [forge] = forges[..] {
        mend.push_str(&format!(" --forge {}", forge.name()));
    }
    if args.output != Path::new(".") {
        mend.push_str(&format!(" --output {}", args.output.display()));
    }
    Pages { all: pages, mend, schema: "occ/release-ci" }.handle(way, context)
}

fn pages_of(forge: Forge, root: &Path) -> Result<Vec<Page>, Failure> {
    let recipe = Recipe::embedded()?;
    let variants: Vec<&str> = recipe.variants.keys().map(String::as_str).collect();
    let files = workflows(forge, &variants).map_err(|error| Failure::of(Exit::Failed, &error))?;
    Ok(files.into_iter().map(|file| Page { path: root.join(file.path), text: file.text }).collect())
}

/// Returns every workflow with its path from the top folder, for generated files.
pub(crate) fn files() -> Vec<(PathBuf, String)> {
    let pages = Forge::ALL
        .iter()
        .flat_map(|forge| pages_of(*forge, Path::new("")).expect("a test renders the workflows"));
    pages.map(|page| (page.path, page.text)).collect()
}
