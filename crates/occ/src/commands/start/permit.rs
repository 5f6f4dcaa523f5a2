//! Whether a sandbox's image may be used for what it is started for.

use occ_engine::{Docker, ImageId};
use occ_policy::{Environment, Facts, Policy, Verdict};

use crate::commands::gathered::gather;
use crate::commands::identity::SearchArgs;
use crate::commands::target::Asked;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::policy::Judge;

/// An environment that a start or an update is for, and the policy that says what may run there.
#[derive(Debug, Clone)]
pub(crate) struct Permit {
    policy: Policy,
    environment: Environment,
}

impl Permit {
    /// Finds the environment in the user's own policy, or in the built-in one.
    pub(in crate::commands) fn of(name: &str, context: &Context) -> Result<Self, Failure> {
        let policy = Judge::choose(None, &context.env)?.policy;
        let environment = policy.environment(name)?.clone();
        Ok(Self { policy, environment })
    }

    /// Judges an image by what is known of it.
    pub(in crate::commands) fn judge(&self, facts: &Facts) -> Verdict {
        self.policy.judge_for(&self.environment, facts)
    }

    /// Returns what it is for.
    pub(in crate::commands) fn environment(&self) -> &str {
        &self.environment.name
    }

    /// Refuses an image that may not be used there; says what goes with an approval.
    pub(in crate::commands) async fn ask(
        &self,
        image: &ImageId,
        engine: &Docker,
        context: &Context,
    ) -> Result<(), Failure> {
        let (image, home) = (Asked::Id(image.clone()), context.home());
        let facts = gather(&image, SearchArgs::SHALLOW, &home, engine, context).await?;
        let verdict = self.judge(&facts);
        let name = &self.environment.name;
        if verdict.is_approved() {
            for note in &verdict.notes {
                context.terminal.say(&format!("{name}: {note}"));
            }
            return Ok(());
        }
        let message = format!("its image may not be used here: {name}");
        let mut failure = Failure::new(Exit::Refused, message);
        for ruled in verdict.reasons() {
            let because: Vec<String> = ruled.because.iter().map(ToString::to_string).collect();
            failure.causes.push(format!("{}: {}", ruled.reason(), because.join("; ")));
            failure.hints.extend(ruled.advice.clone());
        }
        Err(failure)
    }
}
