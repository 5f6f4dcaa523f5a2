//! Keeping house: which releases stay, mending a mirror, and how large images become.

use std::collections::BTreeSet;

use occ_release::{
    Attachments, Receipt, RetentionPlan, RetentionRules, Survey, SyncError, growth, plan_retention,
    plan_sync, retire, survey, synchronize, verify_release,
};
use occ_testkit::{Change, Fault, Harm};

use crate::scene::{PATH, Scene, channel};

const ONE: RetentionRules = RetentionRules { newest: 1, days: 0 };

async fn surveys(scene: &Scene) -> Vec<Survey> {
    let mut all = Vec::new();
    for place in &scene.places {
        all.push(survey(place, scene.trust()).await.expect("the registry answers"));
    }
    all
}

async fn planned(scene: &Scene, rules: RetentionRules) -> RetentionPlan {
    plan_retention(&surveys(scene).await, rules, scene.hands.now.get())
}

/// Releases the builds of these letters, one after the other.
async fn released(letters: &[&str]) -> Scene {
    let scene = Scene::small();
    for letter in letters {
        scene.release(letter).await;
        scene.later();
    }
    scene
}

fn names(plan: &RetentionPlan) -> Vec<String> {
    plan.removals.iter().map(|removal| removal.name.clone()).collect()
}

async fn receipts(scene: &Scene) -> Vec<Receipt> {
    surveys(scene).await.remove(0).releases.into_iter().map(|it| it.receipt).collect()
}

#[tokio::test]
async fn what_is_new_first_of_its_series_or_has_a_moving_name_stays() {
    let scene = released(&["", "b", "c", "d"]).await;
    let version = |letter: &str| format!("v{}{letter}", scene.opencode());
    let plan = planned(&scene, ONE).await;
    assert_eq!(names(&plan), [version("b"), version("c")]);
    let kept: Vec<_> =
        plan.kept.iter().map(|kept| (kept.channel.to_string(), kept.why.join("; "))).collect();
    assert_eq!(kept[0].0, version("d"));
    assert!(kept[0].1.contains("latest-omos") && kept[0].1.contains("one of the newest 1"));
    assert_eq!(kept[1].0, version(""));
    assert!(kept[1].1.starts_with("it is the first of "), "{}", kept[1].1);
    // The base is that of all: none of its layers is counted, nor does it go.
    let b = &plan.removals[0];
    assert!(b.tags.iter().any(|tag| tag.as_str() == version("b")));
    assert!(!b.tags.iter().any(|tag| tag.as_str().starts_with("base-")));
    assert_eq!(b.images.len(), 2 * 2);
    assert!(plan.bytes > 0);
    // What is young stays, and the last three are the newest.
    let young = RetentionRules { newest: 1, days: 1 };
    assert_eq!(names(&planned(&scene, young).await), [""; 0]);
    assert_eq!(names(&planned(&scene, RetentionRules { newest: 3, days: 0 }).await), [""; 0]);
}

#[tokio::test]
async fn a_release_goes_with_all_that_is_on_its_receipt_and_the_others_stay_whole() {
    let scene = released(&["", "b", "c"]).await;
    let plan = planned(&scene, ONE).await;
    let before = scene.registries.each_ref().map(|it| it.manifests(PATH));
    let retired = retire(&plan, &scene.places, Attachments::OnReceipt).await.expect("answers");
    assert_eq!((retired.refused.len(), retired.passed_over.len()), (0, 0));
    let removal = &plan.removals[0];
    let each = removal.images.len() + removal.proofs.len() + 1;
    assert_eq!(retired.removed, each * 2);
    let after = scene.registries.each_ref().map(|it| it.manifests(PATH));
    assert_eq!([after[0] + each, after[1] + each], before);
    for tags in scene.tags() {
        assert!(removal.tags.iter().all(|tag| !tags.contains_key(tag.as_str())));
    }
    for letter in ["", "c"] {
        let name = channel(&format!("v{}{letter}", scene.opencode()));
        let found = verify_release(&scene.places, &name, scene.trust(), true).await.expect("one");
        assert!(found.holds(), "{:?}", found.checked);
    }
    // A second run finds nothing.
    assert_eq!(names(&planned(&scene, ONE).await), [""; 0]);
    let again = |attachments| retire(&plan, &scene.places, attachments);
    assert_eq!(again(Attachments::OnReceipt).await.expect("answers").removed, 0);
    // The signature of the receipt is on no receipt, nor are the lists that one of the two has as tags.
    assert!(again(Attachments::All).await.expect("answers").removed > 0);
    assert_eq!(again(Attachments::All).await.expect("answers").removed, 0);
}

