//! The plan of a release: everything that is decided, as data, before anything happens.

use std::collections::BTreeSet;

use jiff::Timestamp;
use occ_image::{BaseKey, BuildKey, BuildPlan, Compression, Lock, PlanError, Recipe, Target};
use occ_oci::{Digest, ManifestDigest, Platform, Repository, Tag};
use serde::{Deserialize, Serialize};

use crate::base::{BaseDecision, BaseSeen, decide_base};
use crate::channel::Channel;
use crate::tags::{KeptTag, PlannedTag, Tags, of_base, of_variant, receipt_tag};

/// Which plans this program understands.
pub const PLAN_FORMAT: &str = "opencode-cloud/release-plan/v1";

/// What somebody wants released.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// As what.
    pub channel: Channel,
    /// Version of `occ` that the images are for; images say so.
    pub product: semver::Version,
    /// When it is made; images say so.
    pub created: Timestamp,
    /// Number of the release, which grows: who has seen a higher one takes a lower one for an attempt to go back.
    pub seq: u64,
    /// Commit that it is made from.
    pub revision: Option<String>,
    /// Branch of that commit.
    pub branch: Option<String>,
    /// Address of the run that makes it.
    pub run_url: Option<String>,
    /// Where it goes; it is signed for the first one's name.
    pub places: Vec<Repository>,
    /// Variants; those of the recipe are all to be there.
    pub variants: Vec<String>,
    /// Platforms.
    pub platforms: Vec<Platform>,
    /// How layers are compressed.
    pub compression: Compression,
    /// Whether names that move, `latest` and the like, are to move.
    pub promote: bool,
}

/// What a release is made from, read.
#[derive(Debug, Clone)]
pub struct Source<'a> {
    /// The recipe.
    pub recipe: &'a Recipe,
    /// The lock that answers it.
    pub lock: &'a Lock,
}

/// What a registry has before a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Which one.
    pub place: Repository,
    /// Its tags.
    pub tags: BTreeSet<Tag>,
    /// What it has under the base's name.
    pub base: BaseSeen,
    /// What the tags of the plan stand for that exist.
    pub points: Vec<(Tag, ManifestDigest)>,
}

/// An image that will be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedImage {
    /// Its variant.
    pub variant: String,
    /// Its platform.
    pub platform: Platform,
    /// Key of everything that decides its bytes.
    pub key: BuildKey,
    /// Version of opencode in it.
    pub opencode: String,
}

/// The base that the images share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedBase {
    /// What it is called: `base-` and the first digits of its keys taken together.
    pub name: String,
    /// The key for each platform.
    pub keys: Vec<(Platform, BaseKey)>,
    /// What is done about it, and why.
    pub decision: BaseDecision,
}

/// A whole release, before anything happens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleasePlan {
    /// [`PLAN_FORMAT`].
    pub format: String,
    /// As what it is released.
    pub channel: Channel,
    /// Version of `occ` that the images are for.
    pub product: semver::Version,
    /// When, as the images say.
    pub created: Timestamp,
    /// Number of the release, which grows.
    pub seq: u64,
    /// Commit that it is made from.
    pub revision: Option<String>,
    /// Branch of that commit.
    pub branch: Option<String>,
    /// Address of the run that makes it.
    pub run_url: Option<String>,
    /// Where it goes; it is signed for the first one's name.
    pub places: Vec<Repository>,
    /// Digest of what the recipe asks for.
    pub recipe: Digest,
    /// Digest of the lock.
    pub lock: Digest,
    /// How layers are compressed.
    #[serde(with = "text")]
    pub compression: Compression,
    /// The base.
    pub base: PlannedBase,
    /// The images.
    pub images: Vec<PlannedImage>,
    /// Tags, those that never move first.
    pub tags: Vec<PlannedTag>,
    /// Tags that stay as they are, and why.
    pub kept: Vec<KeptTag>,
    /// What the tags that move stood for when this was planned.
    pub before: Vec<Before>,
}

/// What a tag that moves stood for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Before {
    /// Where.
    pub place: Repository,
    /// The tag.
    pub tag: Tag,
    /// What it stood for.
    pub is: ManifestDigest,
}

/// Returns the build plans of a wish: every variant for every platform, and the base for every platform under
/// its name.
///
/// # Errors
/// [`PlanError`].
pub fn build_plans(wish: &Wish, source: &Source<'_>) -> Result<Vec<BuildPlan>, PlanError> {
    let release = occ_image::Release {
        version: match wish.channel {
            Channel::Release(_) => wish.product.to_string(),
            Channel::Edge => wish.channel.to_string(),
        },
        created: wish.created.to_string(),
        revision: wish.revision.clone(),
        branch: wish.branch.clone(),
        run_url: wish.run_url.clone(),
    };
    let mut plans = Vec::new();
    for variant in &wish.variants {
        for platform in &wish.platforms {
            let target = Target::new(*platform, variant);
            plans.push(BuildPlan::new(source.recipe, source.lock, &target, &release)?);
        }
    }
    let first = wish.variants.first();
    let of_first: Vec<_> =
        plans.iter().filter(|plan| Some(&plan.variant) == first).cloned().collect();
    let name = base_name(&of_first, wish.compression);
    plans.extend(of_first.iter().map(|plan| plan.of_base(&name)));
    Ok(plans)
}

