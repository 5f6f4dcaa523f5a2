//! The heart: from a wish and an observation to what will happen, in order. Pure.

use occ_engine::{ContainerSpec, ContainerState, EngineFacts, ImageFacts, ImageId, Phase};
use serde::Serialize;

use crate::change::Cause;
use crate::choice::{Acquire, Reuse, plan_bring};
use crate::drift::{Drift, drift, drifts_once_stopped};
use crate::foreign::foreign;
use crate::mount::Access;
use crate::observe::{Observation, PortState, Surroundings};
use crate::question::{Consent, Question, Topic};
use crate::refusal::{FolderProblem, Refusal, stranger};
use crate::replace::{Change, Contents, Old};
use crate::spec::{ImageSource, Owner, SandboxSpec, Workspace};
use crate::step::Step;

/// What follows from a wish.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// This is what will happen.
    Ready(Plan),
    /// A person has to decide first.
    Ask(Question),
    /// It will not be done, and nothing was touched.
    Refuse(Refusal),
}

/// What will happen, in order.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// The steps; empty when there is nothing to do.
    pub steps: Vec<Step>,
    /// The image, when it is there already.
    pub image: Option<ImageId>,
}

impl Plan {
    /// Returns whether anything is brought, made or started.
    pub fn changes_something(&self) -> bool {
        self.steps
            .iter()
            .any(|step| !matches!(step, Step::AwaitReady { .. } | Step::ProveLocked | Step::Record))
    }
}

/// The name a plan uses for an image that an earlier step brings.
pub const ARRIVING: &str = "(the image of the step before)";

/// Plans a start: what is there is used, what is missing is made, what differs is replaced. Where an image
/// is to be brought anew, that is the whole plan ([`crate::bring`]); the start itself follows with the image
/// that arrived.
///
/// # Panics
/// When the observation was made for another wish.
pub fn plan_start(
    spec: &SandboxSpec,
    seen: &Observation,
    built_name: &str,
    consent: &Consent,
) -> Decision {
    if let Acquire::Anew(reuse) = spec.acquire {
        return plan_bring(spec, reuse, seen, built_name, consent);
    }
    plan_change(spec, seen, built_name, consent, &Change::of(Cause::Start))
}

/// Plans a start after which a sandbox that ran is not the same process any more: it is stopped and started,
/// unless the start replaces it anyway. Where [`drifts_once_stopped`] says so, what is made anew follows what the
/// host says now; the observation must then be a close one.
///
/// # Panics
/// When the observation was made for another wish, or is not as close as it must be.
pub fn plan_restart(
    spec: &SandboxSpec,
    seen: &Observation,
    built_name: &str,
    consent: &Consent,
) -> Decision {
    let plan = match plan_start(spec, seen, built_name, consent) {
        Decision::Ready(plan) => plan,
        other => return other,
    };
    let stays = !plan.steps.contains(&Step::StartContainer) && plan.image.is_some();
    let Some(container) = seen.container.as_ref().filter(|one| one.phase.is_up() && stays) else {
        return Decision::Ready(plan);
    };
    if drifts_once_stopped(spec, seen) {
        let stopped = ContainerState { phase: Phase::Exited, ..container.clone() };
        let seen = Observation { container: Some(stopped), ..seen.clone() };
        return match plan_start(spec, &seen, built_name, consent) {
            Decision::Ready(plan) => {
                let steps = [Step::StopContainer].into_iter().chain(plan.steps).collect();
                Decision::Ready(Plan { steps, ..plan })
            }
            other => other,
        };
    }
    let files = Step::InsertFiles { container: container.name.clone() };
    // Into a container that runs, so that it is away for no longer than it must; what is frozen takes none.
    let first = match container.phase {
        Phase::Running => [files, Step::StopContainer],
        _ => [Step::StopContainer, files],
    };
    let rest = plan.steps.into_iter().filter(|step| *step != Step::Unpause);
    let steps = first.into_iter().chain([Step::StartContainer]).chain(rest).collect();
    Decision::Ready(Plan { steps, ..plan })
}

/// Plans what brings the wish about by replacing the container that is there, whatever the reason.
///
/// # Panics
/// When the observation was made for another wish.
pub fn plan_change(
    spec: &SandboxSpec,
    seen: &Observation,
    built_name: &str,
    consent: &Consent,
    change: &Change,
) -> Decision {
    if let Some(refusal) = refusal(spec, seen) {
        return Decision::Refuse(refusal);
    }
    let mut old = None;
    if let Some(container) = &seen.container {
        let drift = drift(spec, container);
        if drift.is_empty() && !change.anew {
            return Decision::Ready(resume(spec, container));
        }
        if !consent.has(Topic::Replace)
            && let Some(question) = question(seen, container, &drift, change)
        {
            return Decision::Ask(question);
        }
        old = Some(Old { container, because: drift, change });
    }
    let around = seen.around.as_ref().expect("looked around, because no container serves the wish");
    make(spec, around, built_name, consent, old.as_ref())
}

