//! Several sandboxes, and taking one away without losing work.

use std::collections::{BTreeMap, BTreeSet};

use occ_engine::{Engine as _, FakeEngine, FakeImage, Life, Phase, Source};
use occ_image::guest;
use occ_sandbox::{
    Claim, Farewell, Instance, Leftovers, Marked, RemovalWish, Sandbox, SandboxSpec, Seen, Stages,
    Work, apply_prune, apply_removal, forsaken, gather, generate_password, halt_for_removal,
    observe_work, plan_prune, plan_removal,
};

use crate::stage::{BUILT, OURS, Stage, programs, wish};

const USER: u32 = 1000;
const ALL: RemovalWish = RemovalWish { volumes: true, discard_work: false };

fn named(name: &str) -> Instance {
    name.parse().expect("valid")
}

fn labels(instance: &str, user: u32) -> Vec<(String, String)> {
    vec![
        (guest::LABEL_INSTANCE.to_owned(), instance.to_owned()),
        (guest::LABEL_USER.to_owned(), user.to_string()),
    ]
}

/// An engine whose look into a workspace says this.
fn stage_that_says(work: &'static str) -> Stage {
    let engine = FakeEngine::new().with_image(BUILT, &FakeImage::new(&OURS, "amd64"));
    Stage::with_programs(engine, move |spec, volumes| {
        if spec.name.ends_with(".volumes") {
            Life::exits(0).saying(Source::Stdout, work)
        } else {
            programs(spec, volumes)
        }
    })
}

async fn fleet(stage: &Stage) -> Vec<Sandbox> {
    let containers = stage.engine.containers(guest::LABEL_INSTANCE).await.expect("containers");
    let volumes = stage.engine.volumes(guest::LABEL_INSTANCE).await.expect("volumes");
    gather(containers, volumes, Vec::new(), USER)
}

async fn first(stage: &Stage) -> Sandbox {
    fleet(stage).await.into_iter().next().expect("there is one")
}

async fn work(stage: &Stage) -> Work {
    let instance = Instance::first();
    let claim = Claim { instance: &instance, user: USER };
    observe_work(&stage.engine, claim, &first(stage).await, &stage.cancel).await.expect("look")
}

#[tokio::test]
async fn every_sandbox_has_its_own_things_and_those_of_others_are_left_out() {
    let stage = Stage::with_image();
    stage.start(&wish()).await.expect("start");
    let blue = SandboxSpec { instance: named("blue"), port: 3001, ..wish() };
    stage.start(&blue).await.expect("start");
    for (name, labels) in [
        ("opencode-cloud-sandbox-blue-data.2", labels("blue", USER)),
        ("opencode-cloud-sandbox-red-data", labels("red", USER)),
        ("opencode-cloud-sandbox-other-data", labels("other", 4242)),
        ("somebody-elses", labels("blue", USER)),
    ] {
        stage.engine.create_volume(name, &labels).await.expect("volume");
    }
    let fleet = fleet(&stage).await;
    let names: Vec<&str> = fleet.iter().map(|sandbox| sandbox.instance.name()).collect();
    assert_eq!(names, ["default", "blue", "red"]);
    let [first, blue, red] = fleet.as_slice() else { unreachable!() };
    assert_eq!((first.volumes.len(), first.side_volumes.len()), (6, 0));
    assert_eq!((blue.volumes.len(), blue.side_volumes.len()), (6, 1));
    assert!(first.container.is_some() && blue.container.is_some() && red.container.is_none());
    assert!(red.exists() && !red.is_known());
}

#[tokio::test]
async fn what_is_left_beside_a_sandbox_is_none() {
    let stage = Stage::with_image();
    let labels = labels("blue", USER);
    stage
        .engine
        .create_volume("opencode-cloud-sandbox-blue-data.2", &labels)
        .await
        .expect("volume");
    assert!(fleet(&stage).await.iter().all(|sandbox| !sandbox.exists()));
}

