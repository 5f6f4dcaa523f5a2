//! The way back to the sandbox before: its own container again, and data as it was.

use occ_engine::ContainerState;

use crate::change::{Cause, Journal, RollbackPoint};
use crate::observe::{Observation, Surroundings};
use crate::plan::{self, Decision, Plan};
use crate::question::{Consent, Question, Topic};
use crate::refusal::Refusal;
use crate::replace::{Change, Old, copy_of, stop_and_copy};
use crate::spec::SandboxSpec;
use crate::step::Step;

/// What is known of the sandbox before.
#[derive(Debug, Clone, PartialEq)]
pub struct Previous<'a> {
    /// The rollback point, when the record has one.
    pub point: Option<&'a RollbackPoint>,
    /// Its container, when the engine still has it.
    pub container: Option<&'a ContainerState>,
}

/// Plans a rollback. What is left now becomes the next rollback point, with all its data: going back is
/// undone by going back.
///
/// # Panics
/// When the observation was not made closely.
pub fn plan_rollback(
    spec: &SandboxSpec,
    seen: &Observation,
    previous: &Previous<'_>,
    keep_data: bool,
    consent: &Consent,
) -> Decision {
    if let Some(refusal) = plan::refusal(spec, seen) {
        return Decision::Refuse(refusal);
    }
    let (Some(point), Some(current)) = (previous.point, &seen.container) else {
        return Decision::Refuse(Refusal::NoPrevious);
    };
    let there = previous.container.filter(|container| container.id == point.container.id);
    let Some(container) = there else {
        return Decision::Refuse(Refusal::PreviousGone { name: point.container.aside.clone() });
    };
    if spec.owner() != point.record.owner {
        let (was, wished) = (point.record.owner, spec.owner());
        return Decision::Refuse(Refusal::PreviousOwner { was, wished });
    }
    if !consent.has(Topic::Replace) {
        return Decision::Ask(Question::GoBack {
            version: point.record.opencode_version.clone(),
            left_at: point.left_at.clone(),
            with_data: !keep_data && !point.copies.is_empty(),
        });
    }
    let around = seen.around.as_ref().expect("a rollback looks closely");
    let steps = steps(spec, around, current, point, keep_data);
    Decision::Ready(Plan { steps, image: Some(container.image.clone()) })
}

fn steps(
    spec: &SandboxSpec,
    seen: &Surroundings,
    current: &ContainerState,
    point: &RollbackPoint,
    keep_data: bool,
) -> Vec<Step> {
    let change = Change::of(Cause::Rollback);
    let old = Old { container: current, because: Vec::new(), change: &change };
    let journal = old.journal(spec, seen, true);
    let put_back = if keep_data { Vec::new() } else { point.copies.clone() };
    // Everything that will be overwritten is copied, and what the other version may change.
    let number = seen.next_change.to_string();
    let mut copies = journal.copies.clone();
    for one in &put_back {
        if !copies.iter().any(|copy| copy.volume == one.volume) {
            copies.push(copy_of(&one.volume, &number));
        }
    }
    let aside = journal.old.aside.clone();
    let journal =
        Journal { brought: Some(point.container.clone()), copies: copies.clone(), ..journal };
    let from = point.container.aside.clone();
    let mut steps = vec![
        Step::BeginChange { journal: Box::new(journal), because: Vec::new() },
        Step::InsertFiles { container: from.clone() },
    ];
    steps.extend(stop_and_copy(current.phase.is_up(), copies, seen));
    steps.extend([Step::SetAside { aside }, Step::TakePlace { from }]);
    if !put_back.is_empty() {
        steps.push(Step::PutBack { copies: put_back });
    }
    steps.extend([
        Step::StartContainer,
        Step::AwaitReady { timeout: spec.start_timeout },
        Step::ProveLocked,
        Step::Record,
        Step::FinishChange,
    ]);
    steps
}
