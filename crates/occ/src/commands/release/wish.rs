//! What is to be released, and where to: arguments that several commands share.

use std::num::NonZeroU64;
use std::path::PathBuf;

use clap::Args;
use occ_image::{BuildPlan, Compression, guest};
use occ_oci::{Platform, Repository};
use occ_registry::{Client, Registries};
use occ_release::{
    Channel, Measure, Objection, ReleasePlan, Source, Standing, Trust, Version, Wish, build_plans,
    fetch_receipt, lint, look, released,
};
use occ_trust::Notary;

use super::super::image::{RecipeArgs, repository};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::image_source::ImageSource;
use crate::trust::notary;
use crate::wiring::VERSION;

/// The registry that is named first wherever nobody says otherwise: releases are signed for its name.
const FIRST: &str = "docker.io";

/// Arguments that say where releases are.
#[derive(Debug, Clone, Args)]
pub(super) struct PlaceArgs {
    /// Repository of the releases, HOST/PATH; may be given several times, and what is released is signed for the
    /// first one's name; without it those of the settings
    #[arg(long = "to", value_name = "REPOSITORY")]
    places: Vec<String>,
}

/// Arguments that say what is released.
#[derive(Debug, Clone, Args)]
pub(super) struct WishArgs {
    /// Version, vX.Y.Z of the opencode in the lock, with a letter from b on for a further build; or edge. Without
    /// it the next build that is free
    #[arg(value_name = "VERSION")]
    version: Option<String>,
    #[command(flatten)]
    pub(super) places: PlaceArgs,
    #[command(flatten)]
    pub(super) recipe: RecipeArgs,
    /// How layers are compressed: gzip or zstd
    #[arg(long, value_name = "HOW", default_value_t = Compression::Gzip)]
    compression: Compression,
    /// Platform; may be given several times; without it all
    #[arg(long, value_name = "PLATFORM")]
    platform: Vec<Platform>,
    /// Move no name that moves, such as latest: for a test run
    #[arg(long)]
    no_promote: bool,
    /// Time of the release, as RFC 3339; without it now
    #[arg(long, value_name = "TIME", value_parser = crate::time::parse)]
    created: Option<String>,
    /// Number of the release, which grows; without it the time in seconds
    #[arg(long, value_name = "NUMBER")]
    seq: Option<NonZeroU64>,
    /// Commit of the recipe
    #[arg(long, value_name = "COMMIT")]
    revision: Option<String>,
    /// Branch of that commit
    #[arg(long, value_name = "BRANCH")]
    branch: Option<String>,
    /// Address of the run that releases
    #[arg(long, value_name = "URL")]
    run_url: Option<String>,
}

/// Where releases are, and whom their readers believe.
pub(super) struct Grounds {
    /// The way to registries.
    pub(super) way: Registries,
    /// The places, the first one first.
    pub(super) places: Vec<Client>,
    /// Whom readers believe.
    pub(super) notary: Notary,
}

/// A plan, with what it was made of.
pub(super) struct Planned {
    pub(super) plan: ReleasePlan,
    pub(super) builds: Vec<BuildPlan>,
    pub(super) objections: Vec<Objection>,
    /// The release of this name that is there already and has the same bytes.
    pub(super) is_there: bool,
}

impl PlaceArgs {
    /// Returns the places that are meant.
    pub(super) fn grounds(&self, context: &Context) -> Result<Grounds, Failure> {
        let config = context.layers()?.config();
        let names = if self.places.is_empty() {
            let mut hosts = config.registries.clone();
            hosts.sort_by_key(|host| host != FIRST);
            hosts.iter().map(|host| format!("{host}/{}", guest::IMAGE_REPOSITORY)).collect()
        } else {
            self.places.clone()
        };
        let names: Vec<Repository> =
            names.iter().map(|name| repository(name)).collect::<Result<_, _>>()?;
        Grounds::of(&names, context)
    }
}

impl Grounds {
    pub(super) fn of(names: &[Repository], context: &Context) -> Result<Self, Failure> {
        let config = context.layers()?.config();
        let way = context.registries_of(&config)?;
        let places = names.iter().map(|name| way.client(name)).collect::<Result<_, _>>()?;
        let notary = notary(&context.env, config.verification)
            .map_err(|error| Failure::of(Exit::Config, &error))?;
        Ok(Self { way, places, notary })
    }

    pub(super) fn trust(&self) -> Trust<'_> {
        let now = crate::time::moment();
        Trust { policy: &self.notary.policy, root: &self.notary.root, now }
    }
}

