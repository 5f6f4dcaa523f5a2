//! What can be done about a release afterwards: verify it, go back, give it up, tell of it.

use occ_release::{
    AbandonError, Journal, ReleaseDiff, Smoked, abandon, changelog, fetch_receipt, notes,
    plan_rollback, roll_back, verify_release,
};
use occ_testkit::{Change, Fault, Harm};
use occ_trust::{Asked, Expectations, discover, judge};

use crate::scene::{PATH, Scene, channel};

async fn receipt(scene: &Scene, name: &str) -> occ_release::Receipt {
    let fetched = fetch_receipt(&scene.places[0], &channel(name)).await.expect("an answer");
    fetched.expect("a receipt").1
}

#[tokio::test]
async fn a_release_is_what_its_receipt_says_until_somebody_touches_it() {
    let scene = Scene::small();
    let plan = scene.release("").await;
    let verify = |whole| verify_release(&scene.places, &plan.channel, scene.trust(), whole);
    let good = verify(true).await.expect("a receipt");
    assert!(good.holds(), "{:?}", good.checked);
    assert!(good.checked.iter().any(|one| one.found.starts_with("signed by")));
    let read = |checked: &str| !checked.contains(" 0 blobs read");
    assert!(good.checked.iter().filter(|one| one.what == "images").all(|one| read(&one.found)));
    // A version that stands for another image, at one of the two places.
    let (kind, bytes) = scene.registries[1].manifest(PATH, "latest-omos").expect("a manifest");
    let name = plan.channel.to_string();
    let put =
        Change::Put { repository: PATH.to_owned(), name: name.clone(), media_type: kind, bytes };
    scene.registries[1].change(put);
    let bad = verify(false).await.expect("a receipt");
    let wrong: Vec<_> = bad.checked.iter().filter(|checked| !checked.holds).collect();
    assert_eq!(wrong.len(), 1, "{wrong:?}");
    assert_eq!(
        (wrong[0].what.as_str(), &wrong[0].place),
        (name.as_str(), scene.places[1].repository())
    );
    assert!(verify_release(&scene.places, &channel("v0.0.1"), scene.trust(), false).await.is_err());
}

#[tokio::test]
async fn going_back_moves_every_name_and_is_newer_than_what_it_replaces() {
    let scene = Scene::small();
    let first = scene.release("").await;
    let old = scene.tags();
    scene.later();
    let second = scene.release("b").await;
    assert_ne!(scene.tags()[0]["latest"], old[0]["latest"]);
    scene.later();
    let receipt = receipt(&scene, &first.channel.to_string()).await;
    let plan =
        plan_rollback(&receipt, &scene.places, scene.hands.now.get()).await.expect("an answer");
    // 0.1, 0 and latest of both variants, at both places; the base is the same.
    assert_eq!(plan.returns.len(), 3 * 2 * 2);
    assert!(plan.seq > second.seq);
    roll_back(&plan, &receipt, &scene.places, scene.trust(), &scene.hands)
        .await
        .expect("it goes back");
    for (now, old) in scene.tags().iter().zip(&old) {
        for (tag, digest) in old {
            assert_eq!(now[tag], *digest, "{tag}");
        }
    }
    let again =
        plan_rollback(&receipt, &scene.places, scene.hands.now.get()).await.expect("an answer");
    assert!(again.returns.is_empty());
    // Whoever saw the newer release takes the older one, because it has a newer number.
    let place = &scene.places[0];
    let latest =
        place.resolve(&"latest".parse().expect("a tag")).await.expect("it is there").manifest;
    let asked =
        Asked::tagged(place.repository().clone(), "latest".parse().expect("a tag"), latest.clone());
    let evidence = discover(std::slice::from_ref(place), &latest).await;
    let case = |expectation| occ_trust::Case {
        policy: &scene.policy,
        root: &scene.root,
        expectation,
        evidence: &evidence,
        asked: &asked,
        now: scene.hands.now.get(),
    };
    let admission = judge(&case(None));
    let Some(occ_trust::Verdict::Verified(proof)) = &admission.verdict else {
        panic!("{admission}")
    };
    assert_eq!(proof.seq(), Some(plan.seq));
    let mut seen = Expectations::default();
    let newer = occ_trust::Proof {
        annotations: [("seq".to_owned(), second.seq.to_string())].into(),
        ..proof.as_ref().clone()
    };
    seen.remember(place.repository(), &newer, scene.hands.now.get());
    assert!(judge(&case(seen.of(place.repository()))).is_admitted());
}