#[tokio::test]
async fn without_the_volumes_everything_that_lasts_stays() {
    let stage = stage_that_says("end\n");
    stage.start(&wish()).await.expect("start");
    let (sandbox, wish_to) = (first(&stage).await, RemovalWish::default());
    let planned = plan_removal(
        &sandbox,
        &stage.home,
        &BTreeMap::new(),
        &BTreeSet::new(),
        Work::default(),
        wish_to,
    );
    let Farewell::Ready(removal) = planned else { panic!("{planned:?}") };
    assert_eq!(removal.containers, ["opencode-cloud-sandbox"]);
    assert!(removal.volumes.is_empty() && removal.files.is_empty(), "{removal:?}");
    let occ_sandbox::TryLock::Held(lock) = stage.home.try_lock().expect("lock") else { panic!() };
    halt_for_removal(&stage.engine, &removal).await.expect("halt");
    apply_removal(&stage.engine, &removal, &lock).await.expect("removed");
    assert_eq!(stage.things(&wish()).await.len(), 6, "a volume is gone");
    assert!(stage.home.record().0.is_some());
}

#[tokio::test]
async fn with_the_volumes_nothing_of_it_is_left() {
    let stage = stage_that_says("repository\t./a\t0\t0\t0\t0\nend\n");
    stage.start(&wish()).await.expect("start");
    let labels = labels("default", USER);
    stage.engine.create_volume("opencode-cloud-sandbox-data.2", &labels).await.expect("volume");
    let work = work(&stage).await;
    let sizes = BTreeMap::from([("opencode-cloud-sandbox-data".to_owned(), 7)]);
    let planned =
        plan_removal(&first(&stage).await, &stage.home, &sizes, &BTreeSet::new(), work, ALL);
    let Farewell::Ready(removal) = planned else { panic!("{planned:?}") };
    let size = |name: &str| removal.volumes.iter().find(|one| one.name == name).map(|one| one.size);
    assert_eq!(size("opencode-cloud-sandbox-data"), Some(Some(7)));
    assert_eq!(size("opencode-cloud-sandbox-data.2"), Some(None));
    let occ_sandbox::TryLock::Held(lock) = stage.home.try_lock().expect("lock") else { panic!() };
    apply_removal(&stage.engine, &removal, &lock).await.expect("removed");
    assert_eq!(fleet(&stage).await, []);
    assert!(!stage.home.is_used(), "record or password stayed");
    assert!(stage.engine.calls().iter().all(|call| !call.contains("remove_image")));
}

#[tokio::test]
async fn work_that_is_nowhere_else_refuses_until_it_may_be_lost() {
    for said in [
        "repository\t./a\t1\t0\t0\t0\nend\n",
        "repository\t./a\t0\t1\t0\t0\nend\n",
        "repository\t./a\t0\t0\t1\t0\nend\n",
        "repository\t./a\t0\t0\t0\t1\nend\n",
        "broken\t./a\nend\n",
        "loose\tnotes\t1\nend\n",
        "repository\t./a\t0\t0\t0\t0\n",
    ] {
        let stage = stage_that_says(said);
        stage.start(&wish()).await.expect("start");
        let work = work(&stage).await;
        assert!(!work.is_none(), "{said:?} is no work");
        let sandbox = first(&stage).await;
        let (none, kept) = (BTreeMap::new(), BTreeSet::new());
        let planned = plan_removal(&sandbox, &stage.home, &none, &kept, work.clone(), ALL);
        assert!(matches!(planned, Farewell::WouldLose { .. }), "{said:?}: {planned:?}");
        let discard = RemovalWish { discard_work: true, ..ALL };
        let planned = plan_removal(&sandbox, &stage.home, &none, &kept, work, discard);
        assert!(matches!(planned, Farewell::Ready(_)), "{said:?}: {planned:?}");
        assert_eq!(stage.things(&wish()).await.len(), 7, "something was touched");
    }
}

