//! Changes of what runs, as short stories that the tests of good and bad days share.

use std::sync::atomic::AtomicBool;

use occ_engine::{Engine as _, FakeEngine, FakeImage, ImageId};
use occ_image::guest;
use occ_sandbox::{
    Acquire, ApplyError, Cause, Change, Consent, Contents, Decision, Known, Observation, Outcome,
    Plan, Previous, SandboxSpec, observe, plan_change, plan_rollback, verify_backup,
};

use crate::stage::{BUILT, OPENCODE, OURS, Stage, wish};

/// Name of a newer image.
pub(crate) const NEWER: &str = "opencode-cloud-sandbox:newer";

/// Returns the image that runs before a change.
pub(crate) fn old_image() -> ImageId {
    FakeImage::new(&OURS, "amd64").id()
}

fn newer() -> FakeImage {
    let labels = [
        (guest::LABEL_CONTRACT, guest::CONTRACT_VERSION),
        (guest::LABEL_OPENCODE, OPENCODE),
        (guest::LABEL_VERSION, "0.2.0"),
    ];
    FakeImage::new(&labels, "amd64")
}

/// Returns the image that a change brings.
pub(crate) fn new_image() -> ImageId {
    newer().id()
}

/// A running sandbox with a session, on an engine that has a newer image.
pub(crate) async fn running() -> Stage {
    let engine = FakeEngine::new()
        .with_image(BUILT, &FakeImage::new(&OURS, "amd64"))
        .with_image(NEWER, &newer());
    let stage = Stage::new(engine);
    stage.start(&wish()).await.expect("start");
    stage.write_data("session/first", "words");
    stage
}

/// The same, updated, with a session made since.
pub(crate) async fn updated() -> Stage {
    let stage = running().await;
    update(&stage).await.expect("update");
    stage.write_data("session/second", "more words");
    stage
}

/// What a story does to a sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Story {
    Start,
    Resettle,
    Update,
    UpdateToBroken,
    Rollback,
    Reset,
    Restore,
}

impl Story {
    pub(crate) const ALL: [Self; 7] = [
        Self::Start,
        Self::Resettle,
        Self::Update,
        Self::UpdateToBroken,
        Self::Rollback,
        Self::Reset,
        Self::Restore,
    ];

    /// Returns the stage on which it plays.
    pub(crate) async fn stage(self) -> Stage {
        match self {
            Self::Start => Stage::with_image(),
            Self::Rollback => updated().await,
            Self::UpdateToBroken => {
                let stage = running().await;
                stage.break_image(&new_image());
                stage
            }
            Self::Restore => {
                let stage = running().await;
                crate::backups::keep(&stage, &stage.file()).await.expect("a backup");
                stage.write_data("session/second", "more words");
                stage
            }
            _ => running().await,
        }
    }

    /// Returns the wish that it ends with.
    pub(crate) fn wish(self) -> SandboxSpec {
        let start_timeout = std::time::Duration::from_millis(60);
        match self {
            Self::Resettle => SandboxSpec { port: 3005, start_timeout, ..wish() },
            Self::Update | Self::UpdateToBroken => {
                SandboxSpec { start_timeout, acquire: Acquire::This(new_image()), ..wish() }
            }
            _ => SandboxSpec { start_timeout, ..wish() },
        }
    }

    /// Plays it.
    pub(crate) async fn play(self, stage: &Stage) -> Result<Outcome, ApplyError> {
        match self {
            Self::Start | Self::Resettle => {
                let plan = look(stage, &self.wish()).await;
                let seen = plan?;
                let decision = plan_change(
                    &self.wish(),
                    &seen,
                    BUILT,
                    &Consent::yes(),
                    &Change::of(Cause::Start),
                );
                stage.apply(&self.wish(), &ready(decision)).await
            }
            Self::Update | Self::UpdateToBroken => update(stage).await,
            Self::Rollback => rollback(stage, false).await,
            Self::Reset => reset(stage).await,
            Self::Restore => restore(stage).await,
        }
    }
}

fn ready(decision: Decision) -> Plan {
    match decision {
        Decision::Ready(plan) => plan,
        other => panic!("not ready: {other:?}"),
    }
}

/// Looks closely; an engine that fails here fails the story.
pub(crate) async fn look(stage: &Stage, spec: &SandboxSpec) -> Result<Observation, ApplyError> {
    let record = stage.home.record().0;
    let image = stage.home.image_state().0.and_then(|state| state.image_id);
    let known = Known { built: BUILT, record, image, closely: true };
    let port = stage.port.clone();
    let seen = observe(&stage.engine, spec, known, &move |_| port.clone()).await;
    seen.map_err(|source| ApplyError::Engine { step: "look".to_owned(), source })
}

/// Returns the plan of an update to the newer image.
pub(crate) async fn plan_update(stage: &Stage, change: &Change) -> Result<Plan, ApplyError> {
    let spec = Story::Update.wish();
    let seen = look(stage, &spec).await?;
    Ok(ready(plan_change(&spec, &seen, BUILT, &Consent::yes(), change)))
}

pub(crate) async fn update(stage: &Stage) -> Result<Outcome, ApplyError> {
    let change = Change { stops_again: true, ..Change::of(Cause::Update) };
    let plan = plan_update(stage, &change).await?;
    stage.apply(&Story::Update.wish(), &plan).await
}

pub(crate) async fn rollback(stage: &Stage, keep_data: bool) -> Result<Outcome, ApplyError> {
    let spec = Story::Rollback.wish();
    let seen = look(stage, &spec).await?;
    let point = stage.home.record().0.and_then(|record| record.previous);
    let container = match &point {
        Some(point) => {
            let looked = stage.engine.container(&point.container.aside).await;
            looked.map_err(|source| ApplyError::Engine { step: "look".to_owned(), source })?
        }
        None => None,
    };
    let previous = Previous { point: point.as_ref(), container: container.as_ref() };
    let decision = plan_rollback(&spec, &seen, &previous, keep_data, &Consent::yes());
    stage.apply(&spec, &ready(decision)).await
}

async fn reset(stage: &Stage) -> Result<Outcome, ApplyError> {
    let spec = Story::Reset.wish();
    let seen = look(stage, &spec).await?;
    let change = Change {
        anew: true,
        contents: Contents::Emptied(vec![spec.instance.volume("data")]),
        ..Change::of(Cause::Reset)
    };
    stage.apply(&spec, &ready(plan_change(&spec, &seen, BUILT, &Consent::yes(), &change))).await
}

async fn restore(stage: &Stage) -> Result<Outcome, ApplyError> {
    let spec = Story::Restore.wish();
    let seen = look(stage, &spec).await?;
    let backup = verify_backup(&stage.file(), &AtomicBool::new(false), &|_| {}).expect("sound");
    let change = Change {
        anew: true,
        contents: Contents::Restored(backup.filling(&spec.instance)),
        ..Change::of(Cause::Restore)
    };
    stage.apply(&spec, &ready(plan_change(&spec, &seen, BUILT, &Consent::yes(), &change))).await
}