#[tokio::test]
async fn what_is_attached_to_a_removed_release_goes_when_that_is_asked_for() {
    let scene = Scene::small();
    let mut counts = Vec::new();
    for letter in ["", "b", "c"] {
        scene.release(letter).await;
        scene.later();
        counts.push(scene.registries[0].manifests(PATH));
    }
    let plan = planned(&scene, ONE).await;
    retire(&plan, &scene.places, Attachments::All).await.expect("answers");
    assert_eq!(scene.registries[0].manifests(PATH), counts[2] - (counts[1] - counts[0]));
    let lists = scene.registries[1].tags(PATH);
    for image in plan.removals[0].images.iter().chain(&plan.removals[0].receipt) {
        let list = image.to_string().replace(':', "-");
        assert!(!lists.contains(&list), "{list}");
    }
}

#[tokio::test]
async fn what_somebody_gave_a_name_since_the_plan_is_left_alone_there() {
    let scene = released(&["", "b", "c"]).await;
    let plan = planned(&scene, ONE).await;
    let list = plan.removals[0].images[0].to_string();
    let (media_type, bytes) = scene.registries[1].manifest(PATH, &list).expect("a manifest");
    let (repository, name) = (PATH.to_owned(), "stable".to_owned());
    scene.registries[1].change(Change::Put { repository, name, media_type, bytes });
    let retired = retire(&plan, &scene.places, Attachments::OnReceipt).await.expect("answers");
    assert_eq!(retired.passed_over.len(), 1);
    assert!(retired.passed_over[0].ends_with("stable stands for it by now"), "{retired:?}");
    let [one, other] = scene.tags();
    let name = plan.removals[0].name.as_str();
    assert!(!one.contains_key(name) && other.contains_key(name) && other.contains_key("stable"));
    // From now on it stays for that reason.
    let plan = planned(&scene, ONE).await;
    let kept = plan.kept.iter().find(|kept| kept.channel.to_string() == name).expect("it stays");
    assert_eq!(kept.why, ["stable stands for it"]);
}

#[tokio::test]
async fn a_base_goes_with_the_last_release_that_is_made_of_it() {
    let mut scene = released(&["", "b"]).await;
    for group in &mut scene.lock.debian {
        group.packages.truncate(2);
    }
    scene.release("c").await;
    scene.later();
    let plan = planned(&scene, ONE).await;
    // The first of the series is made of the older base too.
    assert_eq!(names(&plan), [format!("v{}b", scene.opencode())]);
    let receipts = receipts(&scene).await;
    assert_ne!(receipts[0].base.digest, receipts[2].base.digest);
    // Without the first, nobody is.
    let mut all = surveys(&scene).await;
    for survey in &mut all {
        survey.releases.pop();
    }
    for survey in &mut all {
        let first = survey.releases.len() - 1;
        survey.releases[first].receipt.channel = channel("v0.0.1");
        let mut second = survey.releases[first].clone();
        second.receipt.channel = channel("v0.0.2");
        second.receipt.seq += 1;
        survey.releases[first].receipt.base = receipts[0].base.clone();
        survey.releases.insert(first, second);
    }
    let plan = plan_retention(&all, ONE, scene.hands.now.get());
    let base = plan.removals.last().expect("removals");
    assert_eq!((base.name.as_str(), &base.base), (receipts[2].base.name.as_str(), &None));
    assert_eq!(base.images[0], receipts[2].base.digest);
    assert_eq!(base.tags.len(), 1);
}

#[tokio::test]
async fn a_receipt_that_nobody_vouches_for_removes_nothing() {
    let scene = released(&["", "b", "c"]).await;
    let mut all = surveys(&scene).await;
    assert!(all.iter().flat_map(|survey| &survey.releases).all(|it| it.doubt.is_none()));
    let nobody = occ_trust::Policy::default();
    let trust = occ_release::Trust { policy: &nobody, ..scene.trust() };
    all[1] = survey(&scene.places[1], trust).await.expect("the registry answers");
    let plan = plan_retention(&all, ONE, scene.hands.now.get());
    assert_eq!(names(&plan), [""; 0]);
    let why = &plan.kept[1].why[0];
    assert!(why.starts_with("nobody vouches for its receipt at "), "{why}");
    // Nor does one that calls itself newer push out any that somebody vouches for.
    let mut all = surveys(&scene).await;
    for survey in &mut all {
        let mut forged = survey.releases[0].clone();
        forged.doubt = Some("it is not signed".to_owned());
        forged.receipt.channel = channel("v99.0.0");
        forged.receipt.seq *= 2;
        survey.releases.insert(0, forged);
    }
    let newest = RetentionRules { newest: 3, days: 0 };
    assert_eq!(names(&plan_retention(&all, newest, scene.hands.now.get())), [""; 0]);
}