#[tokio::test]
async fn what_nobody_needs_is_found_and_nothing_else() {
    let engine = FakeEngine::new()
        .with_image(BUILT, &FakeImage::new(&OURS, "amd64"))
        .with_image("opencode-cloud-sandbox:old", &FakeImage::new(&[OURS[0], OURS[2]], "amd64"))
        .with_image("debian:trixie", &FakeImage::new(&[], "amd64"));
    let stage = Stage::new(engine);
    stage.start(&wish()).await.expect("start");
    for (name, user) in [
        ("opencode-cloud-sandbox-red-data", USER),
        ("opencode-cloud-sandbox-data.2", USER),
        ("opencode-cloud-sandbox-other-data", 4242),
    ] {
        let instance = name.trim_start_matches("opencode-cloud-sandbox").trim_start_matches('-');
        let instance = instance.split_once('-').map_or("default", |(instance, _)| instance);
        stage.engine.create_volume(name, &labels(instance, user)).await.expect("volume");
    }
    let fleet = fleet(&stage).await;
    let made = stage.engine.containers(guest::LABEL_CONTRACT).await.expect("containers");
    let images = stage.engine.images(guest::LABEL_CONTRACT).await.expect("images");
    let plan = |with_volumes: bool, needed: &BTreeSet<String>| {
        let sizes = BTreeMap::new();
        let seen = Seen {
            fleet: &fleet,
            made_of_ours: &made,
            images: &images,
            sizes: &sizes,
            needed,
            stages: &Marked::default(),
            forsaken: &[],
        };
        plan_prune(seen, with_volumes)
    };
    let none = BTreeSet::new();
    let found = plan(false, &none);
    let names: Vec<_> = found.images.iter().map(|image| image.names.clone()).collect();
    assert_eq!(names, [["opencode-cloud-sandbox:old"]]);
    assert!(found.volumes.is_empty(), "volumes without being asked for");
    let volumes = |found: &Leftovers| -> Vec<String> {
        found.volumes.iter().map(|volume| volume.name.clone()).collect()
    };
    let all = plan(true, &none);
    assert_eq!(volumes(&all), ["opencode-cloud-sandbox-red-data", "opencode-cloud-sandbox-data.2"]);
    let needed = BTreeSet::from(["opencode-cloud-sandbox-data.2".to_owned()]);
    assert_eq!(volumes(&plan(true, &needed)), ["opencode-cloud-sandbox-red-data"]);

    let dir = tempfile::tempdir().expect("tempdir");
    let pruned = apply_prune(&stage.engine, &all, &Stages::new(dir.path())).await;
    assert_eq!(pruned.expect("pruned"), Vec::<String>::new());
    assert_eq!(stage.things(&wish()).await.len(), 7, "a thing of the sandbox is gone");
    assert!(stage.engine.image("debian:trixie").await.expect("look").is_some());
    assert!(stage.engine.image("opencode-cloud-sandbox:old").await.expect("look").is_none());
    let other = stage.engine.volume("opencode-cloud-sandbox-other-data").await;
    assert!(other.expect("look").is_some(), "a volume of another user is gone");
}

#[tokio::test]
async fn a_stage_whose_process_is_gone_goes_and_one_in_use_stays() {
    let stage = Stage::with_image();
    stage.start(&wish()).await.expect("start");
    let image = stage.engine.image(BUILT).await.expect("look").expect("it is there").id;
    let dir = tempfile::tempdir().expect("tempdir");
    let stages = Stages::new(dir.path());
    let mut marks = Vec::new();
    for tag in ["gone", "used"] {
        marks.push(stages.mark(tag).expect("mark"));
        let password = generate_password().expect("password");
        let made = occ_sandbox::Stage::new(&stage.engine, wish(), image.clone(), tag, password);
        made.make().await.expect("volumes");
        made.start().await.expect("container");
    }
    drop(marks.remove(0));
    let (fleet, sizes, none) = (fleet(&stage).await, BTreeMap::new(), BTreeSet::new());
    let marked = stages.look().expect("marks");
    let left = forsaken(&fleet, &marked, &sizes);
    let seen = Seen {
        fleet: &fleet,
        made_of_ours: &[],
        images: &[],
        sizes: &sizes,
        needed: &none,
        stages: &marked,
        forsaken: &left,
    };
    let found = plan_prune(seen, true);
    assert_eq!(found.stages[0].containers, ["opencode-cloud-sandbox.stage-gone"]);
    assert_eq!((found.stages.len(), found.stages[0].volumes.len()), (1, 6));
    assert!(found.containers.is_empty() && found.volumes.is_empty(), "{found:?}");

    apply_prune(&stage.engine, &found, &stages).await.expect("pruned");
    let phase = |name: &str| stage.engine.state(name).map(|state| state.phase);
    assert_eq!(phase("opencode-cloud-sandbox.stage-gone"), None);
    for name in ["opencode-cloud-sandbox.stage-used", "opencode-cloud-sandbox"] {
        assert_eq!(phase(name), Some(Phase::Running), "{name}");
    }
    assert_eq!(stages.look().expect("marks").forsaken, none);
}
