//! Releases in which something goes wrong.

use std::error::Error as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use occ_oci::Digest;
use occ_release::{
    Ended, Event, Journal, Scanned, Smoked, Step, StepError, Stopped, Turn, TurnError, Weakness,
    steps,
};
use occ_testkit::{Change, Fault, Harm, SmallDisk};

use crate::scene::{PATH, Scene};

/// Begins a release, and returns where it stopped.
async fn stopped(scene: &Scene, letter: &str) -> Stopped {
    let (plan, builds, objections) = scene.plan(&scene.wish(letter)).await;
    assert_eq!(objections, []);
    let mut journal = Journal::begin(&scene.at(&plan), &plan).expect("a journal");
    let stopped = scene.run(&mut journal, &builds, &|_| ()).await.expect_err("something is wrong");
    let last =
        journal.entries().iter().rev().find(|entry| entry.step.as_ref() == Some(&stopped.step));
    assert!(matches!(&last.expect("it is written down").ended, Ended::Failed(_)));
    stopped
}

/// Goes on with it.
async fn resumed(scene: &Scene, letter: &str) {
    let channel = scene.wish(letter).channel;
    let folder = scene.folder.path().join(channel.to_string());
    let mut journal = Journal::open(&folder).expect("a journal");
    let builds = scene.builds_of(journal.plan());
    scene
        .run(&mut journal, &builds, &|_| ())
        .await
        .unwrap_or_else(|error| panic!("{error}: {:?}", error.source()));
    let [one, other] = scene.tags();
    assert_eq!(one, other);
    assert_eq!(one["latest"], one[&channel.to_string()]);
}

fn moved(scene: &Scene) -> bool {
    scene.tags().iter().any(|tags| tags.keys().any(|tag| tag.starts_with("latest")))
}

#[tokio::test]
async fn an_image_that_fails_stops_everything_and_the_others_stay_staged() {
    let scene = Scene::new();
    let failed = Smoked::Failed { findings: vec!["a command that fails looks done".to_owned()] };
    scene.hands.smoke.borrow_mut().insert("omos".to_owned(), failed);
    let stopped = stopped(&scene, "").await;
    assert!(matches!(&stopped.source, StepError::Smoke { variant, .. } if variant == "omos"));
    assert!(stopped.source.to_string().contains("a command that fails looks done"));
    assert_eq!(scene.tags().map(|tags| tags.len()), [0, 0]);
    // It was tried once more before the release gave up.
    let smoked = scene.hands.smoked.borrow().clone();
    let tries = smoked.iter().filter(|(variant, _)| variant == "omos").count();
    assert!(tries >= 2, "{smoked:?}");
    scene.hands.smoke.borrow_mut().clear();
    resumed(&scene, "").await;
}

#[tokio::test]
async fn a_critical_weakness_stops_a_release_and_others_do_not() {
    let scene = Scene::new();
    let weakness = |critical| Weakness {
        name: "CVE-2024-3094".to_owned(),
        package: "liblzma5".to_owned(),
        version: "5.6.0".to_owned(),
        fixed: Some("5.6.1".to_owned()),
        critical,
    };
    let scanned =
        |critical| Scanned { by: "a test".to_owned(), weaknesses: vec![weakness(critical)] };
    *scene.hands.scanned.borrow_mut() = scanned(true);
    let stopped = stopped(&scene, "").await;
    assert!(stopped.source.to_string().contains("CVE-2024-3094 in liblzma5"), "{}", stopped.source);
    assert!(!moved(&scene));
    *scene.hands.scanned.borrow_mut() = scanned(false);
    resumed(&scene, "").await;
}

#[tokio::test]
async fn an_image_that_a_policy_prohibits_stops_a_release_and_is_not_judged_twice() {
    let scene = Scene::new();
    let why = "It is not known which commit it was built from".to_owned();
    scene.hands.prohibited.borrow_mut().insert("with-pi".to_owned(), why.clone());
    let stopped = stopped(&scene, "").await;
    assert!(matches!(&stopped.step, Step::Judge { variant, .. } if variant == "with-pi"));
    let said = stopped.source.to_string();
    assert!(said.starts_with("with-pi for linux/a"), "{said}");
    assert!(said.ends_with(&format!(" may not be used for public-distribution: {why}")), "{said}");
    assert_eq!(scene.tags().map(|tags| tags.len()), [0, 0]);
    scene.hands.prohibited.borrow_mut().clear();
    resumed(&scene, "").await;
}

