//! Questions of a start, put to a person.

use occ_image::Size;
use occ_sandbox::{Consent, Question, Topic};

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, unanswered};

const KEPT: &str = "What there is now is kept until the next update: occ rollback";

fn sized((volume, bytes): &(String, Option<u64>)) -> String {
    bytes.map_or_else(|| volume.clone(), |bytes| format!("{volume} ({})", Size(bytes)))
}

/// Asks, and adds a yes to the consent.
pub(in crate::commands) async fn ask(
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
    let terminal = &context.terminal;
    let cancel = &context.cancel;
    let yes = match question {
        Question::Replace { drift } => {
            terminal.say("The running sandbox differs from what is wished:");
            for drift in drift {
                terminal.say(&format!("  {drift}"));
            }
            terminal.confirm("Stop and replace it? Volumes stay.", false, cancel).await?
        }
        Question::Rebuild { drift } => {
            for drift in drift {
                terminal.say(&format!("Also different from now on: {drift}"));
            }
            terminal.confirm("Container is running. Stop and rebuild?", false, cancel).await?
        }
        Question::GoBack { version, left_at, with_data } => {
            terminal.say(&format!("Going back to opencode {version}, left at {left_at}."));
            if *with_data {
                terminal.say(
                    "Sessions made since then stay with the version that is left; another rollback brings them back.",
                );
            }
            terminal.confirm("Stop the sandbox and go back?", false, cancel).await?
        }
        Question::Reset { empties } => {
            terminal.say("The container is made anew: files outside the volumes go.");
            for volume in empties {
                terminal.say(&format!("  will be empty: {}", sized(volume)));
            }
            terminal.say(KEPT);
            terminal.confirm("Reset the sandbox?", false, cancel).await?
        }
        Question::Restore { replaced } => {
            terminal.say("There is a sandbox already. What it holds gives way to the backup:");
            for volume in replaced {
                terminal.say(&format!("  {}", sized(volume)));
            }
            terminal.say(KEPT);
            terminal.confirm("Stop it and restore the backup?", false, cancel).await?
        }
        Question::LockAnew { missing } => {
            terminal.say(missing);
            terminal.confirm("Build of what the archive has now instead?", true, cancel).await?
        }
        Question::BuildInstead { because } => {
            for why in because {
                terminal.say(&format!("Failed to pull prebuilt image: {why}"));
            }
            terminal.confirm("Build from source instead?", true, cancel).await?
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
        Topic::BuildInstead => Failure::new(
            Exit::Network,
            "Cannot proceed without image. Run 'occ start --full-rebuild-sandbox-image' to build from source.",
        ),
    })
}
