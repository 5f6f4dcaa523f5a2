//! Which image a sandbox shall run: the one that is there, or one that is brought first. Pure.
//!
//! Bringing comes before everything else and touches no container: while an image is pulled or built, what
//! runs goes on running. What follows is an ordinary start that wishes the image which arrived.

use occ_engine::ImageId;

use crate::drift::drift;
use crate::observe::Observation;
use crate::plan::{Decision, Plan, refusal};
use crate::question::{Consent, Question, Topic};
use crate::spec::{ImageSource, SandboxSpec};
use crate::step::Step;

/// Which image is wished.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Acquire {
    /// The one that is there; one is brought only when there is none.
    #[default]
    WhenMissing,
    /// One is brought, whatever is there.
    Anew(Reuse),
    /// This very one, which was brought before.
    This(ImageId),
}

/// What a build may take from earlier ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reuse {
    /// Finished layers and fetched files.
    #[default]
    Kept,
    /// Nothing.
    Nothing,
}

impl Acquire {
    /// Returns the image that is wished by name, if one is.
    pub fn this(&self) -> Option<&ImageId> {
        if let Self::This(image) = self { Some(image) } else { None }
    }
}

/// Plans to bring an image: asks when a sandbox runs, since it will be replaced by what arrives.
pub(crate) fn plan_bring(
    spec: &SandboxSpec,
    reuse: Reuse,
    seen: &Observation,
    built_name: &str,
    consent: &Consent,
) -> Decision {
    if let Some(refusal) = refusal(spec, seen) {
        return Decision::Refuse(refusal);
    }
    if let Some(container) = &seen.container
        && container.phase.is_up()
        && !consent.has(Topic::Replace)
    {
        return Decision::Ask(Question::Rebuild { drift: drift(spec, container) });
    }
    let step = match &spec.image {
        ImageSource::Prebuilt(names) => {
            Step::Pull { names: names.clone(), then_build: consent.has(Topic::BuildInstead) }
        }
        ImageSource::Build => Step::Build { name: built_name.to_owned(), reuse },
    };
    Decision::Ready(Plan { steps: vec![step], image: None })
}
