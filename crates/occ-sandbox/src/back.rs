//! The two ways out of a change: back to the old sandbox, or on to the end.
//!
//! A failed call takes the first at once; the next command takes either when a call was cut off. Both
//! can be cut off at any point themselves and begun again: each thing is done only where it is still to
//! do, and the journal goes last.

use std::time::Duration;

use occ_engine::{ContainerState, Engine, Error, Phase};

use crate::cancel::Cancel;
use crate::change::{Journal, Kept, Reached};
use crate::copier::{self, Fill};
use crate::error::ApplyError;
use crate::event::Event;
use crate::health;
use crate::history::{HistoryEntry, Verdict};
use crate::ports::Server;
use crate::record::Record;
use crate::refusal::Claim;
use crate::world::World;

/// How long a container may take to end by itself.
const GRACE: Duration = Duration::from_secs(10);
/// What the engine gets to end what it was asked for last.
const MOMENT: Duration = Duration::from_millis(300);
/// How often something else may come in between.
const TRIES: u32 = 30;
/// How long the old sandbox may take to answer again.
const READY: Duration = Duration::from_secs(60);

/// What became of a change that was cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovered {
    /// The old sandbox is back as it was.
    TakenBack,
    /// The new sandbox had proved itself; what was left to do is done.
    Finished,
}

/// Ends a change that was cut off, when there is one.
///
/// # Errors
/// When the engine or a file fails; the journal stays, and the next call goes on from there.
pub async fn recover<E: Engine, S: Server>(
    world: &World<'_, E, S>,
    claim: Claim<'_>,
) -> Result<Option<Recovered>, ApplyError> {
    if world.home.journal()?.is_none() {
        return Ok(None);
    }
    // The engine may still be at what the command that was cut off had asked for last. It gets a moment
    // to end, and where it comes in between all the same, this is begun again.
    let mut tries = 0;
    loop {
        tokio::time::sleep(MOMENT).await;
        match recover_once(world, claim).await {
            Err(ApplyError::Engine { source: Error::Conflict { .. }, .. }) if tries < TRIES => {
                tries += 1;
            }
            ended => return ended,
        }
    }
}

async fn recover_once<E: Engine, S: Server>(
    world: &World<'_, E, S>,
    claim: Claim<'_>,
) -> Result<Option<Recovered>, ApplyError> {
    let Some(journal) = world.home.journal()? else { return Ok(None) };
    if journal.is_decided_by(world.home.record().0.as_ref()) {
        finish(world, claim, &journal, Verdict::Finished).await?;
        return Ok(Some(Recovered::Finished));
    }
    let why = "it was cut off".to_owned();
    take_back(world, claim, journal, Verdict::TakenBack, why).await?;
    Ok(Some(Recovered::TakenBack))
}

/// Goes back to the old sandbox.
pub(crate) async fn take_back<E: Engine, S: Server>(
    world: &World<'_, E, S>,
    claim: Claim<'_>,
    mut journal: Journal,
    verdict: Verdict,
    why: String,
) -> Result<(), ApplyError> {
    // Whoever wants to stop wants what was there before: this is not cut short.
    let patient = Cancel::default();
    let world = &World { cancel: &patient, builder: world.builder.clone(), ..*world };
    let engine = world.engine;
    let failed = || ApplyError::engine("take the change back");
    (world.observer)(Event::Undo { what: format!("go back to {}", journal.name) });
    engine.remove_container(&claim.instance.beside()).await.map_err(failed())?;
    remove_trial(world, claim, &journal).await?;
    engine.remove_container(&claim.instance.next()).await.map_err(failed())?;
    clear_the_name(world, &journal).await?;
    if journal.reached < Reached::Returned {
        give_back_volumes(world, claim, &journal).await?;
        journal.reached = Reached::Returned;
        world.home.save_journal(&journal, world.lock)?;
    }
    let aside = engine.container(&journal.old.aside).await.map_err(failed())?;
    if is_it(aside.as_ref(), &journal.old) {
        engine.rename_container(&journal.old.aside, &journal.name).await.map_err(failed())?;
    }
    world.home.save_record(&journal.old_record, world.lock)?;
    if let Some(acquired) = &journal.old_record.acquired {
        world.home.save_image_state(acquired, world.lock)?;
    }
    if journal.was_up {
        bring_up(world, &journal.name).await?;
    }
    copier::clear(engine, claim).await?;
    for copy in &journal.copies {
        engine.remove_volume(&copy.copy).await.map_err(failed())?;
    }
    world.home.close_journal(world.lock)?;
    remember(world, &journal, verdict, Some(why))
}

