//! Makes a plan true, step by step; what cannot be finished is taken back.

use std::time::Duration;

use occ_engine::{ContainerSpec, Engine, ImageId};

use crate::error::ApplyError;
use crate::event::Event;
use crate::password::Password;
use crate::plan::Plan;
use crate::ports::Server;
use crate::record::Record;
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
    let password = password(world)?;
    let mut undo = Undo::default();
    let mut progress = Progress {
        image: plan.image.clone(),
        opencode_version: None,
        container: None,
        record: None,
    };
    for (index, step) in plan.steps.iter().enumerate() {
        (world.observer)(Event::Begin {
            number: index + 1,
            of: plan.steps.len(),
            step: step.clone(),
        });
        // Short calls to the engine are finished, long waits listen to the wish to stop themselves:
        // a request given up half-way could still take effect after it was taken back.
        let done = if world.cancel.is_cancelled() {
            Err(ApplyError::Interrupted)
        } else {
            run(step, spec, world, &password, &mut progress, &mut undo).await
        };
        if let Err(error) = done {
            // A container that was found running is stopped for one reason only: an open door.
            undo.run(world.engine, world.observer).await;
            return Err(error);
        }
    }
    let record = progress.record.expect("every plan ends with Record");
    Ok(Outcome { record })
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
    undo: &mut Undo,
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
            if engine.create_volume(name, &spec.volume_labels()).await.map_err(failed())? {
                undo.volume(name);
            }
        }
        Step::RemoveContainer { name, .. } => {
            engine.remove_container(name).await.map_err(failed())?;
        }
        Step::OwnVolumes { owner } => {
            // Before, so that whatever comes in between, the next start gives them back if it must.
            if let Some(record) = world.home.record().0 {
                world.home.save_record(&Record { owner: *owner, ..record }, world.lock)?;
            }
            crate::probe::own_volumes(world, spec, image(progress), *owner).await?;
        }
        Step::ProveFolder { path, owner } => {
            crate::probe::prove_folder(world, spec, image(progress), path, *owner).await?;
        }
        Step::CreateContainer { container } => {
            let container = ContainerSpec { image: image(progress), ..(**container).clone() };
            engine.create_container(&container).await.map_err(failed())?;
            undo.container(&name);
        }
        Step::InsertPassword => {
            let files = crate::guest_files::files(engine, spec, password).await.map_err(failed())?;
            engine.upload(&name, &files).await.map_err(failed())?;
        }
        Step::Unpause => {
            engine.unpause_container(&name).await.map_err(failed())?;
        }
        Step::StopContainer => {
            engine.stop_container(&name, STOP_GRACE).await.map_err(failed())?;
        }
        Step::StartContainer => {
            engine.start_container(&name).await.map_err(failed())?;
            undo.running(&name);
        }
        Step::AwaitReady { timeout } => {
            let seen = crate::health::await_ready(world, spec, password, *timeout).await?;
            progress.container = Some(seen.container);
            progress.image = Some(seen.image);
            progress.opencode_version = Some(seen.version);
        }
        Step::ProveLocked => {
            if let Err(error) = crate::health::prove_locked(world, spec).await {
                // Also a sandbox that ran before this call: an open door is not left open.
                undo.running(&name);
                return Err(error);
            }
        }
        Step::Record => record(spec, world, progress).await?,
    }
    Ok(())
}

/// How long a container may take to end by itself.
const STOP_GRACE: Duration = Duration::from_secs(10);

fn image(progress: &Progress) -> ImageId {
    progress.image.clone().expect("a plan brings an image before it needs one")
}

async fn record<E: Engine, S>(
    spec: &SandboxSpec,
    world: &World<'_, E, S>,
    progress: &mut Progress,
) -> Result<(), ApplyError> {
    crate::acquire::adopt(world, &image(progress)).await?;
    let record = Record {
        image: image(progress),
        container: progress.container.clone().expect("AwaitReady comes before Record"),
        opencode_version: progress.opencode_version.clone().unwrap_or_default(),
        said: spec.said.clone(),
        owner: spec.owner(),
        proved_at: (world.now)(),
    };
    let known = world.home.record().0;
    let same =
        known.is_some_and(|old| Record { proved_at: record.proved_at.clone(), ..old } == record);
    if !same {
        world.home.save_record(&record, world.lock)?;
    }
    progress.record = Some(record);
    Ok(())
}