/// Returns a time without the part of a second, as images have it.
pub fn to_the_second(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

/// Returns what the base of some plans is called.
pub fn base_name(plans: &[BuildPlan], form: Compression) -> String {
    let keys: Vec<_> = plans.iter().map(|plan| plan.base.key()).collect();
    format!("base-{}", BaseKey::together(&keys, form).short())
}

impl ReleasePlan {
    /// Plans: what tags there will be follows from those that there are, and what becomes of the base from
    /// those that were found.
    pub fn new(
        wish: &Wish,
        source: &Source<'_>,
        plans: &[BuildPlan],
        standings: &[Standing],
    ) -> Self {
        let (bases, images): (Vec<&BuildPlan>, Vec<&BuildPlan>) =
            plans.iter().partition(|plan| plan.is_base());
        let name = bases.first().map(|base| base.variant.clone()).unwrap_or_default();
        let seen: Vec<_> =
            standings.iter().map(|one| (one.place.clone(), one.base.clone())).collect();
        let base = PlannedBase {
            keys: bases.iter().map(|plan| (plan.platform, plan.base.key())).collect(),
            decision: decide_base(&seen, &wish.platforms),
            name,
        };
        let known = standings.iter().flat_map(|standing| standing.tags.iter().cloned()).collect();
        let Tags { given, kept } = tags(wish, &base.name, &known);
        Self {
            format: PLAN_FORMAT.to_owned(),
            channel: wish.channel,
            product: wish.product.clone(),
            created: wish.created,
            seq: wish.seq,
            revision: wish.revision.clone(),
            branch: wish.branch.clone(),
            run_url: wish.run_url.clone(),
            places: wish.places.clone(),
            recipe: source.recipe.request(),
            lock: Digest::sha256(source.lock.render().as_bytes()),
            compression: wish.compression,
            base,
            images: images.into_iter().map(PlannedImage::of).collect(),
            before: before(standings, &given),
            tags: given,
            kept,
        }
    }

    /// Returns what everything is signed for: the first place's name.
    pub fn name(&self) -> &Repository {
        &self.places[0]
    }

    /// Returns what is published: the variants, and the base by its name.
    pub fn subjects(&self) -> Vec<&str> {
        let mut subjects: Vec<&str> = Vec::new();
        for image in &self.images {
            if !subjects.contains(&image.variant.as_str()) {
                subjects.push(&image.variant);
            }
        }
        subjects.push(&self.base.name);
        subjects
    }

    /// Returns the tag of its receipt.
    pub fn receipt_tag(&self) -> Tag {
        receipt_tag(&self.channel)
    }

    /// Returns whether some build plans are those that it was made of.
    pub fn is_made_of(&self, builds: &[BuildPlan]) -> bool {
        let is_image = |build: &BuildPlan| {
            let same = |image: &PlannedImage| *image == PlannedImage::of(build);
            self.images.iter().any(same)
        };
        let is_base = |build: &BuildPlan| {
            build.is_base() && self.base.keys.contains(&(build.platform, build.base.key()))
        };
        builds.len() == self.images.len() + self.base.keys.len()
            && builds.iter().all(|build| is_image(build) || is_base(build))
    }

    /// Returns whether two plans make the same bytes, whenever and wherever.
    pub fn makes_the_same(&self, other: &Self) -> bool {
        let bytes = |plan: &Self| (plan.images.clone(), plan.base.keys.clone(), plan.compression);
        bytes(self) == bytes(other)
    }
}

impl PlannedImage {
    fn of(plan: &BuildPlan) -> Self {
        Self {
            variant: plan.variant.clone(),
            platform: plan.platform,
            key: plan.key(),
            opencode: plan.opencode_version().to_owned(),
        }
    }
}

fn before(standings: &[Standing], tags: &[PlannedTag]) -> Vec<Before> {
    let moves = |tag: &Tag| tags.iter().any(|planned| planned.moves && planned.tag == *tag);
    let of = |standing: &Standing| {
        let place = standing.place.clone();
        let points = standing.points.clone().into_iter();
        points.map(move |(tag, is)| Before { place: place.clone(), tag, is })
    };
    standings.iter().flat_map(of).filter(|before| moves(&before.tag)).collect()
}

/// Returns the tags of a whole release, those that never move first.
pub(crate) fn tags(wish: &Wish, base: &str, known: &BTreeSet<Tag>) -> Tags {
    let mut all = Tags::default();
    for variant in &wish.variants {
        let revision = wish.revision.as_deref();
        let tags = of_variant(wish.channel, &wish.product, variant, revision, known);
        all.given.extend(tags.given);
        all.kept.extend(tags.kept);
    }
    let moves_latest = wish.channel.version().is_some()
        && all.given.iter().any(|tag| tag.moves && tag.tag.as_str().starts_with("latest"));
    all.given.extend(of_base(base, moves_latest));
    if !wish.promote {
        all.given.retain(|tag| !tag.moves);
    }
    all.given.sort_by_key(|tag| tag.moves);
    all
}

/// A value as its text.
mod text {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<T: Display, S: Serializer>(
        value: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(super) fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
