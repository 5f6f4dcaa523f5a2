//! Makes a plan true, step by step; what cannot be finished is taken back.

use std::collections::BTreeMap;
use std::time::Duration;

use occ_engine::{ContainerSpec, Engine, ImageId};

use crate::apply_change::Changing;
use crate::change::Journal;
use crate::error::ApplyError;
use crate::event::Event;
use crate::history::{HistoryEntry, Verdict};
use crate::password::Password;
use crate::plan::Plan;
use crate::ports::Server;
use crate::record::{ImageState, Record};
use crate::secret::SecretValue;
use crate::spec::SandboxSpec;
use crate::step::Step;
use crate::undo::Undo;
use crate::world::World;

/// What was made true.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// What runs.
    pub record: Record,
}

/// What the steps so far have brought.
struct Progress {
    image: Option<ImageId>,
    opencode_version: Option<String>,
    container: Option<occ_engine::ContainerId>,
    record: Option<Record>,
    changing: Option<Changing>,
    undo: Undo,
    /// Values of the secrets, when a step needs them.
    secrets: BTreeMap<String, SecretValue>,
}

/// Applies a plan for `spec`.
///
/// # Errors
/// The first step that could not be finished; everything this call had made is taken back, a
/// container that ran before is left as it was found.
///
/// # Panics
/// When the plan's steps are not in an order that [`crate::plan_start`] gives.
pub async fn apply<E: Engine, S: Server>(
    plan: &Plan,
    spec: &SandboxSpec,
    world: &World<'_, E, S>,
) -> Result<Outcome, ApplyError> {
    // What can be missing is missed before anything is touched.
    let secrets = secrets(plan, spec, world).await?;
    let password = password(world)?;
    let mut progress = Progress {
        image: plan.image.clone(),
        opencode_version: None,
        container: None,
        record: None,
        changing: None,
        undo: Undo::default(),
        secrets,
    };
    for (index, step) in plan.steps.iter().enumerate() {
        (world.observer)(Event::Begin {
            number: index + 1,
            of: plan.steps.len(),
            step: step.clone(),
        });
        // Short calls to the engine are finished, long waits listen to the wish to stop themselves:
        // a request given up half-way could still take effect after it was taken back.
        let last = *step == Step::FinishChange;
        let done = if world.cancel.is_cancelled() && !last {
            Err(ApplyError::Interrupted)
        } else {
            run(step, spec, world, &password, &mut progress).await
        };
        match done {
            Ok(()) => {}
            // What was wished is there and proved; the next command removes what is left over.
            Err(error) if last => left(world, &error),
            Err(error) => {
                remember_start(plan, world, &progress, Some(&error));
                give_up(spec, world, progress, &error).await;
                return Err(error);
            }
        }
    }
    remember_start(plan, world, &progress, None);
    let record = progress.record.expect("every plan has a Record");
    Ok(Outcome { record })
}

/// Adds a start to the history; a change is added where it ends.
fn remember_start<E, S>(
    plan: &Plan,
    world: &World<'_, E, S>,
    progress: &Progress,
    failed: Option<&ApplyError>,
) {
    if progress.changing.is_some() || !plan.changes_something() {
        return;
    }
    let verdict = if failed.is_some() { Verdict::Failed } else { Verdict::Done };
    let entry = HistoryEntry {
        to: progress.image.as_ref().map(|image| image.0.clone()),
        why: failed.map(|error| crate::acquire::one_line(error)),
        ..HistoryEntry::new((world.now)(), "start", verdict)
    };
    // A sandbox that runs, or an error worth telling, matters more than a line about it.
    drop(world.home.remember(&entry));
}

/// Brings the image of a plan that only brings one, and returns it. No container is touched.
///
/// # Errors
/// What kept it from arriving.
///
/// # Panics
/// When the plan is another one.
pub async fn bring<E: Engine, S>(
    plan: &Plan,
    world: &World<'_, E, S>,
) -> Result<ImageId, ApplyError> {
    let [step] = plan.steps.as_slice() else { panic!("a plan to bring an image has one step") };
    (world.observer)(Event::Begin { number: 1, of: 1, step: step.clone() });
    match step {
        Step::Pull { names, then_build } => crate::acquire::pull(world, names, *then_build).await,
        Step::Build { reuse, .. } => crate::acquire::build(world, *reuse).await,
        other => panic!("a plan to bring an image does not {other}"),
    }
}