/// Goes on to the end: what only the way back needed is removed.
pub(crate) async fn finish<E: Engine, S: Server>(
    world: &World<'_, E, S>,
    claim: Claim<'_>,
    journal: &Journal,
    verdict: Verdict,
) -> Result<(), ApplyError> {
    let engine = world.engine;
    let failed = || ApplyError::engine("finish the change");
    remove_trial(world, claim, journal).await?;
    if journal.stops_again {
        engine.stop_container(&journal.name, GRACE).await.map_err(failed())?;
    }
    if journal.keeps_old {
        if let Some(point) = &journal.old_record.previous {
            remove_kept(world, &point.container).await?;
            for copy in &point.copies {
                engine.remove_volume(&copy.copy).await.map_err(failed())?;
            }
        }
    } else {
        remove_kept(world, &journal.old).await?;
        for copy in &journal.copies {
            engine.remove_volume(&copy.copy).await.map_err(failed())?;
        }
    }
    world.home.close_journal(world.lock)?;
    remember(world, journal, verdict, None)
}

/// Removes the trial with its copies, as far as it is there, and who made them.
pub(crate) async fn remove_trial<E: Engine, S>(
    world: &World<'_, E, S>,
    claim: Claim<'_>,
    journal: &Journal,
) -> Result<(), ApplyError> {
    let failed = || ApplyError::engine("remove the trial");
    copier::clear(world.engine, claim).await?;
    world.engine.remove_container(&claim.instance.trial()).await.map_err(failed())?;
    for volume in &journal.trial {
        world.engine.remove_volume(volume).await.map_err(failed())?;
    }
    Ok(())
}

/// Takes whatever is the sandbox now, when it is not the old container, out of its name.
async fn clear_the_name<E: Engine, S>(
    world: &World<'_, E, S>,
    journal: &Journal,
) -> Result<(), ApplyError> {
    let engine = world.engine;
    let failed = || ApplyError::engine("take the new container back");
    let Some(state) = engine.container(&journal.name).await.map_err(failed())? else {
        return Ok(());
    };
    if state.id == journal.old.id {
        return Ok(());
    }
    match &journal.brought {
        Some(brought) if brought.id == state.id => {
            engine.stop_container(&journal.name, GRACE).await.map_err(failed())?;
            engine.rename_container(&journal.name, &brought.aside).await.map_err(failed())
        }
        _ => engine.remove_container(&journal.name).await.map_err(failed()),
    }
}

/// Makes the volumes what they were when the old sandbox stopped.
async fn give_back_volumes<E: Engine, S>(
    world: &World<'_, E, S>,
    claim: Claim<'_>,
    journal: &Journal,
) -> Result<(), ApplyError> {
    let Some(image) = journal.image.clone() else { return Ok(()) };
    if journal.reached == Reached::Touched {
        let fills: Vec<Fill<'_>> = journal
            .copies
            .iter()
            .map(|one| Fill { from: Some(&one.copy), to: &one.volume })
            .collect();
        copier::fill(world, claim, image.clone(), &fills).await?;
    }
    match &journal.owner {
        Some(change) => {
            crate::probe::own_volumes(world, claim, image, change.from, &change.volumes).await
        }
        None => Ok(()),
    }
}

/// Starts the old sandbox and waits for it. That it does not answer is news, not a failure: it may not
/// have answered before.
async fn bring_up<E: Engine, S: Server>(
    world: &World<'_, E, S>,
    name: &str,
) -> Result<(), ApplyError> {
    let engine = world.engine;
    let failed = || ApplyError::engine("start the old sandbox again");
    let state = engine.container(name).await.map_err(failed())?;
    let Some(state) = state else { return Ok(()) };
    match state.phase {
        Phase::Running => {}
        Phase::Paused => engine.unpause_container(name).await.map_err(failed())?,
        _ => engine.start_container(name).await.map_err(failed())?,
    }
    let password = crate::password::load(world.home)?;
    let Some(password) = password else { return Ok(()) };
    if let Err(error) = health::await_ready(world, name, &password, READY).await {
        (world.observer)(Event::OldNotReady { why: error.to_string() });
    }
    Ok(())
}

async fn remove_kept<E: Engine, S>(world: &World<'_, E, S>, kept: &Kept) -> Result<(), ApplyError> {
    let failed = || ApplyError::engine("remove the container before");
    let state = world.engine.container(&kept.aside).await.map_err(failed())?;
    if is_it(state.as_ref(), kept) {
        world.engine.remove_container(&kept.aside).await.map_err(failed())?;
    }
    Ok(())
}

fn is_it(state: Option<&ContainerState>, kept: &Kept) -> bool {
    state.is_some_and(|state| state.id == kept.id)
}

fn remember<E, S>(
    world: &World<'_, E, S>,
    journal: &Journal,
    verdict: Verdict,
    why: Option<String>,
) -> Result<(), ApplyError> {
    let digest = |record: Record| record.acquired.and_then(|acquired| acquired.digest);
    let entry = HistoryEntry {
        from: Some(journal.old_record.image.0.clone()),
        to: journal.image.as_ref().map(|image| image.0.clone()),
        digest: world.home.record().0.and_then(digest),
        why,
        ..HistoryEntry::new((world.now)(), journal.cause.word(), verdict)
    };
    Ok(world.home.remember(&entry)?)
}
