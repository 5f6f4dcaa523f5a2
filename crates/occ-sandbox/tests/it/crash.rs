//! Killed, forsaken, refused: at every call of every change. The calls are counted, not listed, so that
//! a new step is covered by itself.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use occ_engine::{Blow, Engine as _, Killed, Phase};
use occ_image::guest;
use occ_sandbox::{Acquire, SandboxSpec};

use crate::stage::{Stage, wish};
use crate::story::{Story, new_image, old_image};

/// Plays a story that something happens to at one call; returns whether it came so far.
async fn play(story: Story, call: usize, blow: Blow) -> (Stage, bool) {
    let stage = story.stage().await;
    let before = stage.engine.calls().len();
    stage.engine.strike(call, blow);
    let played = AssertUnwindSafe(story.play(&stage)).catch_unwind().await;
    if let Err(panic) = played {
        assert!(panic.is::<Killed>(), "{story:?} panicked at call {call}");
    }
    let reached = stage.engine.calls().len() > before + call;
    stage.engine.spare();
    (stage, reached)
}

/// Whatever happened, the next command ends healthy, with everything still there and nothing left over.
async fn assert_whole(story: Story, stage: &Stage, what: &str) {
    stage.recover().await.unwrap_or_else(|error| panic!("{what}: not recovered: {error:?}"));
    let spec = if settled(stage, story) { story.wish() } else { wish() };
    let spec = SandboxSpec { acquire: Acquire::WhenMissing, ..spec };
    let outcome = stage.start(&spec).await.unwrap_or_else(|error| panic!("{what}: {error:?}"));
    let name = wish().instance.container();
    let state = stage.engine.state(&name).unwrap_or_else(|| panic!("{what}: no sandbox"));
    assert_eq!((&state.phase, &state.id), (&Phase::Running, &outcome.record.container), "{what}");
    assert!([old_image(), new_image()].contains(&state.image), "{what}: {}", state.image);
    if story != Story::Start {
        assert_data(stage, what);
    }
    assert_tidy(stage, what).await;
}

/// Whether the container has the settings that the story ends with.
fn settled(stage: &Stage, story: Story) -> bool {
    let state = stage.engine.state(&wish().instance.container());
    state.is_none_or(|state| occ_sandbox::drift(&story.wish(), &state).is_empty())
}

/// Every session is in the sandbox or in what the rollback point keeps.
fn assert_data(stage: &Stage, what: &str) {
    let record = stage.home.record().0.unwrap_or_else(|| panic!("{what}: no record"));
    let copies = record.previous.map(|point| point.copies).unwrap_or_default();
    let volumes = copies.into_iter().map(|copy| copy.copy).chain([wish().instance.volume("data")]);
    let there: BTreeSet<String> = volumes
        .flat_map(|volume| stage.engine.files(&volume).unwrap_or_default().into_keys())
        .collect();
    assert!(there.contains("session/first"), "{what}: a session is lost: {there:?}");
    let image = stage.engine.state(&wish().instance.container()).expect("running").image;
    let live = stage.engine.files(&wish().instance.volume("data")).expect("data");
    assert_eq!(live["opened by"], image.0.clone().into_bytes(), "{what}: data of another image");
}

/// There is the sandbox, what its rollback point needs, and nothing else.
async fn assert_tidy(stage: &Stage, what: &str) {
    let label = guest::LABEL_INSTANCE;
    let containers = stage.engine.containers(label).await.expect("list");
    let volumes = stage.engine.volumes(label).await.expect("list");
    let previous = stage.home.record().0.and_then(|record| record.previous);
    let mut expected = BTreeSet::from([wish().instance.container()]);
    let mut places: BTreeSet<String> = wish().volumes().into_iter().map(|(name, _)| name).collect();
    if let Some(point) = previous {
        expected.insert(point.container.aside);
        places.extend(point.copies.into_iter().map(|copy| copy.copy));
    }
    let seen: BTreeSet<String> = containers.into_iter().map(|one| one.name).collect();
    assert_eq!(seen, expected, "{what}: containers");
    let seen: BTreeSet<String> = volumes.into_iter().map(|one| one.name).collect();
    assert_eq!(seen, places, "{what}: volumes");
    assert!(!stage.home.journal_path().exists(), "{what}: the journal is left");
}

async fn at_every_call(blow: Blow) {
    for story in Story::ALL {
        let mut calls = 0;
        loop {
            let (stage, reached) = play(story, calls, blow).await;
            assert_whole(story, &stage, &format!("{story:?}, {blow:?} at call {calls}")).await;
            if !reached {
                break;
            }
            calls += 1;
        }
        assert!(calls > 10, "{story:?} has only {calls} calls");
    }
}

#[tokio::test(start_paused = true)]
async fn killed_before_any_call_of_any_change_nothing_is_lost() {
    at_every_call(Blow::KilledBefore).await;
}

#[tokio::test(start_paused = true)]
async fn killed_after_any_call_of_any_change_nothing_is_lost() {
    at_every_call(Blow::KilledAfter).await;
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_goes_before_any_call_of_any_change_loses_nothing() {
    at_every_call(Blow::GoneBefore).await;
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_goes_after_any_call_of_any_change_loses_nothing() {
    at_every_call(Blow::GoneAfter).await;
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_any_call_of_any_change_loses_nothing() {
    at_every_call(Blow::Refused).await;
}

/// Going back can be cut off too, at any call, and again.
#[tokio::test(start_paused = true)]
async fn killed_at_any_call_of_the_way_back_nothing_is_lost() {
    for story in [Story::Update, Story::Rollback, Story::Reset, Story::Restore] {
        // Late enough that the new sandbox has written to the volumes.
        let late = calls_until_ready(story).await;
        let mut calls = 0;
        loop {
            let (stage, _) = play(story, late, Blow::KilledBefore).await;
            let before = stage.engine.calls().len();
            stage.engine.strike(calls, Blow::KilledAfter);
            let recovered = AssertUnwindSafe(stage.recover()).catch_unwind().await;
            let reached = stage.engine.calls().len() > before + calls;
            stage.engine.spare();
            assert!(recovered.is_ok() != reached, "{story:?}, call {calls}");
            assert_whole(story, &stage, &format!("{story:?}, back cut off at call {calls}")).await;
            if !reached {
                break;
            }
            calls += 1;
        }
        assert!(calls > 5, "{story:?} goes back in only {calls} calls");
    }
}

/// Returns the number of the first call after the new sandbox was started.
async fn calls_until_ready(story: Story) -> usize {
    let stage = story.stage().await;
    let before = stage.engine.calls().len();
    story.play(&stage).await.expect("the story");
    let start = format!("start_container {}", wish().instance.container());
    let calls = stage.engine.calls();
    let last = calls.iter().rposition(|call| *call == start).expect("started");
    last + 2 - before
}