impl WishArgs {
    /// Looks at the registries and plans.
    pub(super) async fn plan(
        &self,
        source: &ImageSource,
        grounds: &Grounds,
    ) -> Result<Planned, Failure> {
        let lock = source.lock()?;
        let from = Source { recipe: &source.recipe, lock };
        let known = known(grounds).await?;
        let channel = self.channel(source, &known)?;
        let mut wish = self.wish(channel, source, grounds)?;
        let there = fetch_receipt(&grounds.places[0], &channel).await?;
        if let (Some((_, receipt)), None) = (&there, &self.created) {
            // The same release again is the same bytes only with the same time.
            (wish.created, wish.seq) = (receipt.created, receipt.seq);
            wish.revision = wish.revision.or_else(|| receipt.revision.clone());
        }
        let builds = build_plans(&wish, &from)?;
        let base = builds.iter().find(|build| build.is_base()).map(|base| base.variant.clone());
        let standings =
            look(&wish, &base.unwrap_or_default(), &grounds.places, grounds.trust()).await?;
        let plan = ReleasePlan::new(&wish, &from, &builds, &standings);
        let is_there = there.is_some_and(|(_, receipt)| {
            let key = |variant: &str, platform| {
                let variant = receipt.variants.iter().find(|it| it.name == variant)?;
                Some(&variant.images.iter().find(|it| it.platform == platform)?.key)
            };
            channel.version().is_some()
                && plan.images.iter().all(|it| key(&it.variant, it.platform) == Some(&it.key))
        });
        let objections = self.lint(&plan, source, &standings, grounds, &known).await?;
        Ok(Planned { plan, builds, objections, is_there })
    }

    async fn lint(
        &self,
        plan: &ReleasePlan,
        source: &ImageSource,
        standings: &[Standing],
        grounds: &Grounds,
        known: &[Version],
    ) -> Result<Vec<Objection>, Failure> {
        let newest = match known.iter().find(|version| Some(**version) != plan.channel.version()) {
            Some(version) => fetch_receipt(&grounds.places[0], &Channel::Release(*version)).await?,
            None => None,
        };
        let measure = Measure {
            variants: source.recipe.variants.keys().map(String::as_str).collect(),
            platforms: if self.platform.is_empty() { &Platform::ALL } else { &self.platform },
            standings,
            newest: newest.map(|(_, receipt)| (receipt.channel, receipt.created)),
            now: crate::time::moment(),
        };
        Ok(lint(plan, &measure))
    }

    fn channel(&self, source: &ImageSource, known: &[Version]) -> Result<Channel, Failure> {
        if let Some(text) = &self.version {
            return text.parse().map_err(|error| Failure::of(Exit::Usage, &error));
        }
        let locked = source.lock()?.tools.get("opencode");
        let version = locked.and_then(|tool| tool.version(Platform::LinuxAmd64.into()));
        let mut version = Version::first(version.unwrap_or_default())
            .map_err(|error| Failure::of(Exit::Config, &error))?;
        while known.contains(&version) {
            version = version.next().ok_or_else(|| {
                Failure::new(Exit::Failed, "there are no letters left for this opencode")
            })?;
        }
        Ok(Channel::Release(version))
    }

    fn wish(
        &self,
        channel: Channel,
        source: &ImageSource,
        grounds: &Grounds,
    ) -> Result<Wish, Failure> {
        let now = crate::time::moment();
        let created = match &self.created {
            Some(text) => text.parse().map_err(|_| Failure::usage("--created is no time"))?,
            None => occ_release::to_the_second(now),
        };
        Ok(Wish {
            channel,
            product: VERSION.parse().expect("a package has a version"),
            created,
            seq: self.seq.map_or_else(|| now.as_second().unsigned_abs(), NonZeroU64::get),
            revision: self.revision.clone(),
            branch: self.branch.clone(),
            run_url: self.run_url.clone(),
            places: grounds.places.iter().map(|place| place.repository().clone()).collect(),
            variants: source.recipe.variants.keys().cloned().collect(),
            platforms: if self.platform.is_empty() {
                Platform::ALL.to_vec()
            } else {
                self.platform.clone()
            },
            compression: self.compression,
            promote: !self.no_promote,
        })
    }
}

/// Returns what was released, newest first.
pub(super) async fn known(grounds: &Grounds) -> Result<Vec<Version>, Failure> {
    match grounds.places[0].tags().await {
        Ok(tags) => Ok(released(&tags.into_iter().collect())),
        Err(error) if error.reason.is_not_found() => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

/// Returns where the releases of this machine are kept.
pub(super) fn folder(context: &Context) -> PathBuf {
    context.env.releases()
}

/// Returns the folder of one of them.
pub(super) fn folder_of(plan: &ReleasePlan, context: &Context) -> PathBuf {
    let name = match plan.channel {
        Channel::Release(version) => version.to_string(),
        Channel::Edge => format!("edge-{}", plan.seq),
    };
    folder(context).join(name)
}