/// What is asked before a container gives way: nothing where it is stopped and loses nothing.
fn question(
    seen: &Observation,
    container: &ContainerState,
    drift: &[Drift],
    change: &Change,
) -> Option<Question> {
    let sizes = seen.around.as_ref().map(|around| &around.sizes);
    let size = |name: &String| sizes.and_then(|sizes| sizes.get(name).copied());
    let replaced = change.contents.replaced();
    let replaced = replaced.into_iter().map(|name| (name.clone(), size(&name))).collect();
    match change.cause {
        Cause::Reset => Some(Question::Reset { empties: replaced }),
        Cause::Restore => Some(Question::Restore { replaced }),
        _ => container.phase.is_up().then(|| Question::Replace { drift: drift.to_vec() }),
    }
}

/// Steps for a container that is what is wished, whatever phase it is in.
fn resume(spec: &SandboxSpec, container: &ContainerState) -> Plan {
    let wait = Step::AwaitReady { timeout: spec.start_timeout };
    let start = [Step::InsertFiles { container: container.name.clone() }, Step::StartContainer];
    let mut steps = match container.phase {
        Phase::Running => vec![],
        Phase::Paused => vec![Step::Unpause],
        Phase::Restarting => [vec![Step::StopContainer], start.to_vec()].concat(),
        Phase::Created | Phase::Exited | Phase::Other(_) => start.to_vec(),
    };
    steps.extend([wait, Step::ProveLocked, Step::Record]);
    Plan { steps, image: Some(container.image.clone()) }
}

fn make(
    spec: &SandboxSpec,
    seen: &Surroundings,
    built_name: &str,
    consent: &Consent,
    old: Option<&Old<'_>>,
) -> Decision {
    let mut steps = Vec::new();
    let there = || usable_image(seen).map(|image| image.id.clone());
    let image = spec.acquire.this().cloned().or_else(there);
    if image.is_none() {
        match acquisition(spec, seen, built_name, consent) {
            Ok(step) => steps.push(step),
            Err(question) => return Decision::Ask(question),
        }
    }
    let there = |name: &String| seen.volumes.iter().any(|volume| volume.name == *name);
    let missing = spec.volumes().into_iter().filter(|(name, _)| !there(name));
    steps.extend(missing.map(|(name, _)| Step::CreateVolume { name }));
    if let Workspace::Folder { path, owner } = &spec.workspace {
        steps.push(Step::ProveFolder { path: path.clone(), owner: *owner });
    }
    if !spec.given.mounts.is_empty() {
        steps.push(Step::ProveMounts { mounts: spec.given.mounts.clone(), owner: spec.owner() });
    }
    let id = image.clone().unwrap_or_else(|| ImageId(ARRIVING.to_owned()));
    let own = own_volumes(spec, seen, old);
    let mut container = fitted(spec.container(id.clone()), &seen.engine);
    match old {
        Some(old) => {
            // To create a container touches volumes that are empty or change hands: not before the old
            // one is away.
            let ahead = old.change.contents == Contents::Kept && own.is_none();
            if ahead {
                container.name = spec.instance.next();
            }
            let from = container.name.clone();
            let made = create(container, own);
            let trial = |copies: &[_]| fitted(spec.trial(id.clone(), copies), &seen.engine);
            let leave = |ahead| old.leave(spec, seen, image.as_ref(), trial, ahead);
            if ahead {
                steps.extend(leave(made));
                steps.push(Step::TakePlace { from });
            } else {
                steps.extend(leave(Vec::new()).into_iter().chain(made));
            }
        }
        None => steps.extend(create(container, own)),
    }
    steps.extend([Step::StartContainer, Step::AwaitReady { timeout: spec.start_timeout }]);
    if old.is_some_and(|old| old.change.contents == Contents::Kept) {
        steps.push(Step::KeepSessions);
    }
    steps.extend([Step::ProveLocked, Step::Record]);
    steps.extend(old.map(|_| Step::FinishChange));
    Decision::Ready(Plan { steps, image })
}

/// Steps that make a container ready to be started.
fn create(container: ContainerSpec, own: Option<Step>) -> Vec<Step> {
    let files = Step::InsertFiles { container: container.name.clone() };
    // After the container: creating one gives every volume that is still empty to the image's user.
    let made = [Step::CreateContainer { container: Box::new(container) }];
    made.into_iter().chain(own).chain([files]).collect()
}

