//! Releases that are cut off as by a killed process, everywhere.

use std::sync::atomic::{AtomicUsize, Ordering};

use occ_release::{Event, Journal, ReleasePlan, fetch_receipt, steps};
use serde_json::Value;

use crate::scene::{PATH, Scene};

/// Where a release is cut off.
#[derive(Debug, Clone, Copy)]
enum Cut {
    /// When so many steps are done.
    Steps(usize),
    /// When the registries were asked so often.
    Requests(usize),
}

impl Cut {
    /// Begins a release and drops it there.
    async fn make(self, scene: &Scene) -> ReleasePlan {
        let (plan, builds, objections) = scene.plan(&scene.wish("")).await;
        assert_eq!(objections, []);
        let before = asked(scene);
        let done = AtomicUsize::new(0);
        let observer = |event: Event| {
            if matches!(event, Event::Done { .. }) {
                done.fetch_add(1, Ordering::Relaxed);
            }
        };
        let reached = async {
            loop {
                let is = match self {
                    Self::Steps(steps) => done.load(Ordering::Relaxed) >= steps,
                    Self::Requests(requests) => asked(scene) - before >= requests,
                };
                if is {
                    return;
                }
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
        };
        let mut journal = Journal::begin(&scene.at(&plan), &plan).expect("a journal");
        tokio::select! {
            biased;
            () = reached => {}
            run = scene.run(&mut journal, &builds, &observer) => run.expect("nothing is wrong"),
        }
        plan
    }
}

fn asked(scene: &Scene) -> usize {
    scene.registries.iter().map(|registry| registry.asked("", "")).sum()
}

/// Whatever was cut off: a name that moves stands for nothing before everything has its own name everywhere.
fn nothing_half(scene: &Scene, plan: &ReleasePlan, cut: Cut) {
    let tags = scene.tags();
    let is_there = |moves: bool| {
        let of_kind = move |tag: &&occ_release::PlannedTag| tag.moves == moves;
        let names = plan.tags.iter().filter(of_kind).map(|tag| tag.tag.to_string());
        names
            .map(|name| tags.iter().filter(|tags| tags.contains_key(&name)).count())
            .collect::<Vec<_>>()
    };
    let some_moved = is_there(true).iter().any(|places| *places > 0);
    let all_fixed = is_there(false).iter().all(|places| *places == 2);
    assert!(!some_moved || all_fixed, "{cut:?}: {tags:?}");
}

async fn goes_on(scene: &Scene, plan: &ReleasePlan, cut: Cut) {
    let builds = scene.builds_of(plan);
    let mut journal = Journal::open(&scene.at(plan)).expect("a journal");
    scene.run(&mut journal, &builds, &|_| ()).await.unwrap_or_else(|error| {
        panic!("{cut:?}: {error}: {:?}", std::error::Error::source(&error))
    });
    let [one, other] = scene.tags();
    assert_eq!(one, other, "{cut:?}");
    let place = &scene.places[0];
    let (_, receipt) = fetch_receipt(place, &plan.channel).await.expect("an answer").expect("one");
    for planned in &plan.tags {
        let digest = receipt.digest_of(&planned.of).expect("it is on the receipt").to_string();
        assert_eq!(one[planned.tag.as_str()], digest, "{cut:?} {}", planned.tag);
    }
    // Nothing is said twice: each list of images has a signature for each of its versions, and its provenance.
    for index in receipt.indexes() {
        let said = if *index == receipt.base.digest { 2 } else { 3 };
        let tag = format!("sha256-{}", index.digest().hex());
        let (_, list) = scene.registries[1].manifest(PATH, &tag).expect("a list of referrers");
        let list: Value = serde_json::from_slice(&list).expect("JSON");
        assert_eq!(list["manifests"].as_array().map(Vec::len), Some(said), "{cut:?} {index}");
    }
}

#[tokio::test]
async fn a_release_killed_after_any_step_goes_on_and_does_nothing_twice() {
    let scene = Scene::small();
    let number = steps(&scene.plan(&scene.wish("")).await.0).len();
    assert!(number > 12, "{number}");
    for after in 0..number {
        let (scene, cut) = (Scene::small(), Cut::Steps(after));
        let plan = cut.make(&scene).await;
        nothing_half(&scene, &plan, cut);
        goes_on(&scene, &plan, cut).await;
    }
}

#[tokio::test]
async fn a_release_killed_between_any_two_requests_goes_on() {
    let whole = Scene::small();
    let before = {
        whole.plan(&whole.wish("")).await;
        asked(&whole)
    };
    whole.release("").await;
    // Planning is asked twice here, and was once in between.
    let requests = asked(&whole) - 2 * before;
    assert!(requests > 200, "{requests}");
    // A prime, so that every kind of request is met.
    for after in (1..requests).step_by(47) {
        let (scene, cut) = (Scene::small(), Cut::Requests(after));
        let plan = cut.make(&scene).await;
        nothing_half(&scene, &plan, cut);
        goes_on(&scene, &plan, cut).await;
    }
}
