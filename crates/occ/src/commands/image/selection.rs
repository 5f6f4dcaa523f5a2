//! Which images a command is about.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use occ_image::{BuildPlan, Release, Target};
use occ_oci::Platform;

use crate::context::Context;
use crate::failure::Failure;
use crate::image_source::ImageSource;
use crate::wiring::host_platform;

/// Arguments that name a recipe.
#[derive(Debug, Clone, Args)]
pub(crate) struct RecipeArgs {
    /// Recipe file, with its lock beside it; without it the setting `image_recipe`, or the built-in one
    #[arg(long, value_name = "FILE")]
    recipe: Option<PathBuf>,
}

impl RecipeArgs {
    /// Reads recipe and lock.
    pub(crate) fn read(&self, context: &Context) -> Result<ImageSource, Failure> {
        let config = context.layers()?.config();
        let recipe = self.recipe.as_deref().or(config.image_recipe.as_deref());
        context.image_source(recipe)
    }
}

/// Arguments that choose images of a recipe.
#[derive(Debug, Clone, Args)]
pub(crate) struct Selection {
    #[command(flatten)]
    pub(super) recipe: RecipeArgs,
    /// Variant to build, or all; may be given several times
    #[arg(long, value_name = "NAME")]
    variant: Vec<String>,
    /// Platform to build for (linux/amd64, linux/arm64, all); without it this machine's
    #[arg(long, value_name = "PLATFORM")]
    platform: Vec<String>,
    /// Feature beyond those of the variant, such as extras; may be given several times
    #[arg(long, value_name = "FEATURE")]
    with: Vec<String>,
}

impl Selection {
    /// Returns the arguments that this was read from.
    pub(super) fn arguments(&self) -> Vec<OsString> {
        let named = |flag: &'static str, values: &[String]| {
            let words = values.iter().flat_map(move |value| [flag.to_owned(), value.clone()]);
            words.map(OsString::from).collect::<Vec<_>>()
        };
        let recipe = self.recipe.recipe.iter();
        recipe
            .flat_map(|path| [OsString::from("--recipe"), path.clone().into_os_string()])
            .chain(named("--variant", &self.variant))
            .chain(named("--platform", &self.platform))
            .chain(named("--with", &self.with))
            .collect()
    }

    /// Plans the images, in the order of variants and then of platforms.
    pub(super) fn plans(
        &self,
        source: &ImageSource,
        release: &Release,
        context: &Context,
    ) -> Result<Vec<BuildPlan>, Failure> {
        let config = context.layers()?.config();
        let variants = match self.variant.as_slice() {
            [] => vec![config.image_variant],
            some if some.iter().any(|name| name == "all") => {
                source.recipe.variants.keys().cloned().collect()
            }
            some => some.to_vec(),
        };
        let with = if self.with.is_empty() { config.image_features } else { self.with.clone() };
        let platforms = self.platforms()?;
        let mut plans = Vec::new();
        for variant in variants {
            for platform in &platforms {
                let target =
                    Target { platform: *platform, variant: variant.clone(), with: with.clone() };
                plans.push(source.plan(&target, release)?);
            }
        }
        Ok(plans)
    }

    fn platforms(&self) -> Result<Vec<Platform>, Failure> {
        if self.platform.is_empty() {
            return Ok(vec![host_platform()?]);
        }
        if self.platform.iter().any(|name| name == "all") {
            return Ok(Platform::ALL.to_vec());
        }
        let mut platforms = Vec::new();
        for name in &self.platform {
            let parsed = name
                .parse()
                .or_else(|error| format!("linux/{name}").parse::<Platform>().map_err(|_| error));
            let platform = parsed.map_err(|error| Failure::usage(format!("{error}")))?;
            if !platforms.contains(&platform) {
                platforms.push(platform);
            }
        }
        Ok(platforms)
    }
}
