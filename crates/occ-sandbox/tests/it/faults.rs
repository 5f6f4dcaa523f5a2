//! Making a plan true, on every kind of bad day.

use std::time::Duration;

use occ_engine::{Error, Source};
use occ_engine::{FakeEngine, FakeImage, Life, Op};
use occ_sandbox::{ApplyError, Event, SandboxSpec, TryLock};

use crate::stage::{BUILT, Manner, OURS, Stage, wish};

/// Every call of the engine that changes something in a start from nothing.
const CHANGES: [Op; 5] =
    [Op::LoadImage, Op::CreateVolume, Op::CreateContainer, Op::Upload, Op::StartContainer];

fn refused() -> Error {
    Error::Refused { status: 500, message: "the disk is full".to_owned() }
}

#[tokio::test]
async fn a_failure_of_any_call_leaves_nothing_and_the_next_start_succeeds() {
    for op in CHANGES {
        let stage = Stage::empty();
        let plan = stage.plan(&wish()).await;
        stage.engine.fail_next(op, refused());
        let error = stage.apply(&wish(), &plan).await.expect_err("it was ignored");
        assert!(matches!(error, ApplyError::Engine { .. }), "{op}: {error:?}");
        assert_eq!(stage.things(&wish()).await, Vec::<String>::new(), "left after {op}");
        stage.start(&wish()).await.expect("the next start");
    }
}

#[tokio::test]
async fn an_engine_that_vanishes_at_any_call_does_not_stand_in_the_way_of_the_next_start() {
    for op in CHANGES {
        let stage = Stage::empty();
        let plan = stage.plan(&wish()).await;
        stage.engine.before(op, occ_engine::World::vanish);
        let error = stage.apply(&wish(), &plan).await.expect_err("it was ignored");
        assert!(matches!(error, ApplyError::Engine { .. }), "{op}: {error:?}");
        stage.engine.change(occ_engine::World::come_back);
        stage.start(&wish()).await.expect("the next start");
    }
}

#[tokio::test]
async fn a_wish_to_stop_at_any_step_leaves_nothing_and_the_next_start_succeeds() {
    let steps = Stage::empty().plan(&wish()).await.steps.len();
    for at in 1..=steps {
        let mut stage = Stage::empty();
        let plan = stage.plan(&wish()).await;
        {
            let TryLock::Held(lock) = stage.home.try_lock().expect("lock") else { panic!("busy") };
            let cancel = stage.cancel.clone();
            let observer = move |event| {
                if matches!(event, Event::Begin { number, .. } if number == at) {
                    cancel.cancel();
                }
            };
            let applied = stage.apply_watched(&wish(), &plan, &lock, &observer).await;
            assert!(matches!(applied, Err(ApplyError::Interrupted)), "step {at}: {applied:?}");
        }
        assert_eq!(stage.things(&wish()).await, Vec::<String>::new(), "left after step {at}");
        stage.cancel = occ_sandbox::Cancel::default();
        stage.start(&wish()).await.expect("the next start");
    }
}

#[tokio::test]
async fn a_container_that_ends_during_the_start_is_noticed_at_once_with_its_last_words() {
    let engine = FakeEngine::new().with_image(BUILT, &FakeImage::new(&OURS, "amd64"));
    let stage = Stage::with_programs(engine, |_, _| {
        Life::exits(3).saying(Source::Stderr, "no room for the database\n")
    });
    stage.server_is(Manner::Silent);
    let patient = SandboxSpec { start_timeout: Duration::from_secs(3600), ..wish() };
    let started = tokio::time::timeout(Duration::from_secs(10), stage.start(&patient)).await;
    let error = started.expect("it was not noticed").expect_err("it was taken for ready");
    let ApplyError::Exited { status, log } = error else { panic!("{error:?}") };
    assert_eq!(status.code, 3);
    assert_eq!(log, ["no room for the database"]);
    assert_eq!(stage.things(&wish()).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_container_removed_behind_our_back_is_said_to_be_gone() {
    let stage = Stage::with_image();
    let plan = stage.plan(&wish()).await;
    let name = wish().instance.container();
    stage.engine.after(Op::StartContainer, move |world| world.remove(&name));
    let error = stage.apply(&wish(), &plan).await.expect_err("it was ignored");
    let ApplyError::Engine { source: Error::NotFound { .. }, .. } = error else {
        panic!("{error:?}")
    };
    stage.start(&wish()).await.expect("the next start");
}

#[tokio::test]
async fn a_port_that_is_taken_at_the_last_moment_leaves_nothing() {
    let stage = Stage::new(
        FakeEngine::new().with_image(BUILT, &FakeImage::new(&OURS, "amd64")).with_taken_port(3000),
    );
    let error = stage.start(&wish()).await.expect_err("it was ignored");
    let ApplyError::Engine { source: Error::PortTaken { port, .. }, .. } = error else {
        panic!("{error:?}")
    };
    assert_eq!(port, 3000);
    assert_eq!(stage.things(&wish()).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_server_that_never_answers_ends_the_start_in_time_and_leaves_nothing() {
    let stage = Stage::with_image();
    stage.server_is(Manner::Silent);
    let spec = SandboxSpec { start_timeout: Duration::from_millis(100), ..wish() };
    let error = stage.start(&spec).await.expect_err("it was taken for ready");
    assert!(matches!(error, ApplyError::NotReady { .. }), "{error:?}");
    assert_eq!(stage.things(&wish()).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_folder_where_files_cannot_be_made_is_found_out_before_the_sandbox_is_made() {
    let dir = tempfile::tempdir().expect("tempdir");
    let owner = occ_sandbox::Owner { uid: 1234, gid: 1234 };
    let path = dir.path().to_owned();
    let workspace = occ_sandbox::Workspace::Folder { path, owner };
    let spec = SandboxSpec { workspace, ..wish() };
    let engine = FakeEngine::new().with_image(BUILT, &FakeImage::new(&OURS, "amd64"));
    let stage = Stage::with_programs(engine, |spec, _| {
        Life::exits(i64::from(spec.user.as_deref() != Some("0:0")))
    });
    let error = stage.start(&spec).await.expect_err("it was ignored");
    assert!(matches!(error, ApplyError::Probe(_)), "{error:?}");
    assert_eq!(stage.things(&spec).await, Vec::<String>::new());
}
