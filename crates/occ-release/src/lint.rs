//! What must not be wrong with a plan: looked at before anything is made, and without asking anybody.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use occ_oci::{ManifestDigest, Platform, Repository, Tag};

use crate::channel::Channel;
use crate::plan::{ReleasePlan, Standing};
use crate::version::Version;

/// How far ahead of a clock a release may be.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// Why a plan is not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Objection {
    /// A tag that never moves stands for something already.
    #[error("{tag} at {place} stands for {is} already, and never moves")]
    Taken {
        /// Where.
        place: Repository,
        /// The tag.
        tag: Tag,
        /// What it stands for.
        is: ManifestDigest,
    },
    /// The recipe has a variant that the plan has not.
    #[error("the variant {0} is missing: all of them are released together")]
    NoVariant(String),
    /// A variant is not made for a platform.
    #[error("{variant} is not made for {platform}")]
    NoPlatform {
        /// The variant.
        variant: String,
        /// The platform.
        platform: Platform,
    },
    /// A moving tag comes before one that never moves, so that it could stand for half a release.
    #[error("{0} would move before all images have their own names")]
    TooEarly(Tag),
    /// A tag is given twice.
    #[error("{0} is given to two images")]
    Twice(Tag),
    /// A tag is for something that is not made.
    #[error("{tag} is for {of}, which is not made")]
    Nothing {
        /// The tag.
        tag: Tag,
        /// What it is for.
        of: String,
    },
    /// A place is named twice.
    #[error("{0} is named twice")]
    SamePlace(Repository),
    /// The version is not that of the opencode that is in the lock.
    #[error("{version} is released with opencode {locked} in the lock")]
    Otherwise {
        /// The version.
        version: Version,
        /// What the lock has.
        locked: String,
    },
    /// The clock of this machine is behind what was released before, or the plan is ahead of the clock.
    #[error("the clock is wrong: {of} was made at {then}, and it is {now} here")]
    Clock {
        /// Of what.
        of: String,
        /// When that was made.
        then: Timestamp,
        /// What the clock says.
        now: Timestamp,
    },
    /// A release that is to be made is older than one that is there.
    #[error(
        "{of} was made at {then}, and this release says that it was made at {created}, before it"
    )]
    Earlier {
        /// Which one is there.
        of: Channel,
        /// When it was made.
        then: Timestamp,
        /// When the other one says it was made.
        created: Timestamp,
    },
}

/// What a plan is held against.
#[derive(Debug, Clone)]
pub struct Measure<'a> {
    /// Variants of the recipe.
    pub variants: Vec<&'a str>,
    /// Platforms that are wanted.
    pub platforms: &'a [Platform],
    /// What registries have.
    pub standings: &'a [Standing],
    /// The newest release before, and when it was made.
    pub newest: Option<(Channel, Timestamp)>,
    /// The present moment.
    pub now: Timestamp,
}

/// Returns everything that is wrong with a plan.
pub fn lint(plan: &ReleasePlan, measure: &Measure<'_>) -> Vec<Objection> {
    let mut objections = Vec::new();
    places(plan, &mut objections);
    images(plan, measure, &mut objections);
    tags(plan, &mut objections);
    taken(plan, measure.standings, &mut objections);
    clock(plan, measure, &mut objections);
    objections
}

fn places(plan: &ReleasePlan, objections: &mut Vec<Objection>) {
    let mut seen = BTreeSet::new();
    let twice = plan.places.iter().filter(|place| !seen.insert(*place));
    objections.extend(twice.cloned().map(Objection::SamePlace));
}

fn images(plan: &ReleasePlan, measure: &Measure<'_>, objections: &mut Vec<Objection>) {
    for variant in &measure.variants {
        let platforms: Vec<_> = plan
            .images
            .iter()
            .filter(|image| image.variant == *variant)
            .map(|it| it.platform)
            .collect();
        if platforms.is_empty() {
            objections.push(Objection::NoVariant((*variant).to_owned()));
            continue;
        }
        for platform in measure.platforms.iter().filter(|one| !platforms.contains(one)) {
            let (variant, platform) = ((*variant).to_owned(), *platform);
            objections.push(Objection::NoPlatform { variant, platform });
        }
    }
    let Some(version) = plan.channel.version() else { return };
    let other = plan.images.iter().find(|image| image.opencode != version.opencode());
    objections.extend(
        other.map(|image| Objection::Otherwise { version, locked: image.opencode.clone() }),
    );
}

fn tags(plan: &ReleasePlan, objections: &mut Vec<Objection>) {
    let subjects = plan.subjects();
    let mut seen = BTreeSet::new();
    let mut moving = None;
    for planned in &plan.tags {
        let tag = planned.tag.clone();
        if !seen.insert(&planned.tag) {
            objections.push(Objection::Twice(tag.clone()));
        }
        if !subjects.contains(&planned.of.as_str()) {
            objections.push(Objection::Nothing { tag: tag.clone(), of: planned.of.clone() });
        }
        match (planned.moves, &moving) {
            (true, None) => moving = Some(tag),
            (false, Some(first)) => {
                objections.push(Objection::TooEarly(Tag::clone(first)));
                moving = None;
            }
            _ => {}
        }
    }
}

/// The base's own name may be there: it is the same bytes, or that is found out when they are made.
fn taken(plan: &ReleasePlan, standings: &[Standing], objections: &mut Vec<Objection>) {
    let fixed: BTreeSet<&Tag> = plan
        .tags
        .iter()
        .filter(|planned| !planned.moves && planned.of != plan.base.name)
        .map(|planned| &planned.tag)
        .collect();
    for standing in standings {
        for (tag, is) in standing.points.iter().filter(|(tag, _)| fixed.contains(tag)) {
            let (place, tag, is) = (standing.place.clone(), tag.clone(), is.clone());
            objections.push(Objection::Taken { place, tag, is });
        }
    }
}

fn clock(plan: &ReleasePlan, measure: &Measure<'_>, objections: &mut Vec<Objection>) {
    let now = measure.now;
    let mut wrong = |of: String, then| objections.push(Objection::Clock { of, then, now });
    if plan.created.duration_since(now) > SKEW {
        wrong("this release".to_owned(), plan.created);
    }
    let Some((of, then)) = measure.newest else { return };
    if then.duration_since(now) > SKEW {
        wrong(of.to_string(), then);
    } else if then > plan.created {
        objections.push(Objection::Earlier { of, then, created: plan.created });
    }
}