/// Releases with a disk that is full once so many steps are done; returns what the release stopped with, if it did.
async fn with_a_disk_full_after(done: usize) -> Option<String> {
    let scene = Scene::small();
    let disk = SmallDisk::mount(scene.folder.path(), "8m");
    let (plan, builds, _) = scene.plan(&scene.wish("")).await;
    let mut journal = Journal::begin(&scene.at(&plan), &plan).expect("a journal");
    let seen = AtomicUsize::new(0);
    let fill = |event| {
        if matches!(event, Event::Done { .. }) && seen.fetch_add(1, Ordering::Relaxed) == done {
            disk.fill();
        }
    };
    let stopped = scene.run(&mut journal, &builds, &fill).await;
    drop(journal);
    let [one, other] = scene.tags();
    assert_eq!(one, other, "{done}");
    disk.clear();
    resumed(&scene, "").await;
    let stopped = stopped.err()?;
    let causes = std::iter::successors(stopped.source.source(), |cause| (*cause).source());
    Some(causes.fold(stopped.source.to_string(), |text, cause| format!("{text}: {cause}")))
}

#[tokio::test]
async fn a_full_disk_stops_a_release_at_any_step_and_room_lets_it_go_on() {
    let scene = Scene::small();
    let (plan, ..) = scene.plan(&scene.wish("")).await;
    let last = steps(&plan).len() - 1;
    assert!(last > 10);
    for done in 0..last {
        match with_a_disk_full_after(done).await {
            Some(why) => assert!(why.contains("No space left on device"), "{done}: {why}"),
            // One line more may have room behind the others, in a page that the journal has already.
            None => assert_eq!(done, last - 1, "what cannot be written down is not done"),
        }
    }
}

#[tokio::test]
async fn credentials_that_expire_half_way_leave_what_is_signed() {
    let scene = Scene::small();
    scene.hands.signatures.set(4);
    let stopped = stopped(&scene, "").await;
    assert_eq!(stopped.step, Step::Sign);
    assert!(stopped.source.source().expect("a reason").to_string().contains("expired"));
    assert!(!moved(&scene));
    let kept = crate::scene::files(
        &scene.folder.path().join(scene.wish("").channel.to_string()).join("bundles"),
    );
    assert_eq!(kept, 4);
    scene.hands.signatures.set(12 - 4);
    resumed(&scene, "").await;
    assert_eq!(scene.hands.signatures.get(), 0);
}

#[tokio::test]
async fn a_registry_that_refuses_stops_the_release_for_both() {
    // How often, is as often as a request is tried in the step and its second try; lists are written side by side.
    let harms = [
        ("POST", "/blobs/uploads/", Harm::status(401), 3, 8),
        ("PUT", "/manifests/", Harm::status(403), 5, 8),
        ("PUT", "/manifests/sha256-", Harm::status(500), 3, 90),
        ("PUT", "/manifests/v", Harm::status(403), 1, 8),
    ];
    for (number, (method, target, harm, after, times)) in harms.into_iter().enumerate() {
        let scene = Scene::small();
        scene.registries[1].fault(Fault::on(method, target, harm).after(after).times(times));
        let (plan, builds, _) = scene.plan(&scene.wish("")).await;
        let mut journal = Journal::begin(&scene.at(&plan), &plan).expect("a journal");
        scene.run(&mut journal, &builds, &|_| ()).await.expect_err("it is refused");
        drop(journal);
        assert!(!moved(&scene), "{number}");
        let mut tries = 0;
        while !moved(&scene) {
            let mut journal = Journal::open(&scene.at(&plan)).expect("a journal");
            drop(scene.run(&mut journal, &builds, &|_| ()).await);
            tries += 1;
            assert!(tries < 9, "{number}: it never goes on");
        }
        resumed(&scene, "").await;
    }
}

#[tokio::test]
async fn a_registry_that_is_busy_is_not_one_without_a_base() {
    let scene = Scene::small();
    scene.release("").await;
    scene.later();
    scene.registries[0].fault(Fault::on("GET", "/manifests/base-", Harm::busy(1)));
    let wish = scene.wish("b");
    let builds = occ_release::build_plans(&wish, &scene.source()).expect("plans");
    let base = builds.iter().find(|plan| plan.is_base()).expect("a base").variant.clone();
    let error = occ_release::look(&wish, &base, &scene.places, scene.trust()).await;
    let error = error.expect_err("it is busy");
    assert!(error.reason.may_pass(), "{error}");
}