#[tokio::test]
async fn going_back_is_all_or_none() {
    let scene = Scene::small();
    let first = scene.release("").await;
    scene.later();
    scene.release("b").await;
    scene.later();
    let before = scene.tags();
    let receipt = receipt(&scene, &first.channel.to_string()).await;
    let plan =
        plan_rollback(&receipt, &scene.places, scene.hands.now.get()).await.expect("an answer");
    scene.registries[1].fault(Fault::on("PUT", "/manifests/latest-omos", Harm::status(403)));
    let error = roll_back(&plan, &receipt, &scene.places, scene.trust(), &scene.hands).await;
    assert_eq!(error.expect_err("it is refused").to_string(), "nothing has moved");
    assert_eq!(scene.tags(), before);
}

#[tokio::test]
async fn a_release_that_is_given_up_leaves_nothing_with_a_name() {
    let scene = Scene::small();
    scene.release("").await;
    let before = scene.tags();
    let manifests = |scene: &Scene| scene.registries.each_ref().map(|it| it.manifests(PATH));
    let there = manifests(&scene);
    scene.later();
    let failed = Smoked::Failed { findings: vec!["no".to_owned()] };
    scene.hands.smoke.borrow_mut().insert("omos".to_owned(), failed);
    let (plan, builds, _) = scene.plan(&scene.wish("b")).await;
    let mut journal = Journal::begin(&scene.at(&plan), &plan).expect("a journal");
    scene.run(&mut journal, &builds, &|_| ()).await.expect_err("an image does not do what it must");
    assert!(manifests(&scene)[0] > there[0]);
    let now = scene.hands.now.get();
    let abandoned = abandon(&mut journal, &scene.places, now).await.expect("it is given up");
    assert_eq!(abandoned.left, Vec::<String>::new());
    assert_eq!(abandoned.removed, 2 * 2 * 2);
    assert_eq!(manifests(&scene), there);
    assert_eq!(scene.tags(), before);
    let record = occ_release::Record::read(&scene.at(&plan)).expect("a journal");
    drop(journal);
    assert!(record.is_abandoned());
    // One that is released is not given up.
    let mut journal =
        Journal::open(&scene.folder.path().join(scene.wish("").channel.to_string())).expect("one");
    let error = abandon(&mut journal, &scene.places, now).await.expect_err("it is released");
    assert!(matches!(error, AbandonError::Released(_)));
    assert_eq!(scene.tags(), before);
}

#[tokio::test]
async fn notes_name_every_digest_and_what_changed() {
    let mut scene = Scene::small();
    let first = scene.release("").await;
    scene.later();
    let uv = scene.lock.tools.get_mut("uv").expect("it is locked");
    for pin in &mut uv.packages {
        pin.version = "99.0.0".to_owned();
    }
    let second = scene.release("b").await;
    let before = receipt(&scene, &first.channel.to_string()).await;
    let after = receipt(&scene, &second.channel.to_string()).await;
    let text = notes(&after, Some(&before));
    for variant in &after.variants {
        assert!(text.contains(&variant.digest.to_string()));
        assert!(variant.images.iter().all(|image| text.contains(&image.digest.to_string())));
    }
    assert!(text.contains("tool `uv`: ") && text.contains("→ 99.0.0"), "{text}");
    assert!(text.contains("The packages of Debian are the same."), "{text}");
    let diff = ReleaseDiff::new(&before, &after);
    assert!(!diff.base_changed);
    let names: Vec<_> = diff.images[0].new.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["tool/uv"]);
    let entry = changelog(&after, Some(&before));
    assert!(entry.starts_with(&format!("## [{}] - 2026-01-02", after.channel)), "{entry}");
    assert!(entry.contains("- `uv` "), "{entry}");
    assert!(changelog(&before, None).contains("built anew"));
}