#[tokio::test]
async fn what_a_registry_refuses_is_told_and_keeps_its_receipt() {
    let scene = released(&["", "b", "c"]).await;
    let plan = planned(&scene, ONE).await;
    let removal = &plan.removals[0];
    let omos = removal.images[1].to_string();
    scene.registries[0].fault(Fault::on("DELETE", &omos, Harm::status(400)));
    scene.registries[1].fault(Fault::on("DELETE", "/manifests/", Harm::status(405)));
    let retired = retire(&plan, &scene.places, Attachments::OnReceipt).await.expect("answers");
    let of = |number: usize| {
        let place = scene.places[number].repository();
        retired.refused.iter().filter(|it| it.place == *place).collect::<Vec<_>>()
    };
    assert_eq!(of(0).len(), 1);
    assert!(of(0)[0].what.starts_with(&omos));
    assert!(of(1)[1].what.ends_with("more, which were not tried"), "{:?}", of(1));
    assert_eq!(scene.registries[1].asked("DELETE", ""), 1);
    // The receipts are there, so that the next plan has it again.
    assert_eq!(names(&planned(&scene, ONE).await), std::slice::from_ref(&removal.name));
}

#[tokio::test]
async fn nothing_goes_anywhere_while_a_registry_does_not_say_what_its_names_stand_for() {
    let scene = released(&["", "b", "c"]).await;
    let plan = planned(&scene, ONE).await;
    assert_eq!(plan.removals.len(), 1);
    scene.registries[1].fault(Fault::on("GET", "/tags/list", Harm::status(403)));
    retire(&plan, &scene.places, Attachments::All).await.expect_err("one does not answer");
    assert_eq!(scene.registries.each_ref().map(|it| it.asked("DELETE", "")), [0, 0]);
}

#[tokio::test]
async fn a_mirror_that_lost_things_gets_them_back() {
    let scene = released(&["", "b"]).await;
    let [first, second] = [&scene.places[0], &scene.places[1]];
    let plan = || async { plan_sync(first, second, scene.trust()).await.expect("answers") };
    let equal = plan().await;
    assert!(equal.is_equal(), "{equal:?}");
    assert_eq!(equal.told, [""; 0]);
    let tags = scene.tags();
    // A list with all its tags, an image, a signature and the receipt.
    let receipts = receipts(&scene).await;
    let [newest, oldest] = [&receipts[0], &receipts[1]];
    let lost = [
        &newest.variants[1].digest,
        &newest.variants[0].images[0].digest,
        &oldest.proofs[0].referrer,
    ];
    for digest in lost {
        assert!(second.delete_manifest(digest).await.expect("it is removed"));
    }
    let receipt = scene.registries[1].manifest(PATH, &format!("receipt-{}", oldest.channel));
    let receipt = occ_oci::Digest::sha256(&receipt.expect("a receipt").1);
    second.delete_manifest(&occ_oci::ManifestDigest::new(receipt)).await.expect("it is removed");
    let found = plan().await;
    let lacking: Vec<_> = found.lacking.iter().map(|it| (it.name.as_str(), it.channel)).collect();
    let base = (oldest.base.name.as_str(), newest.channel);
    let own = [("base", newest.channel), ("omos", newest.channel), ("receipt", oldest.channel)];
    assert!(own.iter().all(|one| lacking.contains(one)), "{lacking:?}");
    // What is lost of the first proof may be about the base.
    assert!(lacking.len() == 4 || lacking.contains(&base), "{lacking:?}");
    assert!(found.tags.iter().all(|tag| tag.is.is_none()));
    let synced = synchronize(&found, [first, second], scene.trust(), false, &|_| ()).await;
    assert_eq!(synced.expect("it is mended").tags.len(), found.tags.len());
    assert_eq!(scene.tags(), tags);
    let again = plan().await;
    assert!(again.is_equal(), "{again:?}");
    for receipt in [newest, oldest] {
        let found = verify_release(&scene.places, &receipt.channel, scene.trust(), true).await;
        assert!(found.expect("a receipt").holds());
    }
}

