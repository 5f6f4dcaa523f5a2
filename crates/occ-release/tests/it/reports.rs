//! Releases as one page.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use occ_release::{BaseDecision, Ended, Entry, Record, Reported, Step, report, verify_release};
use serde_json::json;

use crate::scene::{Scene, channel};

/// What a page from disk must not have: a script, and whatever asks for something elsewhere.
const FOREIGN: [&str; 8] =
    ["<script", "src=", "href=", "url(", "@import", "<link", "<iframe", "<img"];

/// Three releases, of sizes as real ones have. One was made; the others are told as it is, the newest with its
/// journal and with the base used again.
async fn releases(scene: &Scene) -> Vec<Reported> {
    let plan = scene.release("").await;
    let mut record = Record::read(&scene.at(&plan)).expect("a journal");
    let found = verify_release(&scene.places, &plan.channel, scene.trust(), false).await;
    let found = found.expect("a receipt");
    let mut all = Vec::new();
    for (number, letter) in (0_u64..).zip(["", "b", "c"]) {
        let mut receipt = found.receipt.clone();
        receipt.channel = channel(&format!("v{}{letter}", scene.opencode()));
        receipt.seq += number;
        receipt.created += SignedDuration::from_hours(i64::try_from(number).expect("few"));
        for image in receipt.variants.iter_mut().flat_map(|variant| &mut variant.images) {
            image.size = 0;
            for (place, layer) in (1_u64..).zip(&mut image.layers) {
                layer.size = 90_000_000 / place + number * 3_000_000;
                image.size += layer.size;
            }
        }
        all.push(Reported { record: None, receipt: Some(receipt), checked: found.checked.clone() });
    }
    let newest = all[2].receipt.as_ref().expect("a receipt");
    record.plan.channel = newest.channel;
    let (at, digest) = (plan.places[0].clone(), newest.base.digest.clone());
    record.plan.base.decision = BaseDecision::Reuse { at, digest };
    all[2].record = Some(timed(record));
    all
}

/// Lets the steps of a journal take their time, and fail once, three hours before the rest.
fn timed(mut record: Record) -> Record {
    let sign = record.entries.iter().position(|it| it.step == Some(Step::Sign)).expect("it signs");
    let ended = Ended::Failed("signing <b>bundles</b>: the credentials have expired".to_owned());
    record.entries.insert(sign, Entry { ended, ..record.entries[sign].clone() });
    let mut at: Timestamp = "2026-01-02T05:04:05Z".parse().expect("a time");
    for (number, entry) in record.entries.iter_mut().enumerate() {
        let lasts =
            SignedDuration::from_millis(700 + i64::try_from(number).expect("few") * 730 % 4100);
        if number == sign + 1 {
            at += SignedDuration::from_mins(190);
        }
        (entry.began, entry.at) = (at, at + lasts);
        at += if number % 3 == 0 || number >= sign { lasts } else { lasts / 2 };
    }
    record
}

