//! Making a plan true, on a good day.

use occ_engine::{Engine as _, FakeImage, ImageId};
use occ_image::guest;
use occ_sandbox::{
    ApplyError, Event, ImageSource, ImageState, SandboxSpec, Source, TryLock, load_password,
};

use crate::stage::{Manner, OPENCODE, OURS, Stage, wish};

#[tokio::test]
async fn a_start_from_nothing_builds_runs_and_writes_down_what_runs() {
    let stage = Stage::empty();
    let outcome = stage.start(&wish()).await.expect("start");
    assert_eq!(outcome.record.opencode_version, OPENCODE);
    assert_eq!(stage.home.record().0, Some(outcome.record.clone()));
    let state = stage.home.image_state().0.expect("image state");
    assert_eq!((state.source, state.registry), (Source::Build, None));
    assert_eq!(state.image_id, Some(outcome.record.image));
}

#[tokio::test]
async fn the_password_is_in_a_file_of_the_user_and_nowhere_else() {
    let stage = Stage::with_image();
    stage.start(&wish()).await.expect("start");
    let password = load_password(&stage.home).expect("readable").expect("there");
    let name = wish().instance.container();
    let files = stage.engine.uploads(&name);
    assert_eq!(files.len(), 1);
    assert_eq!(files[0].path, guest::PASSWORD_FILE);
    assert_eq!(files[0].bytes, password.expose().as_bytes());
    assert_eq!((files[0].mode, files[0].owner), (0o400, (1000, 1000)));
    let state = stage.engine.container(&name).await.expect("look").expect("there");
    let shown = format!("{state:?} {:?} {:?}", stage.engine.spec(&name), stage.engine.calls());
    assert!(!shown.contains(password.expose().as_str()), "{shown}");
}

#[tokio::test]
async fn hosted_models_are_off_until_the_owner_allows_them() {
    let managed = |stage: &Stage| {
        let files = stage.engine.uploads(&wish().instance.container());
        files.into_iter().find(|file| file.path == guest::MANAGED_CONFIG)
    };
    let stage = Stage::with_image();
    stage.start(&wish()).await.expect("start");
    assert_eq!(managed(&stage), None, "the image's own is replaced without need");
    stage.start(&SandboxSpec { hosted_models: true, ..wish() }).await.expect("start");
    let file = managed(&stage).expect("put in");
    assert!(!String::from_utf8_lossy(&file.bytes).contains("disabled_providers"));
    assert_eq!((file.mode, file.owner), (0o644, (0, 0)));
}

#[tokio::test]
async fn a_prebuilt_image_is_remembered_with_its_registry() {
    let stage = Stage::empty();
    let (name, digest) = stage.publish(&FakeImage::new(&OURS, "amd64"));
    let missing = "localhost:1/prizz/opencode-cloud-sandbox:0.1.0".to_owned();
    let names = vec![missing.clone(), name];
    let spec = SandboxSpec { image: ImageSource::Prebuilt(names), ..wish() };
    stage.start(&spec).await.expect("start");
    let state = stage.home.image_state().0.expect("image state");
    assert_eq!(state.source, Source::Prebuilt);
    assert_eq!((state.registry, state.digest), (Some(stage.registry().host()), Some(digest)));
    let events = stage.events.lock().expect("lock");
    let failed =
        |event: &Event| matches!(event, Event::PullFailed { name, .. } if *name == missing);
    assert!(events.iter().any(failed), "the first registry's failure was kept quiet");
}

#[tokio::test]
async fn a_pulled_image_of_somebody_else_is_not_run() {
    let stage = Stage::empty();
    let (name, _) = stage.publish(&FakeImage::new(&[], "amd64"));
    let spec = SandboxSpec { image: ImageSource::Prebuilt(vec![name]), ..wish() };
    let occ_sandbox::Decision::Ready(plan) =
        stage.decide(&spec, &occ_sandbox::Consent::none()).await
    else {
        panic!("asked")
    };
    let error = stage.apply(&spec, &plan).await.expect_err("it ran");
    let ApplyError::Pull { attempts } = error else { panic!("{error:?}") };
    assert!(attempts[0].why.contains("not made by opencode-cloud"), "{attempts:?}");
    assert_eq!(stage.things(&spec).await, Vec::<String>::new());
    assert!(!stage.engine.calls().iter().any(|call| call.starts_with("load_image")));
}

#[tokio::test]
async fn an_image_that_was_built_before_is_known_to_be_built() {
    let stage = Stage::with_image();
    let outcome = stage.start(&wish()).await.expect("start");
    let state = stage.home.image_state().0.expect("image state");
    assert_eq!((state.source, state.image_id), (Source::Build, Some(outcome.record.image)));
}

#[tokio::test]
async fn an_image_that_was_pulled_is_known_to_be_pulled_although_it_was_built_here_too() {
    let stage = Stage::empty();
    let (name, _) = stage.publish(&FakeImage::new(&OURS, "amd64"));
    let spec = SandboxSpec { image: ImageSource::Prebuilt(vec![name]), ..wish() };
    let record = stage.start(&spec).await.expect("start").record;
    let pulled = record.acquired.clone().expect("it is known");
    let built = format!("{}:built-here", guest::LOCAL_REPOSITORY);
    stage.engine.tag_image(&record.image, &built).await.expect("a second name");
    // What an update to another image leaves when it is rolled back.
    let other = ImageState { image_id: Some(ImageId("sha256:other".into())), ..pulled.clone() };
    let TryLock::Held(lock) = stage.home.try_lock().expect("lock") else { panic!("busy") };
    stage.home.save_image_state(&other, &lock).expect("write");
    drop(lock);
    let again = stage.start(&SandboxSpec { hosted_models: true, ..spec }).await.expect("start");
    assert_eq!(again.record.acquired, Some(pulled.clone()));
    assert_eq!(stage.home.image_state().0, Some(pulled));
}

#[tokio::test]
async fn an_open_door_stops_even_a_sandbox_that_ran_before() {
    let stage = Stage::with_image();
    stage.start(&wish()).await.expect("start");
    stage.server_is(Manner::Open);
    let error = stage.start(&wish()).await.expect_err("it was left open");
    assert!(matches!(error, ApplyError::DoorOpen(_)), "{error:?}");
    let things = stage.things(&wish()).await;
    assert_eq!(things[0], "opencode-cloud-sandbox: Exited");
    assert_eq!(things.len(), 7, "volumes were lost: {things:?}");
}

#[tokio::test]
async fn a_server_that_does_not_answer_leaves_a_running_sandbox_running() {
    let stage = Stage::with_image();
    stage.start(&wish()).await.expect("start");
    stage.server_is(Manner::Silent);
    let spec = SandboxSpec { start_timeout: std::time::Duration::from_millis(50), ..wish() };
    let error = stage.start(&spec).await.expect_err("ready");
    assert!(matches!(error, ApplyError::NotReady { .. }), "{error:?}");
    assert_eq!(stage.things(&wish()).await[0], "opencode-cloud-sandbox: Running");
}
