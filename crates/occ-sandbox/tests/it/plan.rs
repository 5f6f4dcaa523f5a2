//! What follows from a wish and an observation: read it as a story.

use std::path::PathBuf;

use occ_engine::{Engine as _, EngineFacts};
use occ_engine::{FakeEngine, FakeImage};
use occ_sandbox::{
    Consent, Decision, Drift, FolderProblem, ImageSource, Owner, Plan, PortState, Question,
    Refusal, Step, Topic, Workspace,
};
use proptest::prelude::*;

use crate::stage::{BUILT, OURS, PREBUILT, Stage, wish};

pub(crate) fn kinds(plan: &Plan) -> Vec<&'static str> {
    plan.steps
        .iter()
        .map(|step| match step {
            Step::Pull { .. } => "pull",
            Step::Build { .. } => "build",
            Step::CreateVolume { .. } => "volume",
            Step::OwnVolumes { .. } => "own",
            Step::ProveFolder { .. } => "prove-folder",
            Step::CreateContainer { .. } => "create",
            Step::ProveMounts { .. } => "prove-mounts",
            Step::InsertFiles { .. } => "files",
            Step::Unpause => "unpause",
            Step::StopContainer => "stop",
            Step::StartContainer => "start",
            Step::AwaitReady { .. } => "ready",
            Step::ProveLocked => "locked",
            Step::Record => "record",
            Step::BeginChange { .. } => "begin",
            Step::CopyForTrial { .. } => "copy",
            Step::StartTrial { .. } => "try",
            Step::AwaitTrial { .. } => "tried",
            Step::RemoveTrial => "trial-over",
            Step::StopOld => "stop-old",
            Step::Snapshot => "snapshot",
            Step::SetAside { .. } => "aside",
            Step::TakePlace { .. } => "take-place",
            Step::CopyAhead { .. } => "copy-ahead",
            Step::PutBack { .. } => "put-back",
            Step::Empty { .. } => "empty",
            Step::KeepSessions => "sessions",
            Step::Fill { .. } => "fill",
            Step::FinishChange => "finish",
        })
        .collect()
}

const VOLUMES: [&str; 6] = ["volume"; 6];
const RUN: [&str; 6] = ["create", "files", "start", "ready", "locked", "record"];
/// The same in a change, up to where it is over, from where the old container is out of the way.
const RUN_CHANGED: [&str; 7] =
    ["take-place", "start", "ready", "sessions", "locked", "record", "finish"];

#[tokio::test]
async fn from_nothing_the_image_comes_first_and_the_proof_last() {
    let stage = Stage::empty();
    let plan = stage.plan(&wish()).await;
    assert_eq!(kinds(&plan), [&["build"][..], &VOLUMES, &RUN].concat());
}

#[tokio::test]
async fn an_image_that_is_there_is_used() {
    let stage = Stage::with_image();
    let plan = stage.plan(&wish()).await;
    assert_eq!(kinds(&plan), [&VOLUMES[..], &RUN].concat());
    assert_eq!(plan.image, Some(FakeImage::new(&OURS, "amd64").id()));
}

#[tokio::test]
async fn a_prebuilt_image_is_pulled_and_built_only_with_consent() {
    let stage = Stage::empty();
    let spec = occ_sandbox::SandboxSpec {
        image: ImageSource::Prebuilt(vec![PREBUILT.to_owned()]),
        ..wish()
    };
    for (consent, expected) in [(Consent::none(), false), (Consent::yes(), true)] {
        let Decision::Ready(plan) = stage.decide(&spec, &consent).await else { panic!("asked") };
        let names = vec![PREBUILT.to_owned()];
        assert_eq!(plan.steps[0], Step::Pull { names, then_build: expected });
    }
}

#[tokio::test]
async fn a_running_sandbox_needs_nothing_but_the_proof() {
    let stage = Stage::with_image();
    stage.start(&wish()).await.expect("start");
    let plan = stage.plan(&wish()).await;
    assert_eq!(kinds(&plan), ["ready", "locked", "record"]);
    assert!(!plan.changes_something());
}

#[tokio::test]
async fn a_stopped_paused_or_looping_sandbox_is_brought_back_as_it_is() {
    let stage = Stage::with_image();
    let name = wish().instance.container();
    stage.start(&wish()).await.expect("start");
    stage.engine.change(|world| world.pause(&name));
    let plan = stage.plan(&wish()).await;
    assert_eq!(kinds(&plan), ["unpause", "ready", "locked", "record"]);
    stage.apply(&wish(), &plan).await.expect("unpaused");
    stage.engine.change(|world| world.remove(&name));
    assert_eq!(kinds(&stage.plan(&wish()).await), RUN);
}