#[tokio::test]
async fn the_page_tells_everything_and_asks_for_nothing() {
    let releases = releases(&Scene::new()).await;
    let page = report(&releases);
    for foreign in FOREIGN {
        assert!(!page.contains(foreign), "{foreign}");
    }
    let receipt = releases[2].receipt.as_ref().expect("a receipt");
    let record = releases[2].record.as_ref().expect("a journal");
    let name = receipt.channel.to_string();
    for part in [
        format!("What {name} did, and when"),
        "used again from ".to_owned(),
        "failed: signing &lt;b&gt;bundles&lt;/b&gt;".to_owned(),
        "A dashed line stands for a pause: 3 h 10 min.".to_owned(),
        "42 hold".to_owned(),
        "prefers-color-scheme:dark".to_owned(),
        format!("{name}: <span class=\"good\">everything is as its receipt says</span>"),
    ] {
        assert!(page.contains(&part), "{part}");
    }
    let rows = occ_release::steps(&record.plan).len();
    // One more for all of it.
    assert_eq!(page.matches("<span class=\"what\">").count(), rows + 1);
    assert_eq!(page.matches("<rect class=\"failed\"").count(), 1);
    // Eight curves, and three figures for each.
    assert_eq!(page.matches("<polyline").count(), 8);
    assert_eq!(page.matches("class=\"dot").count(), 8 * 3);
    // They grew by 17 % and more.
    assert_eq!(page.matches("<li>").count() - page.matches("<li><s").count(), 8);
    // What images share is told apart from what is theirs alone.
    let images = receipt.variants.iter().flat_map(|variant| &variant.images);
    let mut uses: BTreeMap<_, usize> = BTreeMap::new();
    for layer in images.flat_map(|image| &image.layers) {
        *uses.entry(layer.digest.clone()).or_default() += 1;
    }
    let own = uses.values().filter(|uses| **uses == 1).count();
    let shared: usize = uses.values().filter(|uses| **uses > 1).sum();
    assert!(own >= 8 && shared > own);
    assert_eq!(page.matches("<td class=\"cell own\"").count(), own);
    assert_eq!(page.matches("<td class=\"cell shared\"").count(), shared);
}

#[tokio::test]
async fn no_text_from_outside_becomes_a_part_of_the_page() {
    let mut releases = releases(&Scene::small()).await;
    let bad = "<script>\"'&</script>";
    let newest = &mut releases[2];
    let receipt = newest.receipt.as_mut().expect("a receipt");
    receipt.revision = Some("<script>x".to_owned());
    receipt.base.name = bad.to_owned();
    receipt.variants[1].name = bad.to_owned();
    for layer in &mut receipt.variants[1].images[0].layers {
        layer.name = bad.to_owned();
    }
    receipt.scans[0].result.by = bad.to_owned();
    receipt.smoke[0].result = occ_release::Smoked::NotHere { why: bad.to_owned() };
    receipt.gaps.push(occ_release::Gap {
        tag: "v1".parse().expect("a tag"),
        why: bad.to_owned(),
        closed_by: None,
    });
    newest.checked[0].what = bad.to_owned();
    newest.checked[0].found = bad.to_owned();
    newest.checked[0].holds = false;
    let record = newest.record.as_mut().expect("a journal");
    record.plan.base.name = bad.to_owned();
    record.plan.base.decision = BaseDecision::Build { why: bad.to_owned() };
    for image in &mut record.plan.images {
        image.variant = bad.to_owned();
    }
    let not_here = Ended::Done(json!({ "smoke": "not-here", "why": bad }));
    for entry in &mut record.entries {
        if let Some(Step::Smoke { variant, .. }) = &mut entry.step {
            *variant = bad.to_owned();
            entry.ended = not_here.clone();
        }
    }
    let page = report(&releases);
    assert!(!page.contains("<script") && !page.contains("</script"));
    assert!(page.matches("&lt;script&gt;&quot;&#39;&amp;&lt;/script&gt;").count() > 10);
    // The other one is in no release any more that is told of here.
    assert!(page.contains("base linux/arm64 grew") && !page.contains("omos linux/arm64 grew"));
    assert!(page.contains("1 of ") && page.contains(" do not hold"));
}

#[tokio::test]
async fn what_is_not_known_is_said() {
    let page = report(&[]);
    assert!(page.contains("Releases of nothing") && page.contains("No release was verified"));
    let scene = Scene::small();
    *scene.hands.no_signature.borrow_mut() = Some("there is no key".to_owned());
    let (plan, builds, _) = scene.plan(&scene.wish("")).await;
    let mut journal = occ_release::Journal::begin(&scene.at(&plan), &plan).expect("a journal");
    scene.run(&mut journal, &builds, &|_| ()).await.expect_err("nothing can be signed");
    drop(journal);
    let record = Record::read(&scene.at(&plan)).expect("a journal");
    let page = report(&[Reported { record: Some(record), ..Reported::default() }]);
    assert!(page.contains("not finished") && page.contains("there is no key"));
    assert!(page.contains("not done") && !page.contains("<polyline"));
}
