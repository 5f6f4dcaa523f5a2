//! Releases that go well.

use std::num::NonZeroUsize;

use occ_release::{BaseDecision, Record, Smoked, Step, fetch_receipt, steps};

use crate::scene::{Scene, VARIANTS, channel};

#[tokio::test]
async fn a_release_names_everything_in_both_registries_and_proves_it() {
    let scene = Scene::new();
    let plan = scene.release("").await;
    let [one, other] = scene.tags();
    // The queue has not begun, so that both have the same names for the same bytes.
    assert_eq!(one, other);
    let (_, receipt) = fetch_receipt(&scene.places[1], &plan.channel)
        .await
        .expect("the registry answers")
        .expect("a receipt");
    for planned in &plan.tags {
        let digest = receipt.digest_of(&planned.of).expect("it is on the receipt").to_string();
        assert_eq!(one[planned.tag.as_str()], digest, "{}", planned.tag);
    }
    let version = scene.opencode();
    for variant in VARIANTS {
        let ending = if variant == "base" { String::new() } else { format!("-{variant}") };
        let latest = &one[&format!("latest{ending}")];
        assert_eq!(*latest, one[&format!("v{version}{ending}")]);
        for name in ["0.1.0", "0.1", "0"] {
            assert_eq!(*latest, one[&format!("{name}{ending}")]);
        }
    }
    assert_eq!(one["base-latest"], one[&plan.base.name]);
    // Two images for each of four variants and the base, and their lists: a signature for each version, which the
    // base has not, and provenance; and a bill of materials for each image.
    assert_eq!(receipt.proofs.len(), 4 * 3 * 3 + 3 * 2 + 5 * 2);
    assert_eq!(receipt.smoke.len(), 8);
    assert!(receipt.smoke.iter().all(|tried| matches!(tried.result, Smoked::Passed { .. })));
    assert_eq!(receipt.scans.len(), 8);
    assert!(receipt.gaps.is_empty());
    assert!(receipt.packages["linux/arm64"].contains_key("git"));
    let image = &receipt.variants[0].images[0];
    assert_eq!(image.layers.last().expect("layers").name, "guest");
    assert_eq!(image.tools["opencode"], version);
}

#[tokio::test]
async fn as_many_images_run_at_once_as_may_and_no_more() {
    for at_once in [1, 3] {
        let scene = Scene::new();
        scene.hands.at_once.set(NonZeroUsize::new(at_once).expect("not 0"));
        scene.release("").await;
        assert_eq!(
            (scene.hands.smoked.borrow().len(), scene.hands.most_running.get()),
            (8, at_once)
        );
    }
}

#[tokio::test]
async fn the_next_release_uses_the_base_again_and_sends_only_what_is_new() {
    let scene = Scene::new();
    let first = scene.release("").await;
    assert!(matches!(first.base.decision, BaseDecision::Build { .. }));
    scene.later();
    scene.hands.built.borrow_mut().clear();
    let blobs = |number: usize| scene.registries[number].asked("PUT", "/blobs/uploads/");
    let before = [blobs(0), blobs(1)];
    let second = scene.release("b").await;
    assert!(matches!(second.base.decision, BaseDecision::Reuse { .. }), "{}", second.base.decision);
    let bases: Vec<_> = {
        let (_, builds, _) = scene.plan(&scene.wish("c")).await;
        builds.iter().flat_map(|plan| plan.base.layers()).map(|(_, key)| key).collect()
    };
    let built = scene.hands.built.borrow();
    assert!(!built.is_empty() && built.iter().all(|key| !bases.contains(key)));
    // The eight configurations, what is said of them, the receipt; no layer of the base, no tool.
    assert!(blobs(0) - before[0] < 60, "{}", blobs(0) - before[0]);
    let tags = scene.tags();
    assert_eq!(tags[0], tags[1]);
    assert_eq!(tags[0]["latest"], tags[0][&second.channel.to_string()]);
    assert_ne!(tags[0]["latest"], tags[0][&first.channel.to_string()]);
    assert_eq!(second.before.len(), 2 * second.tags.iter().filter(|tag| tag.moves).count());
}

#[tokio::test]
async fn a_registry_that_lost_the_base_gets_it_from_the_one_that_has_it() {
    let scene = Scene::new();
    scene.release("").await;
    scene.later();
    let fresh = Scene::new();
    // The same key and folder of layers, another second registry.
    let Scene { registries: [_, second], .. } = fresh;
    let Scene { registries: [first, _], hands, policy, .. } = scene;
    let scene = Scene { registries: [first, second], hands, policy, ..Scene::new() };
    let scene = scene.with_clients();
    let plan = scene.release("b").await;
    let first = plan.places[0].clone();
    assert!(matches!(&plan.base.decision, BaseDecision::Reuse { at, .. } if *at == first));
    let [one, other] = scene.tags();
    assert_eq!(one[&plan.base.name], other[&plan.base.name]);
    assert_eq!(one["latest"], other["latest"]);
}

#[tokio::test]
async fn a_test_run_moves_nothing_and_edge_moves_only_itself() {
    let scene = Scene::new();
    let released = scene.release("").await;
    let latest = scene.tags()[0]["latest"].clone();
    scene.later();
    let wish = occ_release::Wish { promote: false, ..scene.wish("b") };
    scene.release_wish(&wish).await;
    scene.later();
    scene.release_wish(&scene.wish_as("edge")).await;
    let [tags, _] = scene.tags();
    assert_eq!(tags["latest"], latest);
    assert_eq!(tags["latest"], tags[&released.channel.to_string()]);
    assert_ne!(tags[&format!("v{}b", scene.opencode())], latest);
    assert_ne!(tags["edge-omos"], tags["latest-omos"]);
    let newest = fetch_receipt(&scene.places[0], &channel("edge")).await.expect("an answer");
    assert_eq!(newest.expect("a receipt").1.channel, channel("edge"));
}

#[tokio::test]
async fn what_cannot_run_here_is_said_and_holds_nothing_up() {
    let scene = Scene::new();
    let why = "no program of linux/arm64 runs here".to_owned();
    let not_here = Smoked::NotHere { why: why.clone() };
    scene.hands.smoke.borrow_mut().insert("omos".to_owned(), not_here.clone());
    let plan = scene.release("").await;
    let (_, receipt) =
        fetch_receipt(&scene.places[0], &plan.channel).await.expect("an answer").expect("one");
    let tried: Vec<_> = receipt.smoke.iter().filter(|one| one.result == not_here).collect();
    assert_eq!(tried.len(), 2);
}

#[tokio::test]
async fn the_journal_says_what_was_done_and_a_second_run_does_nothing() {
    let scene = Scene::new();
    let plan = scene.release("").await;
    let record = Record::read(&scene.at(&plan)).expect("a journal");
    assert!(!record.at_work && !record.is_abandoned());
    for planned in steps(&plan) {
        assert!(record.done(&planned.step).is_some(), "{}", planned.step);
    }
    let sign = record.done(&Step::Sign).expect("it is done");
    assert_eq!(sign["statements"], 4 * 3 + 2 + 5 * 2);
    let requests = scene.registries[0].requests().len();
    let mut journal = occ_release::Journal::open(&scene.at(&plan)).expect("a journal");
    let (_, builds, _) = scene.plan(&scene.wish("b")).await;
    let asked = scene.registries[0].requests().len();
    scene.run(&mut journal, &builds, &|_| ()).await.expect("nothing is left");
    assert_eq!(scene.registries[0].requests().len(), asked);
    assert!(asked > requests);
}