/// Takes back what this call made or changed.
async fn give_up<E: Engine, S: Server>(
    spec: &SandboxSpec,
    world: &World<'_, E, S>,
    progress: Progress,
    error: &ApplyError,
) {
    if let Some(Changing { journal, .. }) = progress.changing {
        let why = crate::acquire::one_line(error);
        let back = crate::back::take_back(world, spec.claim(), journal, Verdict::Failed, why);
        if let Err(error) = back.await {
            left(world, &error);
        }
    }
    // A container that was found running is stopped for one reason only: an open door.
    progress.undo.run(world.engine, world.observer).await;
}

fn left<E, S>(world: &World<'_, E, S>, error: &ApplyError) {
    (world.observer)(Event::LeftForLater { why: crate::acquire::one_line(error) });
}

async fn secrets<E, S>(
    plan: &Plan,
    spec: &SandboxSpec,
    world: &World<'_, E, S>,
) -> Result<BTreeMap<String, SecretValue>, ApplyError> {
    if !plan.steps.iter().any(|step| matches!(step, Step::InsertFiles { .. })) {
        return Ok(BTreeMap::new());
    }
    tokio::select! {
        values = crate::secret::secrets(spec, world.secrets) => Ok(values?),
        () = world.cancel.cancelled() => Err(ApplyError::Interrupted),
    }
}

fn password<E, S>(world: &World<'_, E, S>) -> Result<Password, ApplyError> {
    if let Some(password) = crate::password::load(world.home)? {
        return Ok(password);
    }
    let password = crate::password::generate().map_err(ApplyError::Randomness)?;
    crate::password::store(world.home, &password)?;
    Ok(password)
}

async fn run<E: Engine, S: Server>(
    step: &Step,
    spec: &SandboxSpec,
    world: &World<'_, E, S>,
    password: &Password,
    progress: &mut Progress,
) -> Result<(), ApplyError> {
    let engine = world.engine;
    let name = spec.instance.container();
    let failed = || ApplyError::engine(step.to_string());
    match step {
        Step::Pull { names, then_build } => {
            progress.image = Some(crate::acquire::pull(world, names, *then_build).await?);
        }
        Step::Build { reuse, .. } => {
            progress.image = Some(crate::acquire::build(world, *reuse).await?);
        }
        Step::CreateVolume { name } => {
            if engine.create_volume(name, &spec.claim().labels()).await.map_err(failed())? {
                progress.undo.volume(name);
            }
        }
        Step::OwnVolumes { owner } => {
            // Before, so that whatever comes in between, the next start gives them back if it must.
            if let Some(record) = world.home.record().0 {
                world.home.save_record(&Record { owner: *owner, ..record }, world.lock)?;
            }
            let volumes: Vec<_> =
                spec.volumes().into_iter().map(|(name, at)| (name, at.to_owned())).collect();
            let claim = spec.claim();
            crate::probe::own_volumes(world, claim, image(progress), *owner, &volumes).await?;
        }
        Step::ProveFolder { path, owner } => {
            crate::probe::prove_folder(world, spec, image(progress), path, *owner).await?;
        }
        Step::ProveMounts { mounts, owner } => {
            crate::prove_mounts::prove_mounts(world, spec, image(progress), mounts, *owner).await?;
        }
        Step::CreateContainer { container } => {
            let container = ContainerSpec { image: image(progress), ..(**container).clone() };
            if container.name == spec.instance.next() {
                // A command that was killed may have asked for one that came after all was taken back.
                engine.remove_container(&container.name).await.map_err(failed())?;
            }
            engine.create_container(&container).await.map_err(failed())?;
            if progress.changing.is_none() {
                progress.undo.container(&name);
            }
        }
        Step::InsertFiles { container } => {
            let secrets = &progress.secrets;
            let files = crate::guest_files::files(engine, container, spec, password, secrets).await;
            engine.upload(container, &files.map_err(failed())?).await.map_err(failed())?;
        }
        Step::Unpause => {
            engine.unpause_container(&name).await.map_err(failed())?;
        }
        Step::StopContainer => {
            tokio::select! {
                stopped = engine.stop_container(&name, STOP_GRACE) => stopped.map_err(failed())?,
                // Whoever is impatient gets a sandbox that is stopped.
                () = world.cancel.cancelled() => {
                    engine.stop_container(&name, Duration::ZERO).await.map_err(failed())?;
                }
            }
        }
        Step::StartContainer => {
            if let Some(changing) = &mut progress.changing {
                changing.touch(world)?;
            } else {
                // Before: a start that answers with an error may have started something.
                progress.undo.running(&name);
            }
            engine.start_container(&name).await.map_err(failed())?;
        }
        Step::AwaitReady { timeout } => {
            let seen = crate::health::await_ready(world, &name, password, *timeout).await?;
            progress.container = Some(seen.container);
            progress.image = Some(seen.image);
            progress.opencode_version = Some(seen.version);
        }
        Step::ProveLocked => {
            if let Err(error) = crate::health::prove_locked(world, &name).await {
                // Also a sandbox that ran before this call: an open door is not left open.
                progress.undo.running(&name);
                return Err(error);
            }
        }
        Step::Record => record(spec, world, progress).await?,
        Step::BeginChange { journal, .. } => {
            let image = progress.image.clone();
            progress.changing = Some(Changing::begin(journal, image, world)?);
        }
        of_a_change => {
            let changing = progress.changing.as_mut().expect("a change begins before its steps");
            run_change(of_a_change, spec, world, password, &progress.secrets, changing).await?;
        }
    }
    Ok(())
}

