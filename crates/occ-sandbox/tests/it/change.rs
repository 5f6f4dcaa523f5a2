//! Changes of what runs, on good days and where the new one is no good.

use occ_engine::{Engine as _, Phase};
use occ_sandbox::{
    ApplyError, Cause, Change, Consent, Decision, Previous, Question, Refusal, Verdict,
    plan_rollback,
};

use crate::plan::kinds;
use crate::stage::{Manner, Stage, wish};
use crate::story::{
    Story, look, new_image, old_image, plan_update, rollback, running, update, updated,
};

fn data() -> String {
    wish().instance.volume("data")
}

fn sessions(stage: &Stage) -> Vec<String> {
    let files = stage.engine.files(&data()).expect("the data is there");
    files.keys().filter(|path| path.starts_with("session/")).cloned().collect()
}

#[tokio::test]
async fn the_old_sandbox_works_until_the_new_image_has_proved_itself_on_copies() {
    let stage = running().await;
    let plan = plan_update(&stage, &Change::of(Cause::Update)).await.expect("plan");
    let trial = ["begin", "copy", "try", "tried", "trial-over"];
    let ahead = ["create", "files", "copy-ahead"];
    let away = ["stop-old", "snapshot", "aside", "take-place", "start"];
    let then = ["ready", "sessions", "locked", "record", "finish"];
    assert_eq!(kinds(&plan), [&trial[..], &ahead, &away, &then].concat());
}

#[tokio::test]
async fn an_update_ends_with_the_new_image_all_sessions_and_a_way_back() {
    let stage = running().await;
    let outcome = update(&stage).await.expect("update");
    assert_eq!(outcome.record.image, new_image());
    assert_eq!(sessions(&stage), ["session/first"]);
    let point = outcome.record.previous.expect("a way back");
    assert_eq!(point.record.image, old_image());
    let old = stage.engine.state(&point.container.aside).expect("the old container is kept");
    assert_eq!(old.phase, Phase::Exited);
    let copy = point.copies.iter().find(|copy| copy.volume == data()).expect("a copy");
    let kept = stage.engine.files(&copy.copy).expect("the copy is there");
    assert_eq!(kept["opened by"], old_image().0.into_bytes(), "copied after the new one wrote");
    assert!(!stage.home.journal_path().exists());
}

#[tokio::test]
async fn an_image_that_does_not_work_never_stops_the_old_sandbox() {
    let stage = Story::UpdateToBroken.stage().await;
    let before = stage.engine.state(&wish().instance.container()).expect("running");
    let error = update(&stage).await.expect_err("it was taken for healthy");
    assert!(matches!(error, ApplyError::NotReady { .. }), "{error:?}");
    let after = stage.engine.state(&wish().instance.container()).expect("running");
    assert_eq!((after.id, after.started_at), (before.id, before.started_at));
    let stops = format!("stop_container {}", wish().instance.container());
    assert!(!stage.engine.calls().contains(&stops), "it was stopped");
    let last = stage.home.history().expect("readable").pop().expect("an entry");
    assert_eq!((last.what.as_str(), last.verdict), ("update", Verdict::Failed));
    assert!(last.why.is_some_and(|why| why.contains("did not become ready")));
}

#[tokio::test]
async fn an_image_that_loses_sessions_is_not_changed_over_to() {
    let stage = running().await;
    stage.forget_sessions(&new_image());
    let error = update(&stage).await.expect_err("lost sessions were ignored");
    let ApplyError::SessionsMissing { missing } = error else { panic!("{error:?}") };
    assert_eq!(missing, ["first"]);
    assert_eq!(sessions(&stage), ["session/first"]);
}

#[tokio::test]
async fn what_the_new_image_wrote_is_gone_when_it_fails_after_the_change_over() {
    let stage = running().await;
    let change = Change { snapshot: true, ..Change::of(Cause::Update) };
    let plan = plan_update(&stage, &change).await.expect("plan");
    // Good while it is tried, silent once it is the sandbox.
    let name = wish().instance.container();
    let before = stage.engine.state(&name).expect("running");
    let plan = {
        let mut plan = plan;
        plan.steps.retain(|step| {
            let kind = kinds(&occ_sandbox::Plan { steps: vec![step.clone()], image: None })[0];
            !["copy", "try", "tried", "trial-over"].contains(&kind)
        });
        plan
    };
    stage.break_image(&new_image());
    let error = stage.apply(&Story::Update.wish(), &plan).await.expect_err("healthy?");
    assert!(matches!(error, ApplyError::NotReady { .. }), "{error:?}");
    let after = stage.engine.state(&name).expect("the old sandbox is back");
    assert_eq!((after.id, after.phase), (before.id, Phase::Running));
    let files = stage.engine.files(&data()).expect("there");
    assert_eq!(files["opened by"], old_image().0.into_bytes());
    assert_eq!(sessions(&stage), ["session/first"]);
}