#[tokio::test]
async fn a_restart_stops_what_runs_and_starts_it_whatever_phase_it_is_in() {
    let stage = Stage::with_image();
    let name = wish().instance.container();
    let restart = || async {
        let seen = stage.look(&wish()).await;
        match occ_sandbox::plan_restart(&wish(), &seen, BUILT, &Consent::none()) {
            Decision::Ready(plan) => plan,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(kinds(&restart().await), [&VOLUMES[..], &RUN].concat());
    stage.start(&wish()).await.expect("start");
    let proof = ["start", "ready", "locked", "record"];
    let plan = restart().await;
    assert_eq!(kinds(&plan), [&["files", "stop"][..], &proof].concat());
    let before = stage.engine.state(&name).expect("there");
    stage.engine.change(|world| world.advance(60));
    stage.apply(&wish(), &plan).await.expect("restarted");
    let after = stage.engine.state(&name).expect("there");
    assert_eq!(after.id, before.id);
    assert_ne!(after.started_at, before.started_at);
    stage.engine.change(|world| world.pause(&name));
    assert_eq!(kinds(&restart().await), [&["stop", "files"][..], &proof].concat());
    stage.engine.stop_container(&name, std::time::Duration::ZERO).await.expect("stop");
    assert_eq!(kinds(&restart().await), [&["files"][..], &proof].concat());
}

#[tokio::test]
async fn a_changed_wish_asks_before_it_replaces_what_runs_and_names_what_changed() {
    let stage = Stage::with_image();
    stage.start(&wish()).await.expect("start");
    let spec = occ_sandbox::SandboxSpec { port: 3005, ..wish() };
    let decision = stage.decide(&spec, &Consent::none()).await;
    let drift = vec![Drift::Setting { name: "port".into(), from: 3000.into(), to: 3005.into() }];
    assert_eq!(decision, Decision::Ask(Question::Replace { drift }));

    let mut consent = Consent::none();
    consent.add(Topic::Replace);
    let Decision::Ready(plan) = stage.decide(&spec, &consent).await else { panic!("asked again") };
    let ahead = ["begin", "create", "files", "stop-old", "aside"];
    assert_eq!(kinds(&plan), [&ahead[..], &RUN_CHANGED].concat());
}

#[tokio::test]
async fn a_stopped_sandbox_is_replaced_without_a_question() {
    let stage = Stage::with_image();
    stage.start(&wish()).await.expect("start");
    let name = wish().instance.container();
    stage.engine.stop_container(&name, std::time::Duration::ZERO).await.expect("stop");
    let spec = occ_sandbox::SandboxSpec { port: 3005, ..wish() };
    let Decision::Ready(plan) = stage.decide(&spec, &Consent::none()).await else {
        panic!("asked")
    };
    let ahead = ["begin", "create", "files", "aside"];
    assert_eq!(kinds(&plan), [&ahead[..], &RUN_CHANGED].concat());
}

/// To create a container gives its empty volumes to the image's user: not while somebody else works there.
#[tokio::test]
async fn what_belongs_to_another_user_than_the_images_is_made_after_the_old_one_is_away() {
    let stage = Stage::with_image();
    stage.start(&wish()).await.expect("start");
    let plan = stage.plan(&folder(1234)).await;
    let kinds = kinds(&plan);
    let at = |kind| kinds.iter().position(|one| *one == kind).unwrap_or_else(|| panic!("{kind}"));
    assert!(at("stop-old") < at("create") && at("create") < at("own"), "{kinds:?}");
    assert!(!kinds.contains(&"take-place"), "{kinds:?}");
}

#[tokio::test]
async fn a_container_of_somebody_else_is_never_touched() {
    let stage = Stage::with_image();
    let image = FakeImage::new(&OURS, "amd64").id();
    let mut foreign = wish().container(image);
    foreign.labels.clear();
    stage.engine.create_container(&foreign).await.expect("create");
    let decision = stage.decide(&wish(), &Consent::yes()).await;
    let name = wish().instance.container();
    assert_eq!(decision, Decision::Refuse(Refusal::Foreign { name }));
}

#[tokio::test]
async fn a_sandbox_of_another_user_is_never_touched_neither_its_container_nor_its_volumes() {
    let stage = Stage::with_image();
    stage.start(&wish()).await.expect("start");
    let other = occ_sandbox::SandboxSpec { user: 1001, ..wish() };
    let refused =
        |name: String| Decision::Refuse(Refusal::OtherUser { name, user: wish().user.to_string() });
    let container = wish().instance.container();
    assert_eq!(stage.decide(&other, &Consent::yes()).await, refused(container.clone()));
    stage.engine.change(|world| world.remove(&container));
    let volume = wish().instance.volume("data");
    assert_eq!(stage.decide(&other, &Consent::yes()).await, refused(volume));
}

#[tokio::test]
async fn a_volume_without_labels_was_brought_back_by_its_owner_and_is_used() {
    let stage = Stage::with_image();
    let volume = wish().instance.volume("data");
    stage.engine.create_volume(&volume, &[]).await.expect("create");
    assert_eq!(kinds(&stage.plan(&wish()).await), [&VOLUMES[..5], &RUN].concat());
}

#[tokio::test]
async fn an_image_made_by_something_else_is_refused_and_building_is_offered() {
    let foreign = FakeImage::new(&[], "amd64");
    let stage = Stage::new(FakeEngine::new().with_image(BUILT, &foreign));
    let Decision::Ask(Question::BuildInstead { because }) =
        stage.decide(&wish(), &Consent::none()).await
    else {
        panic!("not asked")
    };
    assert_eq!(because, [format!("the image was not made by opencode-cloud: {BUILT}")]);
    assert_eq!(kinds(&stage.plan(&wish()).await)[0], "build");
}

#[tokio::test]
async fn an_image_of_another_contract_is_named_with_both_versions() {
    let labels = [(occ_image::guest::LABEL_CONTRACT, "99")];
    let stage = Stage::new(FakeEngine::new().with_image(BUILT, &FakeImage::new(&labels, "amd64")));
    let Decision::Ask(Question::BuildInstead { because }) =
        stage.decide(&wish(), &Consent::none()).await
    else {
        panic!("not asked")
    };
    assert_eq!(
        because,
        [format!("the image keeps guest contract 99, this program knows 1: {BUILT}")]
    );
}

#[tokio::test]
async fn a_taken_port_is_refused_before_anything_is_touched() {
    let mut stage = Stage::with_image();
    let by = Some(("nginx".to_owned(), 7));
    stage.port = PortState::Taken { by: by.clone(), next_free: Some(3001) };
    let decision = stage.decide(&wish(), &Consent::yes()).await;
    assert_eq!(
        decision,
        Decision::Refuse(Refusal::PortTaken { port: 3000, by, next_free: Some(3001) })
    );
}

fn folder(uid: u32) -> occ_sandbox::SandboxSpec {
    let owner = Owner { uid, gid: uid };
    let workspace = Workspace::Folder { path: PathBuf::from("/srv/project"), owner };
    occ_sandbox::SandboxSpec { workspace, ..wish() }
}

#[tokio::test]
async fn a_folder_is_proved_and_the_volumes_given_to_its_owner() {
    let stage = Stage::with_image();
    let plan = stage.plan(&folder(1234)).await;
    let volumes = ["volume"; 5];
    let (create, run) = RUN.split_at(1);
    let steps = [&volumes[..], &["prove-folder"], create, &["own"], run].concat();
    assert_eq!(kinds(&plan), steps);
    let Step::CreateContainer { container } = &plan.steps[6] else { panic!("not create") };
    assert_eq!(container.user.as_deref(), Some("1234:1234"));
}

#[tokio::test]
async fn a_folder_that_cannot_work_is_explained_before_anything_starts() {
    let facts = |change: fn(&mut EngineFacts)| async move {
        let mut facts = FakeEngine::new().facts().await.expect("facts");
        change(&mut facts);
        Stage::new(FakeEngine::new().with_facts(facts))
    };
    let table = [
        (facts(|_| ()).await, 0, FolderProblem::OwnedByRoot),
        (facts(|f| f.rootless = true).await, 1000, FolderProblem::RootlessEngine),
        (facts(|f| f.userns_remap = true).await, 1000, FolderProblem::RemappedUsers),
        (facts(|f| f.local = false).await, 1000, FolderProblem::RemoteEngine),
    ];
    for (stage, uid, why) in table {
        let decision = stage.decide(&folder(uid), &Consent::yes()).await;
        let path = PathBuf::from("/srv/project");
        assert_eq!(decision, Decision::Refuse(Refusal::Folder { path, why }));
    }
}

#[tokio::test]
async fn limits_that_the_engine_cannot_enforce_are_not_asked_for() {
    let mut facts = FakeEngine::new().facts().await.expect("facts");
    facts.cpus = 1;
    facts.can_limit.pids = false;
    let stage = Stage::new(
        FakeEngine::new().with_facts(facts).with_image(BUILT, &FakeImage::new(&OURS, "amd64")),
    );
    let plan = stage.plan(&wish()).await;
    let Step::CreateContainer { container } = &plan.steps[6] else { panic!("not create") };
    let limits = container.limits;
    assert_eq!((limits.cpu_millis, limits.pids), (Some(1000), None));
    stage.apply(&wish(), &plan).await.expect("start");
    assert!(!stage.plan(&wish()).await.changes_something(), "it drifts from itself");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is wished: once it is true, there is nothing left to do; and what differs afterwards
    /// is named.
    #[test]
    fn a_second_plan_after_apply_changes_nothing(
        port in 1024_u16..,
        memory in prop::option::of(1_u64 << 28..1 << 40),
        pids in prop::option::of(64_u32..100_000),
        strict: bool,
        restart in prop::sample::select(vec![
            occ_engine::RestartPolicy::No,
            occ_engine::RestartPolicy::OnFailure(3),
            occ_engine::RestartPolicy::UnlessStopped,
        ]),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut spec = wish();
            spec.port = port;
            spec.limits.memory = memory;
            spec.limits.pids = pids;
            spec.restart = restart;
            if !strict {
                let kept = [occ_engine::Capability::Chown].into();
                spec.isolation = occ_engine::Isolation::Capabilities(kept);
            }
            let stage = Stage::with_image();
            stage.start(&spec).await.expect("start");
            let again = stage.decide(&spec, &Consent::none()).await;
            let Decision::Ready(plan) = again else { panic!("asked: {again:?}") };
            prop_assert!(!plan.changes_something(), "{plan:?}");
            Ok(())
        })?;
    }
}
