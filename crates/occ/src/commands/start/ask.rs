//! Questions of a start, put to a person.

use occ_sandbox::{Consent, Question, Topic};

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, unanswered};

/// Asks, and adds a yes to the consent.
pub(super) fn ask(
    question: &Question,
    consent: &mut Consent,
    context: &Context,
) -> Result<(), Failure> {
    if consent.has(question.kind()) {
        return Ok(());
    }
    if !context.terminal.can_ask() {
        return Err(unanswered(question));
    }
    let yes = match question {
        Question::Replace { drift } => {
            context.terminal.say("The running sandbox differs from what is wished:");
            for drift in drift {
                context.terminal.say(&format!("  {drift}"));
            }
            context.terminal.confirm("Stop and replace it? Volumes stay.", false)?
        }
        Question::LockAnew { missing } => {
            context.terminal.say(missing);
            context.terminal.confirm("Build of what the archive has now instead?", true)?
        }
        Question::BuildInstead { because } => {
            for why in because {
                context.terminal.say(&format!("Failed to pull prebuilt image: {why}"));
            }
            context.terminal.confirm("Build from source instead?", true)?
        }
    };
    if yes {
        consent.add(question.kind());
        return Ok(());
    }
    Err(match question.kind() {
        Topic::Replace => {
            Failure::new(Exit::Failed, "Aborted. Stop container first with: occ stop")
        }
        Topic::LockAnew => Failure::new(Exit::Failed, "there is no image to start")
            .hint("lock what the archive has now: occ image lock"),
        Topic::BuildInstead => Failure::new(Exit::Network, "there is no image to start")
            .hint("build one: occ start --yes"),
    })
}
