//! Which image a start wishes: its flags, what the settings say, and what a person is told about it.

use clap::Args;
use occ_image::guest;
use occ_sandbox::{Acquire, ImageSource, Plan, Reuse, Step};

use crate::config::{Config, Layers, Origin};
use crate::context::Context;
use crate::failure::Failure;
use crate::wiring::SERIES;

/// Arguments of `occ start` that are about the image.
#[derive(Debug, Default, Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags are")]
#[command(next_help_heading = "Image")]
pub(crate) struct ImageArgs {
    /// Pull the prebuilt image, also where an image is there
    #[arg(long)]
    pull_sandbox_image: bool,
    /// Build the image on this machine again, with the layers that are kept
    #[arg(long)]
    cached_rebuild_sandbox_image: bool,
    /// Build the image on this machine again, every layer of it
    #[arg(long)]
    full_rebuild_sandbox_image: bool,
    /// Do not look for a newer prebuilt image
    #[arg(long)]
    no_update_check: bool,
    /// Do not compare the image's version with this program's
    #[arg(long)]
    ignore_version: bool,
}

/// A flag that names the way to an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ImageFlag {
    /// `--pull-sandbox-image`
    Pull,
    /// `--cached-rebuild-sandbox-image`
    CachedRebuild,
    /// `--full-rebuild-sandbox-image`
    FullRebuild,
}

impl ImageFlag {
    fn name(self) -> &'static str {
        match self {
            Self::Pull => "--pull-sandbox-image",
            Self::CachedRebuild => "--cached-rebuild-sandbox-image",
            Self::FullRebuild => "--full-rebuild-sandbox-image",
        }
    }
}

/// What was said about the image on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ImageWish {
    /// The way to it.
    pub(super) flag: Option<ImageFlag>,
    /// Whether its version is compared with this program's.
    pub(super) compare: bool,
    /// Whether a newer one is looked for.
    pub(super) look: bool,
}

impl ImageArgs {
    /// Returns the wish; of the three ways one at most may be named.
    pub(super) fn wish(&self) -> Result<ImageWish, Failure> {
        let ways = [
            (self.pull_sandbox_image, ImageFlag::Pull),
            (self.cached_rebuild_sandbox_image, ImageFlag::CachedRebuild),
            (self.full_rebuild_sandbox_image, ImageFlag::FullRebuild),
        ];
        let mut named = ways.iter().filter(|(said, _)| *said).map(|(_, flag)| *flag);
        let flag = named.next();
        if named.next().is_some() {
            return Err(Failure::usage(
                "Only one of --pull-sandbox-image, --cached-rebuild-sandbox-image, or --full-rebuild-sandbox-image can be specified",
            ));
        }
        let compare = flag.is_none() && !self.ignore_version;
        Ok(ImageWish { flag, compare, look: compare && !self.no_update_check })
    }
}

impl ImageWish {
    /// Returns where an image comes from: what a flag says, then what the settings say.
    pub(super) fn source(self, config: &Config) -> ImageSource {
        let prebuilt = match self.flag {
            Some(ImageFlag::Pull) => true,
            Some(ImageFlag::CachedRebuild | ImageFlag::FullRebuild) => false,
            None => config.prebuilt,
        };
        if prebuilt { ImageSource::Prebuilt(names(config)) } else { ImageSource::Build }
    }

    /// Returns which image is wished.
    pub(super) fn acquire(self) -> Acquire {
        match self.flag {
            None => Acquire::WhenMissing,
            Some(ImageFlag::Pull | ImageFlag::CachedRebuild) => Acquire::Anew(Reuse::Kept),
            Some(ImageFlag::FullRebuild) => Acquire::Anew(Reuse::Nothing),
        }
    }

    /// Says what brings the image and who decided it; nothing where the plan brings none.
    pub(super) fn inform(self, plan: &Plan, layers: &Layers, context: &Context) {
        let anew = self.flag.is_some();
        let (what, other) = match plan.steps.first() {
            Some(Step::Pull { .. }) => ("Pulling prebuilt image", "build"),
            Some(Step::Build { .. }) if anew => ("Rebuilding image from source", "prebuilt"),
            Some(Step::Build { .. }) => ("Building image from source", "prebuilt"),
            _ => return,
        };
        let per = match self.flag {
            Some(flag) => flag.name().to_owned(),
            None => who(layers),
        };
        context.terminal.say(&format!("Info: {what} (per {per})"));
        if !anew {
            context.terminal.say(&format!("To change: occ config set image_source {other}"));
        }
    }
}