async fn run_change<E: Engine, S: Server>(
    step: &Step,
    spec: &SandboxSpec,
    world: &World<'_, E, S>,
    password: &Password,
    secrets: &BTreeMap<String, SecretValue>,
    changing: &mut Changing,
) -> Result<(), ApplyError> {
    match step {
        Step::CopyForTrial { copies, .. } => {
            changing.copy_for_trial(copies, spec, world, password).await
        }
        Step::StartTrial { container } => {
            changing.start_trial(container, spec, world, password, secrets).await
        }
        Step::AwaitTrial { timeout } => changing.await_trial(spec, world, password, *timeout).await,
        Step::RemoveTrial => changing.remove_trial(spec, world).await,
        Step::CopyAhead { copies, .. } => changing.copy_ahead(copies, spec, world).await,
        Step::StopOld => changing.stop_old(world, password).await,
        Step::Snapshot => changing.snapshot(world).await,
        Step::SetAside { .. } => changing.set_aside(world).await,
        Step::TakePlace { from } => changing.take_place(from, world).await,
        Step::PutBack { copies } => changing.put_back(copies, spec, world).await,
        Step::Empty { volumes } => changing.empty(volumes, spec, world).await,
        Step::Fill { filling } => changing.restore(filling, spec, world).await,
        Step::KeepSessions => {
            changing.keep_sessions(&spec.instance.container(), world, password).await
        }
        Step::FinishChange => {
            let journal = &changing.journal;
            crate::back::finish(world, spec.claim(), journal, Verdict::Done).await
        }
        other => unreachable!("no step of a change: {other}"),
    }
}

/// How long a container may take to end by itself.
const STOP_GRACE: Duration = Duration::from_secs(30);

fn image(progress: &Progress) -> ImageId {
    progress.image.clone().expect("a plan brings an image before it needs one")
}

async fn record<E: Engine, S>(
    spec: &SandboxSpec,
    world: &World<'_, E, S>,
    progress: &mut Progress,
) -> Result<(), ApplyError> {
    let known = world.home.record().0;
    let acquired = match acquired(world, known.as_ref(), &image(progress)) {
        Some(acquired) => Some(acquired),
        None => crate::acquire::adopt(world, &image(progress)).await?,
    };
    let change = progress.changing.as_ref().map(|changing| &changing.journal);
    let kept = known.as_ref().and_then(|record| record.previous.clone());
    let record = Record {
        image: image(progress),
        container: progress.container.clone().expect("AwaitReady comes before Record"),
        opencode_version: progress.opencode_version.clone().unwrap_or_default(),
        said: spec.said.clone(),
        owner: spec.owner(),
        proved_at: (world.now)(),
        acquired,
        change: change.map_or_else(|| known.as_ref().map_or(0, |r| r.change), |c| c.number),
        previous: change.and_then(Journal::rollback_point).or(kept),
    };
    if let Some(state) = &record.acquired
        && world.home.image_state().0.as_ref() != Some(state)
    {
        world.home.save_image_state(state, world.lock)?;
    }
    let same =
        known.is_some_and(|old| Record { proved_at: record.proved_at.clone(), ..old } == record);
    if !same {
        world.home.save_record(&record, world.lock)?;
    }
    progress.record = Some(record);
    Ok(())
}

/// Returns where an image came from, from whichever file knows.
fn acquired<E, S>(
    world: &World<'_, E, S>,
    known: Option<&Record>,
    image: &ImageId,
) -> Option<ImageState> {
    let last = world.home.image_state().0;
    let recorded = known.and_then(|record| record.acquired.clone());
    let previous = known.and_then(|record| record.previous.as_ref());
    let previous = previous.and_then(|point| point.record.acquired.clone());
    [last, recorded, previous]
        .into_iter()
        .flatten()
        .find(|state| state.image_id.as_ref() == Some(image))
}
