//! Bringing an image while another runs, and starting with what arrived.

use occ_engine::{Error, FakeImage, ImageId, Op};
use occ_sandbox::{
    Acquire, ApplyError, Consent, Decision, Drift, Event, ImageSource, Mismatch, Question, Reuse,
    SandboxSpec, Source, Step, Topic,
};

use crate::stage::{BUILT, OURS, Stage, wish};

/// The image that a registry has, newer than the one that runs.
fn newer() -> FakeImage {
    FakeImage::new(&[&OURS[..], &[("made", "later")]].concat(), "amd64")
}

/// An engine with the built image, and a registry with a newer one.
fn stage() -> Stage {
    let stage = Stage::with_image();
    stage.publish(&newer());
    stage
}

fn prebuilt(stage: &Stage) -> String {
    stage.publish(&newer()).0
}

fn pull(stage: &Stage) -> SandboxSpec {
    let image = ImageSource::Prebuilt(vec![prebuilt(stage)]);
    SandboxSpec { image, acquire: Acquire::Anew(Reuse::Kept), ..wish() }
}

fn with(image: ImageId) -> SandboxSpec {
    SandboxSpec { acquire: Acquire::This(image), ..wish() }
}

#[tokio::test]
async fn lif_010_bringing_an_image_asks_while_the_sandbox_runs_and_touches_no_container() {
    let stage = stage();
    stage.start(&wish()).await.expect("start");
    let asked = stage.decide(&pull(&stage), &Consent::none()).await;
    assert_eq!(asked, Decision::Ask(Question::Rebuild { drift: vec![] }));

    let mut consent = Consent::none();
    consent.add(Topic::Replace);
    let Decision::Ready(plan) = stage.decide(&pull(&stage), &consent).await else {
        panic!("asked")
    };
    let names = vec![prebuilt(&stage)];
    assert_eq!(plan.steps, [Step::Pull { names, then_build: false }]);
    let before = stage.things(&wish()).await;
    assert_eq!(stage.bring(&plan).await.expect("brought"), newer().id());
    assert_eq!(stage.things(&wish()).await, before);
    let state = stage.home.image_state().0.expect("a state");
    assert_eq!((state.source, state.registry), (Source::Prebuilt, Some(stage.registry().host())));
    assert_eq!(state.digest, Some(stage.publish(&newer()).1));
}

#[tokio::test]
async fn pf_003_lif_011_the_image_that_arrived_replaces_another_one_and_data_stays() {
    let stage = stage();
    stage.start(&wish()).await.expect("start");
    let plan = stage.plan(&pull(&stage)).await;
    let image = stage.bring(&plan).await.expect("brought");
    let Decision::Ask(Question::Replace { drift }) =
        stage.decide(&with(image.clone()), &Consent::none()).await
    else {
        panic!("not asked")
    };
    let from = FakeImage::new(&OURS, "amd64").id();
    assert_eq!(drift, [Drift::Image { from, to: image.clone() }]);

    let outcome = stage.start(&with(image.clone())).await.expect("start");
    assert_eq!(outcome.record.image, image);
    assert!(
        !stage
            .engine
            .calls()
            .iter()
            .any(|call| call.starts_with("remove_volume") && !call.contains('.'))
    );
    // From now on it is the one that is there.
    assert!(!stage.plan(&wish()).await.changes_something());
}

#[tokio::test]
async fn an_image_that_turns_out_to_be_the_one_that_runs_replaces_nothing() {
    let stage = Stage::with_image();
    stage.start(&wish()).await.expect("start");
    let spec = SandboxSpec { acquire: Acquire::Anew(Reuse::Nothing), ..wish() };
    let plan = stage.plan(&spec).await;
    assert_eq!(plan.steps, [Step::Build { name: BUILT.to_owned(), reuse: Reuse::Nothing }]);
    let built = stage.bring(&plan).await.expect("built");
    stage.start(&with(built.clone())).await.expect("start");
    let again = stage.bring(&plan).await.expect("built");
    assert_eq!(again, built);
    assert!(!stage.plan(&with(again)).await.changes_something());
}

#[tokio::test]
async fn a_stopped_sandbox_is_not_asked_about() {
    let stage = stage();
    stage.start(&wish()).await.expect("start");
    let name = wish().instance.container();
    stage.engine.change(|world| world.remove(&name));
    assert!(matches!(stage.decide(&pull(&stage), &Consent::none()).await, Decision::Ready(_)));
}

#[tokio::test]
async fn an_image_that_does_not_arrive_leaves_the_sandbox_running_and_its_provenance() {
    let stage = stage();
    stage.start(&wish()).await.expect("start");
    let (things, state) = (stage.things(&wish()).await, stage.home.image_state().0);
    stage.engine.fail_next(Op::LoadImage, Error::Refused { status: 500, message: "x".into() });
    let mut consent = Consent::none();
    consent.add(Topic::Replace);
    let Decision::Ready(plan) = stage.decide(&pull(&stage), &consent).await else {
        panic!("asked")
    };
    let error = stage.bring(&plan).await.expect_err("the pull failed");
    assert!(error.to_string().starts_with("Failed to pull prebuilt image: "), "{error}");
    assert!(matches!(error, ApplyError::Pull { .. }));
    assert_eq!(stage.things(&wish()).await, things);
    assert_eq!(stage.home.image_state().0, state);
}

#[tokio::test]
async fn acq_012_every_registry_is_named_before_it_is_asked() {
    let stage = stage();
    let mirror = "localhost:1/prizz/opencode-cloud-sandbox:0.1.0".to_owned();
    let image = ImageSource::Prebuilt(vec![mirror.clone(), prebuilt(&stage)]);
    let plan = stage.plan(&SandboxSpec { image, ..pull(&stage) }).await;
    stage.bring(&plan).await.expect("the second one has it");
    let events = stage.events.lock().expect("lock");
    let named: Vec<&str> = events
        .iter()
        .filter_map(|event| if let Event::Pulling { name } = event { Some(&**name) } else { None })
        .collect();
    assert_eq!(named, [&mirror, &prebuilt(&stage)]);
}

#[tokio::test]
async fn the_version_compared_is_that_of_the_image_which_a_start_would_run() {
    let expected = Some(Mismatch { image: "0.1.0".into(), cli: "0.2.0".into() });
    let stage = stage();
    let seen = stage.look(&wish()).await;
    assert_eq!((seen.mismatch("0.2.0"), seen.mismatch("0.1.0")), (expected.clone(), None));
    assert!(!seen.lacks_image());
    stage.start(&wish()).await.expect("start");
    assert_eq!(stage.look(&wish()).await.mismatch("0.2.0"), expected);
    let empty = Stage::empty().look(&wish()).await;
    assert_eq!((empty.mismatch("0.2.0"), empty.lacks_image()), (None, true));
}

#[tokio::test]
async fn cfg_009_cfg_010_the_image_state_is_kept_replaced_and_forgotten() {
    let stage = stage();
    let plan = stage.plan(&pull(&stage)).await;
    stage.bring(&plan).await.expect("brought");
    let text = std::fs::read_to_string(stage.home.image_state_path()).expect("a file");
    assert!(text.starts_with("{\n  \"version\": \"0.1.0\""), "not pretty: {text}");
    let occ_sandbox::TryLock::Held(lock) = stage.home.try_lock().expect("lock") else {
        panic!("busy")
    };
    for _ in 0..2 {
        stage.home.clear_image_state(&lock).expect("cleared");
        assert_eq!(stage.home.image_state(), (None, None));
    }
}