#[tokio::test]
async fn an_empty_mirror_becomes_equal_and_the_first_is_only_read() {
    let mut scene = released(&["", "b"]).await;
    let empty = Scene::small();
    let Scene { registries: [_, second], .. } = empty;
    scene.registries[1] = second;
    let scene = scene.with_clients();
    let writes = |scene: &Scene| {
        ["PUT", "POST", "PATCH", "DELETE"].map(|method| scene.registries[0].asked(method, ""))
    };
    let before = writes(&scene);
    let [first, second] = [&scene.places[0], &scene.places[1]];
    let plan = plan_sync(first, second, scene.trust()).await.expect("answers");
    let synced = synchronize(&plan, [first, second], scene.trust(), false, &|_| ()).await;
    assert!(synced.expect("it is filled").blobs > 0);
    let [one, other] = scene.tags();
    assert_eq!(one, other);
    assert_eq!(writes(&scene), before);
    // The other way nothing is to be done either.
    assert!(plan_sync(second, first, scene.trust()).await.expect("answers").is_equal());
}

#[tokio::test]
async fn a_name_that_never_moves_is_changed_only_by_force() {
    let scene = released(&["", "b"]).await;
    let tags = scene.tags();
    let name = format!("v{}", scene.opencode());
    let put = |name: &str, of: &str| {
        let (media_type, bytes) = scene.registries[1].manifest(PATH, of).expect("a manifest");
        let (repository, name) = (PATH.to_owned(), name.to_owned());
        scene.registries[1].change(Change::Put { repository, name, media_type, bytes });
    };
    put(&name, "latest-omos");
    put("latest", &format!("{name}-omos"));
    put("mine", "latest-omos");
    let [first, second] = [&scene.places[0], &scene.places[1]];
    let plan = plan_sync(first, second, scene.trust()).await.expect("answers");
    assert_eq!((plan.lacking.len(), plan.tags.len(), plan.objections.len()), (0, 1, 1), "{plan:?}");
    assert_eq!(plan.told, ["mine is at the second alone"]);
    let there = scene.tags();
    let mend = |force| synchronize(&plan, [first, second], scene.trust(), force, &|_| ());
    let error = mend(false).await.expect_err("it objects");
    assert!(matches!(&error, SyncError::Objections(all) if all.len() == 1));
    assert!(
        error.to_string().starts_with(&format!("nothing was done: {name} never moves")),
        "{error}"
    );
    assert_eq!(scene.tags(), there);
    let given: BTreeSet<String> =
        mend(true).await.expect("it is mended").tags.iter().map(ToString::to_string).collect();
    assert_eq!(given, [name, "latest".to_owned()].into());
    let mut now = scene.tags();
    assert!(now[1].remove("mine").is_some());
    assert_eq!(now, tags);
    // What was planned is done already.
    let error = mend(true).await.expect_err("it is not as planned");
    assert!(matches!(error, SyncError::MovedMeanwhile { .. }), "{error}");
}

#[tokio::test]
async fn what_nobody_vouches_for_at_the_first_does_not_spread() {
    let scene = released(&[""]).await;
    let nobody = occ_trust::Policy::default();
    let trust = occ_release::Trust { policy: &nobody, ..scene.trust() };
    let plan = plan_sync(&scene.places[0], &scene.places[1], trust).await.expect("answers");
    assert!(plan.lacking.is_empty() && plan.tags.is_empty());
    assert!(plan.told[0].contains("is left out: nobody vouches"), "{:?}", plan.told);
}

#[tokio::test]
async fn an_image_that_grows_by_more_than_a_tenth_is_an_alert() {
    let scene = released(&["", "b", "c"]).await;
    let mut receipts = receipts(&scene).await;
    // The newest is first in the list: 1000, 1100 and 1211 bytes, and smaller again.
    for (receipt, size) in receipts.iter_mut().zip([1211, 1100, 1000]) {
        receipt.variants[0].images[0].size = size;
        receipt.variants[1].images[0].size = 3000 - size;
    }
    let all = growth(&receipts, 0.1);
    let names: Vec<_> = all.iter().map(|one| one.variant.as_str()).collect();
    assert_eq!(names, ["base", "omos"]);
    let sizes: Vec<_> = all[0].points.iter().map(|point| (point.size, point.alert)).collect();
    assert_eq!(sizes, [(1000, false), (1100, false), (1211, true)]);
    assert_eq!(all[0].points[0].growth, None);
    assert!(all[0].alerts() && !all[1].alerts());
    assert!(all[1].points[2].growth.expect("one before") < 0.0);
    assert!(!growth(&receipts, 0.2)[0].alerts());
    assert_eq!(growth(&receipts[..1], 0.1)[0].points.len(), 1);
}