/// Returns who decided where images come from, in the words that would change it.
fn who(layers: &Layers) -> String {
    let (value, origin) = layers.get("image_source");
    let value = value.as_str().unwrap_or_default();
    match origin {
        Origin::Environment => format!("OCC_IMAGE_SOURCE={value}"),
        _ => format!("config.image_source={value}"),
    }
}

/// Returns the full names of the prebuilt image, in the order in which registries are asked.
pub(crate) fn names(config: &Config) -> Vec<String> {
    let tag = match config.image_variant.as_str() {
        "base" => SERIES.to_owned(),
        variant => format!("{SERIES}-{variant}"),
    };
    let hosts = config.registries.iter();
    hosts.map(|host| format!("{host}/{}:{tag}", guest::IMAGE_REPOSITORY)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ConfigFile;

    fn layers(variables: &[(&str, &str)]) -> Layers {
        let file = ConfigFile::read(std::path::Path::new("/nonexistent/config.json"));
        Layers::new(&file.expect("a missing file says nothing"), |name| {
            variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
        })
        .expect("valid")
    }

    #[test]
    fn lif_008_of_the_three_image_flags_one_at_most_may_be_named() {
        for (pull_sandbox_image, cached_rebuild_sandbox_image, full_rebuild_sandbox_image) in
            [(true, true, false), (true, false, true), (false, true, true), (true, true, true)]
        {
            let args = ImageArgs {
                pull_sandbox_image,
                cached_rebuild_sandbox_image,
                full_rebuild_sandbox_image,
                ..ImageArgs::default()
            };
            let failure = args.wish().expect_err("more than one");
            assert_eq!(
                failure.message,
                "Only one of --pull-sandbox-image, --cached-rebuild-sandbox-image, or --full-rebuild-sandbox-image can be specified"
            );
        }
    }

    #[test]
    fn acq_009_cfg_005_a_flag_wins_over_the_settings() {
        let prebuilt = layers(&[]).config();
        let build = layers(&[("OCC_IMAGE_SOURCE", "build")]).config();
        let source = |flag: Option<ImageFlag>, config: &Config| {
            ImageWish { flag, ..ImageWish::default() }.source(config)
        };
        let pulled = ImageSource::Prebuilt(names(&prebuilt));
        assert_eq!(source(None, &prebuilt), pulled);
        assert_eq!(source(None, &build), ImageSource::Build);
        assert_eq!(source(Some(ImageFlag::Pull), &build), pulled);
        assert_eq!(source(Some(ImageFlag::CachedRebuild), &prebuilt), ImageSource::Build);
        assert_eq!(source(Some(ImageFlag::FullRebuild), &prebuilt), ImageSource::Build);
    }

    #[test]
    fn acq_013_only_a_full_rebuild_uses_nothing_that_is_kept() {
        let acquire = |flag| ImageWish { flag, ..ImageWish::default() }.acquire();
        assert_eq!(acquire(None), Acquire::WhenMissing);
        assert_eq!(acquire(Some(ImageFlag::CachedRebuild)), Acquire::Anew(Reuse::Kept));
        assert_eq!(acquire(Some(ImageFlag::FullRebuild)), Acquire::Anew(Reuse::Nothing));
    }

    #[test]
    fn pw_017_no_newer_image_is_looked_for_where_one_is_brought_or_it_was_declined() {
        let wish = |args: ImageArgs| args.wish().expect("one way at most");
        assert!(wish(ImageArgs::default()).look);
        for args in [
            ImageArgs { full_rebuild_sandbox_image: true, ..ImageArgs::default() },
            ImageArgs { pull_sandbox_image: true, ..ImageArgs::default() },
            ImageArgs { ignore_version: true, ..ImageArgs::default() },
            ImageArgs { no_update_check: true, ..ImageArgs::default() },
        ] {
            assert!(!wish(args).look);
        }
        assert!(wish(ImageArgs { no_update_check: true, ..ImageArgs::default() }).compare);
        assert!(!wish(ImageArgs { ignore_version: true, ..ImageArgs::default() }).compare);
    }

    #[test]
    fn who_decided_is_named_in_the_words_that_change_it() {
        assert_eq!(who(&layers(&[])), "config.image_source=prebuilt");
        assert_eq!(who(&layers(&[("OCC_IMAGE_SOURCE", "build")])), "OCC_IMAGE_SOURCE=build");
    }
}
