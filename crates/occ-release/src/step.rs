//! What a release does, step by step, and which step waits for which. It follows from the plan alone.

use std::fmt;

use occ_oci::{Platform, Repository};
use serde::{Deserialize, Serialize};

use crate::plan::ReleasePlan;

/// The smallest thing that is finished or done again as a whole.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "stage", deny_unknown_fields)]
pub enum Step {
    /// All images and the base are made; files that are not to be had yet are waited for.
    Assemble,
    /// Everything is in a registry, by digest and without a name.
    Stage {
        /// Which registry.
        place: Repository,
    },
    /// What was sent to a registry was read there again, and is what it was.
    Compare {
        /// Which registry.
        place: Repository,
    },
    /// An image does what it must.
    Smoke {
        /// Variant.
        variant: String,
        /// Platform.
        platform: Platform,
    },
    /// No weakness is known of what is in an image.
    Scan {
        /// Variant.
        variant: String,
        /// Platform.
        platform: Platform,
    },
    /// Everything that is said about the images is signed.
    Sign,
    /// What is signed is in a registry.
    Attach {
        /// Which registry.
        place: Repository,
    },
    /// A registry was read as its readers do, and everything was found right.
    ReadBack {
        /// Which registry.
        place: Repository,
    },
    /// A policy approves an image, with everything that is signed about it.
    Judge {
        /// Variant.
        variant: String,
        /// Platform.
        platform: Platform,
    },
    /// The receipt is written and signed.
    Receipt,
    /// Names that never move stand for the images in every registry, and the receipt has its name.
    Fix,
    /// Names that move have moved in every registry.
    Move,
}

/// A step and those that must be done before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// The step.
    pub step: Step,
    /// What it waits for.
    pub after: Vec<Step>,
}

/// Returns the steps of a plan in an order in which they can be done one after the other.
pub fn steps(plan: &ReleasePlan) -> Vec<Planned> {
    let at_places = |make: fn(Repository) -> Step| plan.places.iter().cloned().map(make).collect();
    let of_images = |make: fn(String, Platform) -> Step| {
        plan.images.iter().map(move |image| make(image.variant.clone(), image.platform))
    };
    let stage: Vec<Step> = at_places(|place| Step::Stage { place });
    let compare: Vec<Step> = at_places(|place| Step::Compare { place });
    let attach: Vec<Step> = at_places(|place| Step::Attach { place });
    let read_back: Vec<Step> = at_places(|place| Step::ReadBack { place });
    let smoke = of_images(|variant, platform| Step::Smoke { variant, platform });
    let scan = of_images(|variant, platform| Step::Scan { variant, platform });
    let proofs: Vec<Step> = smoke.chain(scan).collect();
    let judge: Vec<Step> =
        of_images(|variant, platform| Step::Judge { variant, platform }).collect();

    let mut all = vec![Planned { step: Step::Assemble, after: Vec::new() }];
    let mut then = |steps: Vec<Step>, after: &[Step]| {
        let planned = steps.into_iter().map(|step| Planned { step, after: after.to_vec() });
        all.extend(planned);
    };
    then(stage.clone(), &[Step::Assemble]);
    then(compare.clone(), &stage);
    then(proofs.clone(), &stage);
    then(vec![Step::Sign], &proofs);
    then(attach.clone(), &[Step::Sign]);
    then(read_back.clone(), &[attach, compare].concat());
    then(judge.clone(), &read_back);
    then(vec![Step::Receipt], &judge);
    then(vec![Step::Fix], &[Step::Receipt]);
    then(vec![Step::Move], &[Step::Fix]);
    all
}

impl Step {
    /// Returns the stage that it belongs to, for people and programs.
    pub fn stage(&self) -> &'static str {
        match self {
            Self::Assemble => "assemble",
            Self::Stage { .. } => "stage",
            Self::Compare { .. } => "compare",
            Self::Smoke { .. } => "smoke",
            Self::Scan { .. } => "scan",
            Self::Sign => "sign",
            Self::Attach { .. } => "attach",
            Self::ReadBack { .. } => "read back",
            Self::Judge { .. } => "policy",
            Self::Receipt => "receipt",
            Self::Fix => "tags",
            Self::Move => "promote",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stage { place }
            | Self::Compare { place }
            | Self::Attach { place }
            | Self::ReadBack { place } => write!(f, "{} {place}", self.stage()),
            Self::Smoke { variant, platform }
            | Self::Scan { variant, platform }
            | Self::Judge { variant, platform } => {
                write!(f, "{} {variant} {platform}", self.stage())
            }
            _ => f.write_str(self.stage()),
        }
    }
}