#[tokio::test(start_paused = true)]
async fn a_failed_update_leaves_the_rollback_point_of_the_last_good_one() {
    let stage = updated().await;
    let point = stage.home.record().0.expect("a record").previous.expect("a way back");
    stage.server_is(Manner::Silent);
    let spec = Story::Reset.wish();
    let error = Story::Reset.play(&stage).await.expect_err("healthy?");
    assert!(matches!(error, ApplyError::NotReady { .. }), "{error:?}");
    stage.server_is(Manner::Good);
    assert_eq!(stage.home.record().0.expect("a record").previous, Some(point));
    let outcome = rollback(&stage, false).await.expect("the way back still works");
    assert_eq!((outcome.record.image, spec.port), (old_image(), 3000));
}

#[tokio::test]
async fn the_next_update_removes_what_only_the_last_way_back_needed() {
    let stage = updated().await;
    let point = stage.home.record().0.expect("a record").previous.expect("a way back");
    Story::Reset.play(&stage).await.expect("reset");
    assert_eq!(stage.engine.state(&point.container.aside), None);
    for copy in &point.copies {
        assert_eq!(stage.engine.files(&copy.copy), None, "{} is left", copy.copy);
    }
}

#[tokio::test]
async fn a_rollback_brings_back_the_container_and_its_data_and_can_itself_be_undone() {
    let stage = updated().await;
    let outcome = rollback(&stage, false).await.expect("rollback");
    assert_eq!(outcome.record.image, old_image());
    assert_eq!(sessions(&stage), ["session/first"]);
    let outcome = rollback(&stage, false).await.expect("and back again");
    assert_eq!(outcome.record.image, new_image());
    assert_eq!(sessions(&stage), ["session/first", "session/second"]);
}

#[tokio::test]
async fn a_rollback_can_leave_the_data_as_it_is() {
    let stage = updated().await;
    let outcome = rollback(&stage, true).await.expect("rollback");
    assert_eq!(outcome.record.image, old_image());
    assert_eq!(sessions(&stage), ["session/first", "session/second"]);
}

#[tokio::test]
async fn pu_002_a_rollback_without_a_sandbox_before_is_refused() {
    let stage = running().await;
    let seen = look(&stage, &wish()).await.expect("look");
    let previous = Previous { point: None, container: None };
    let decision = plan_rollback(&wish(), &seen, &previous, false, &Consent::yes());
    assert_eq!(decision, Decision::Refuse(Refusal::NoPrevious));
}

#[tokio::test]
async fn a_rollback_asks_first_and_says_what_becomes_of_the_data() {
    let stage = updated().await;
    let point = stage.home.record().0.expect("a record").previous.expect("a way back");
    let container = stage.engine.container(&point.container.aside).await.expect("look");
    let previous = Previous { point: Some(&point), container: container.as_ref() };
    let seen = look(&stage, &wish()).await.expect("look");
    let Decision::Ask(Question::GoBack { with_data, left_at, .. }) =
        plan_rollback(&wish(), &seen, &previous, false, &Consent::none())
    else {
        panic!("not asked")
    };
    assert_eq!((with_data, left_at), (true, point.left_at.clone()));
}

#[tokio::test]
async fn a_reset_keeps_what_there_was_until_the_next_update() {
    let stage = running().await;
    Story::Reset.play(&stage).await.expect("reset");
    assert_eq!(sessions(&stage), Vec::<String>::new());
    rollback(&stage, false).await.expect("rollback");
    assert_eq!(sessions(&stage), ["session/first"]);
}

#[tokio::test]
async fn an_update_without_a_copy_neither_copies_nor_tries() {
    let stage = running().await;
    let change = Change { snapshot: false, ..Change::of(Cause::Update) };
    let plan = plan_update(&stage, &change).await.expect("plan");
    assert_eq!(kinds(&plan)[..5], ["begin", "create", "files", "stop-old", "aside"]);
    let outcome = stage.apply(&Story::Update.wish(), &plan).await.expect("update");
    assert_eq!(outcome.record.previous.expect("a way back").copies, []);
}

#[tokio::test]
async fn pu_004_a_stopped_sandbox_is_updated_and_stopped_again() {
    let stage = running().await;
    let name = wish().instance.container();
    stage.engine.stop_container(&name, std::time::Duration::ZERO).await.expect("stop");
    let outcome = update(&stage).await.expect("update");
    let state = stage.engine.state(&name).expect("there");
    assert_eq!((state.image, state.phase), (new_image(), Phase::Exited));
    assert_eq!(outcome.record.image, new_image());
}

#[tokio::test]
async fn a_full_disk_while_copying_changes_nothing() {
    let stage = running().await;
    let full = |op, subject: &str| op == occ_engine::Op::CreateVolume && subject.contains('.');
    drop(stage.engine.clone().with_full_disk(full));
    update(&stage).await.expect_err("there was no room");
    let state = stage.engine.state(&wish().instance.container()).expect("there");
    assert_eq!((state.image, state.phase), (old_image(), Phase::Running));
    assert!(!stage.home.journal_path().exists());
}