#[tokio::test]
async fn a_blob_that_is_lost_is_found_before_anything_has_its_name() {
    let scene = Scene::small();
    let lost = Digest::sha256(scene.a_configuration().await.as_slice()).to_string();
    // It is there while it is sent, and gone when it is read.
    let fault = Fault::on("GET", &format!("/blobs/{lost}"), Harm::status(404));
    scene.registries[1].fault(fault);
    let stopped = stopped(&scene, "").await;
    let place = scene.places[1].repository().clone();
    assert_eq!(stopped.step, Step::Compare { place });
    assert!(scene.tags().iter().all(std::collections::BTreeMap::is_empty));
}

#[tokio::test]
async fn a_blob_that_is_lost_after_it_was_compared_is_missed_when_everything_is_read_back() {
    let scene = Scene::small();
    let lost = Digest::sha256(scene.a_configuration().await.as_slice()).to_string();
    // It is asked for once before it is sent.
    let fault = Fault::on("HEAD", &format!("/blobs/{lost}"), Harm::status(404)).after(1);
    scene.registries[1].fault(fault);
    let stopped = stopped(&scene, "").await;
    let place = scene.places[1].repository().clone();
    assert_eq!(stopped.step, Step::ReadBack { place });
    assert!(stopped.source.to_string().contains("has lost the blob"), "{}", stopped.source);
    assert!(scene.tags().iter().all(std::collections::BTreeMap::is_empty));
}

#[tokio::test]
async fn a_tag_that_somebody_else_moves_meanwhile_is_not_taken_from_them() {
    let scene = Scene::small();
    scene.release("").await;
    scene.later();
    let (plan, builds, _) = scene.plan(&scene.wish("b")).await;
    let omos = scene.tags()[1]["latest-omos"].clone();
    let (kind, bytes) = scene.registries[1].manifest(PATH, &omos).expect("a manifest");
    let put = Change::Put {
        repository: PATH.to_owned(),
        name: "latest".to_owned(),
        media_type: kind,
        bytes,
    };
    scene.registries[1].change(put);
    let mut journal = Journal::begin(&scene.at(&plan), &plan).expect("a journal");
    let stopped = scene.run(&mut journal, &builds, &|_| ()).await.expect_err("it moved");
    assert!(matches!(&stopped.source, StepError::MovedMeanwhile { tag, .. } if tag == "latest"));
    assert_eq!(scene.tags()[1]["latest"], omos);
}

#[tokio::test]
async fn promotion_that_fails_half_way_is_taken_back() {
    let scene = Scene::small();
    scene.release("").await;
    let before = scene.tags();
    scene.later();
    scene.registries[1]
        .fault(Fault::on("PUT", "/manifests/latest-omos", Harm::status(403)).times(2));
    let stopped = stopped(&scene, "b").await;
    assert_eq!(stopped.step, Step::Move);
    assert!(stopped.source.to_string().contains("was moved back"), "{}", stopped.source);
    let after = scene.tags();
    for (before, after) in before.iter().zip(&after) {
        let moving = before.keys().filter(|tag| tag.contains("latest"));
        for tag in moving {
            assert_eq!(before[tag], after[tag], "{tag}");
        }
    }
    resumed(&scene, "b").await;
}

#[tokio::test]
async fn two_releases_at_once_take_turns() {
    let scene = Scene::new();
    let (place, now) = (&scene.places[0], scene.hands.now.get());
    let turn = Turn::take(place, "one", now).await.expect("nobody else is there");
    let taken = Turn::take(place, "two", now).await.expect_err("it is taken");
    assert!(matches!(&taken, TurnError::Taken { holder, .. } if holder == "one"), "{taken}");
    // Whoever comes back goes on, and whoever never comes back is not waited for.
    Turn::take(place, "one", now).await.expect("it is ours");
    turn.end().await.expect("it ends");
    let turn = Turn::take(place, "two", now).await.expect("it is free");
    drop(turn);
    let later = now + occ_release::TURN;
    Turn::take(place, "three", later).await.expect("it is over");
}