/// Returns the step that gives the volumes to their owner, when they may be somebody else's.
fn own_volumes(spec: &SandboxSpec, seen: &Surroundings, old: Option<&Old<'_>>) -> Option<Step> {
    let owner = spec.owner();
    let last_owner = seen.record.as_ref().map_or(Owner::GUEST, |record| record.owner);
    let filled_by = old.and_then(|old| old.change.contents.owner());
    let strange = |by: Owner| by != owner;
    (owner != Owner::GUEST || strange(last_owner) || filled_by.is_some_and(strange))
        .then_some(Step::OwnVolumes { owner })
}

/// Takes back limits that this engine cannot enforce: it would refuse the whole container.
fn fitted(mut container: ContainerSpec, engine: &EngineFacts) -> ContainerSpec {
    let limits = &mut container.limits;
    let all = engine.cpus.saturating_mul(1000);
    limits.cpu_millis = limits.cpu_millis.map(|millis| millis.min(all));
    limits.memory = limits.memory.filter(|_| engine.can_limit.memory);
    limits.cpu_millis = limits.cpu_millis.filter(|_| engine.can_limit.cpu);
    limits.pids = limits.pids.filter(|_| engine.can_limit.pids);
    container
}

/// Returns the image to make a container from, when one is there: the container's own, then the one
/// the record names, then what a build here would give.
pub(crate) fn usable_image(seen: &Surroundings) -> Option<&ImageFacts> {
    [&seen.container_image, &seen.recorded_image, &seen.built_image]
        .into_iter()
        .flatten()
        .find(|image| foreign(image).is_none())
}

fn acquisition(
    spec: &SandboxSpec,
    seen: &Surroundings,
    built_name: &str,
    consent: &Consent,
) -> Result<Step, Question> {
    let then_build = consent.has(Topic::BuildInstead);
    match &spec.image {
        ImageSource::Prebuilt(names) => Ok(Step::Pull { names: names.clone(), then_build }),
        ImageSource::Build => match seen.built_image.as_ref().and_then(foreign) {
            Some(foreign) if !then_build => {
                Err(Question::BuildInstead { because: vec![foreign.to_string()] })
            }
            _ => Ok(Step::Build { name: built_name.to_owned(), reuse: Reuse::Kept }),
        },
    }
}

pub(crate) fn refusal(spec: &SandboxSpec, seen: &Observation) -> Option<Refusal> {
    let claim = spec.claim();
    if let Some(container) = &seen.container
        && let Some(refusal) = stranger(claim, &container.name, &container.labels)
    {
        return Some(refusal);
    }
    if let PortState::Taken { by, next_free } = &seen.port {
        return Some(Refusal::PortTaken { port: spec.port, by: by.clone(), next_free: *next_free });
    }
    let around = seen.around.as_ref()?;
    // A volume without labels may be one that its owner brought back; one of another user is not ours.
    let mut labelled = around.volumes.iter().filter(|volume| !volume.labels.is_empty());
    labelled
        .find_map(|volume| stranger(claim, &volume.name, &volume.labels))
        .or_else(|| folder_problem(spec, &around.engine))
        .or_else(|| mount_problem(spec, &around.engine))
        .or_else(|| agent_problem(spec, &around.engine))
}

fn folder_problem(spec: &SandboxSpec, engine: &EngineFacts) -> Option<Refusal> {
    let Workspace::Folder { path, owner } = &spec.workspace else { return None };
    let why = problem(engine, *owner)?;
    Some(Refusal::Folder { path: path.clone(), why })
}

/// Why files of an owner could not belong to it.
fn problem(engine: &EngineFacts, owner: Owner) -> Option<FolderProblem> {
    if !engine.local {
        Some(FolderProblem::RemoteEngine)
    } else if engine.rootless {
        Some(FolderProblem::RootlessEngine)
    } else if engine.userns_remap {
        Some(FolderProblem::RemappedUsers)
    } else if owner.uid == 0 {
        Some(FolderProblem::OwnedByRoot)
    } else {
        None
    }
}

/// A folder that is only read needs no owner: the probe finds out.
fn mount_problem(spec: &SandboxSpec, engine: &EngineFacts) -> Option<Refusal> {
    spec.given.mounts.iter().find_map(|mount| {
        let why = match mount.access {
            Access::ReadWrite => problem(engine, mount.owner),
            Access::ReadOnly => (!engine.local).then_some(FolderProblem::RemoteEngine),
        };
        Some(Refusal::Mount { path: mount.source.clone(), why: why? })
    })
}

/// An agent answers its own user alone.
fn agent_problem(spec: &SandboxSpec, engine: &EngineFacts) -> Option<Refusal> {
    let agent = spec.given.ssh_agent.there()?;
    let other = spec.owner().uid != agent.owner.uid;
    let why = problem(engine, agent.owner);
    if why.is_none() && !other {
        return None;
    }
    let (agent, user) = (agent.owner.uid, spec.owner().uid);
    Some(Refusal::SshAgent { agent, user, why })
}
