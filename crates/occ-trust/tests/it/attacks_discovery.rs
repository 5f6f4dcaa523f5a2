//! Attacks 1 to 7: the registry lies about what there is.

use std::time::Duration;

use bytes::Bytes;
use occ_oci::MediaType;
use occ_registry::{Client, Mirrors, Registries};
use occ_testkit::{Draft, FakeRegistry, Fault, Harm, Referring};
use occ_trust::{Asked, Channel, Decision, Expectations, MOST_ENTRIES, Refusal, Verdict, discover};
use serde_json::{Value, json};

use crate::bed::{
    BUNDLE, Bed, NAME, PATH, attach, client, codes, image, now, put, releaser, repository,
    settings, statement, tag, told,
};

const EMPTY_LIST: &[u8] = br#"{"schemaVersion":2,"manifests":[]}"#;

/// Everything that was remembered after the bed's image was seen.
async fn remembered(bed: &Bed) -> Expectations {
    let mut known = Expectations::default();
    let admission = bed.admission().await;
    let Some(Verdict::Verified(proof)) = &admission.verdict else { panic!("{admission:?}") };
    known.remember(&repository(NAME), proof, now());
    known
}

#[tokio::test]
async fn attack_01_a_tag_that_went_back_to_an_older_signed_image_is_refused() {
    let bed = Bed::unsigned(Referring::Api).await;
    let newer = image("newer");
    newer.push(&bed.client).await;
    let bundle = bed.bundle(&Draft::of(&releaser(), &statement(&newer.manifest, "1.3.0", 8)));
    attach(&bed.client, &newer.manifest, BUNDLE, &bundle).await;
    bed.attach(&bed.good()).await;
    let mut known = Expectations::default();
    let asked = Asked::tagged(repository(NAME), tag("latest"), newer.manifest.clone());
    let admission = bed.admission_with(None, &asked).await;
    let Some(Verdict::Verified(proof)) = &admission.verdict else { panic!("{admission:?}") };
    known.remember(&repository(NAME), proof, now());
    let expected = known.of(&repository(NAME));
    // The tag stands for the older image again.
    bed.registry.change(put("latest", &MediaType::ImageManifest, bed.image.manifest.bytes()));
    let resolved = bed.client.resolve(&tag("latest")).await.expect("a manifest");
    let asked = Asked::tagged(repository(NAME), tag("latest"), resolved.manifest);
    let admission = bed.admission_with(expected, &asked).await;
    assert_eq!(told(&admission), "verified, refused");
    let Decision::Refused(Refusal::Rollback { seen, signed }) = &admission.decision else {
        panic!("{admission:?}")
    };
    assert_eq!((seen.as_str(), signed.as_str()), ("1.3.0 (number 8)", "1.2.3 (number 7)"));
    assert!(admission.to_string().contains("but 1.3.0 (number 8) was seen before"), "{admission}");
    // Whoever asks for that version, or for the bytes, gets them.
    for asked in [
        Asked::tagged(repository(NAME), tag("v1.2.3"), bed.image.manifest.clone()),
        Asked::pinned(repository(NAME), bed.image.manifest.clone()),
    ] {
        let admission = bed.admission_with(expected, &asked).await;
        assert_eq!(told(&admission), "verified, admitted");
    }
}

#[tokio::test]
async fn attack_01_an_older_image_whose_number_was_left_out_is_refused_too() {
    let bed = Bed::signed(Referring::Api).await;
    let known = remembered(&bed).await;
    let old = image("from before numbers");
    old.push(&bed.client).await;
    let annotations = json!({ "ref": NAME });
    let unnumbered = crate::bed::statement_of(occ_trust::SIGNATURE, &[&old.manifest], &annotations);
    let bundle = bed.bundle(&Draft::of(&releaser(), &unnumbered));
    attach(&bed.client, &old.manifest, BUNDLE, &bundle).await;
    let asked = Asked::tagged(repository(NAME), tag("latest"), old.manifest.clone());
    let admission = bed.admission_with(known.of(&repository(NAME)), &asked).await;
    assert_eq!(told(&admission), "verified, refused");
    assert!(matches!(admission.decision, Decision::Refused(Refusal::Rollback { .. })));
}

#[tokio::test]
async fn attack_02_a_tag_that_moves_after_it_was_resolved_changes_nothing() {
    let bed = Bed::signed(Referring::Api).await;
    bed.client.tag(&bed.image.manifest, &tag("latest")).await.expect("a tag");
    let evil = image("evil");
    evil.push(&bed.client).await;
    let resolved = bed.client.resolve(&tag("latest")).await.expect("a manifest");
    bed.registry.change(put("latest", &MediaType::ImageManifest, evil.manifest.bytes()));
    let before = bed.registry.asked("GET", "/manifests/latest");
    let asked = Asked::tagged(repository(NAME), tag("latest"), resolved.manifest.clone());
    let admission = bed.admission_with(None, &asked).await;
    let admitted = admission.admitted().expect("verified");
    assert_eq!(admitted.get().digest, *resolved.manifest.digest());
    assert_ne!(admitted.get().digest, *evil.manifest.digest());
    assert_eq!(bed.registry.asked("GET", "/manifests/latest"), before, "it was resolved once");
}

#[tokio::test]
async fn attack_03_other_bytes_for_a_digest_are_no_evidence() {
    // The signature's blob, then the manifest around it, come with other bytes.
    for place in ["/blobs/sha256:", "/manifests/sha256:"] {
        let bed = Bed::signed(Referring::Api).await;
        bed.registry.fault(Fault::on("GET", place, Harm::Flipped));
        let admission = bed.admission().await;
        assert_eq!(told(&admission), "unknown, refused", "{place}: {admission:?}");
        assert_eq!(codes(&admission), ["unfetched"], "{place}");
    }
    // The right bytes under a wrong name are refused as well.
    let bed = Bed::signed(Referring::Api).await;
    let other = image("other").manifest.digest().to_string();
    let harm = Harm::header("docker-content-digest", &other);
    bed.registry.fault(Fault::on("GET", "/manifests/sha256:", harm));
    assert_eq!(told(&bed.admission().await), "unknown, refused");
}

#[tokio::test]
async fn attack_04_a_mirror_can_give_the_same_bytes_or_none() {
    let bed = Bed::signed(Referring::Api).await;
    bed.client.tag(&bed.image.manifest, &tag("latest")).await.expect("a tag");
    let mirror = FakeRegistry::start(Referring::Unknown);
    let at_mirror = client(&mirror);
    let evil = image("evil");
    evil.push(&at_mirror).await;
    at_mirror.tag(&evil.manifest, &tag("latest")).await.expect("a tag");
    let mirrors = Mirrors::new(bed.client.clone(), vec![at_mirror.clone()]);
    mirrors.resolve(&tag("latest")).await.expect_err("they disagree");
    // What it has of its own is not signed, and the signature elsewhere is of other bytes.
    let places = [bed.client.clone(), at_mirror.clone()];
    let asked = Asked::tagged(repository(NAME), tag("latest"), evil.manifest.clone());
    let found = discover(&places, &evil.manifest).await;
    let known = remembered(&bed).await;
    let admission = bed.judge(known.of(&repository(NAME)), &asked, &found);
    assert_eq!(told(&admission), "unsigned, refused");
    // The right image is verified though the mirror has nothing of it, and that is told.
    let found = discover(&places, &bed.image.manifest).await;
    let admission = bed.judge(None, &bed.asked(), &found);
    assert_eq!(told(&admission), "verified, admitted");
    assert_eq!(codes(&admission), ["registries-differ"]);
    let differing = &admission.findings[0];
    assert_eq!(differing.registry, mirror.host());
}

#[tokio::test]
async fn attack_04_a_mirror_that_is_away_does_not_hide_the_signature() {
    let bed = Bed::signed(Referring::Api).await;
    let mirror = FakeRegistry::start(Referring::Api);
    mirror.fault(Fault::on("", "", Harm::status(503)));
    let found = discover(&[client(&mirror), bed.client.clone()], &bed.image.manifest).await;
    let admission = bed.judge(None, &bed.asked(), &found);
    assert_eq!(told(&admission), "verified, admitted");
    assert_eq!(codes(&admission), ["unasked"; 4]);
}

#[tokio::test]
async fn attack_05_a_signature_that_was_stripped_is_missed() {
    let bed = Bed::signed(Referring::Api).await;
    let known = remembered(&bed).await;
    let expected = known.of(&repository(NAME));
    let empty = Harm::Body(EMPTY_LIST.to_vec());
    bed.registry.fault(Fault::on("GET", "/referrers/", empty));
    assert_eq!(told(&bed.admission().await), "unsigned, admitted", "nothing was expected");
    let admission = bed.admission_with(expected, &bed.asked()).await;
    assert_eq!(told(&admission), "unsigned, refused");
    assert!(admission.to_string().contains("was seen signed by https://github.com/acme"));
    let bed = Bed { registry: FakeRegistry::start(Referring::Unknown), ..bed };
    let bed = Bed { client: client(&bed.registry), ..bed };
    bed.image.push(&bed.client).await;
    let admission = bed.admission_with(expected, &bed.asked()).await;
    assert_eq!(told(&admission), "unsigned, refused", "404 everywhere");
}

#[tokio::test]
async fn attack_05_an_api_that_hides_does_not_hide_the_tag() {
    let bed = Bed::signed(Referring::Unknown).await;
    // An API appears that knows of nothing; the tag still lists the signature.
    let headers = vec![("content-type".to_owned(), MediaType::ImageIndex.to_string())];
    let body = EMPTY_LIST.to_vec();
    let hides = Harm::Answers { status: 200, headers, body };
    bed.registry.fault(Fault::on("GET", "/referrers/", hides));
    assert_eq!(told(&bed.admission().await), "verified, admitted");
}

#[tokio::test]
async fn attack_05_who_cannot_say_did_not_say_no() {
    for status in [401, 403, 429, 500, 503] {
        for place in ["/referrers/", "/manifests/sha256-", ".sig", ".att"] {
            let bed = Bed::unsigned(Referring::Api).await;
            bed.registry.fault(Fault::on("GET", place, Harm::status(status)));
            let admission = bed.admission().await;
            assert_eq!(told(&admission), "unknown, refused", "{status} {place}");
            assert!(codes(&admission).iter().all(|code| code == "unasked"), "{admission:?}");
        }
    }
    for harm in [Harm::Truncated, Harm::HangsUp, Harm::Endless] {
        let bed = Bed::unsigned(Referring::Api).await;
        bed.registry.fault(Fault::on("GET", "/referrers/", harm.clone()));
        assert_eq!(told(&bed.admission().await), "unknown, refused", "{harm:?}");
    }
    // The signature is listed and cannot be had.
    for status in [404, 500] {
        let bed = Bed::signed(Referring::Api).await;
        bed.registry.fault(Fault::on("GET", "/blobs/", Harm::status(status)));
        assert_eq!(told(&bed.admission().await), "unknown, refused", "{status}");
    }
}

#[tokio::test]
async fn attack_05_a_registry_that_stalls_is_not_waited_for_without_end() {
    let bed = Bed::unsigned(Referring::Api).await;
    bed.registry.fault(Fault::on("GET", "/referrers/", Harm::Silent));
    let mut settings = settings();
    settings.patience.stall = Duration::from_millis(50);
    let repository = format!("{}/{PATH}", bed.registry.host()).parse().expect("a repository");
    let client = Registries::new(settings).client(&repository).expect("a client");
    let bed = Bed { client, ..bed };
    assert_eq!(told(&bed.admission().await), "unknown, refused");
}

/// A list with these entries.
fn list(entries: &[Value]) -> Vec<u8> {
    let index = MediaType::ImageIndex.to_string();
    json!({ "schemaVersion": 2, "mediaType": index, "manifests": entries }).to_string().into_bytes()
}

fn relist(bed: &Bed, entries: &[Value]) {
    bed.registry.change(put(&bed.list(), &MediaType::ImageIndex, &list(entries)));
}

#[tokio::test]
async fn attack_06_a_signature_is_found_whatever_the_list_says_it_is() {
    let bed = Bed::unsigned(Referring::Unknown).await;
    let signature = bed.attach(&bed.good()).await;
    let listed = signature.descriptor();
    for kind in [
        json!("application/vnd.oci.empty.v1+json"),
        json!("application/vnd.cyclonedx+json"),
        Value::Null,
    ] {
        let mut entry = serde_json::to_value(&listed).expect("JSON");
        entry["artifactType"] = kind.clone();
        relist(&bed, &[entry]);
        assert_eq!(told(&bed.admission().await), "verified, admitted", "{kind}");
    }
}

#[tokio::test]
async fn attack_07_something_else_in_place_of_the_list_is_not_a_no() {
    let bed = Bed::unsigned(Referring::Unknown).await;
    bed.registry.change(put(&bed.list(), &MediaType::ImageManifest, bed.image.manifest.bytes()));
    let admission = bed.admission().await;
    assert_eq!(told(&admission), "unknown, refused");
    assert!(admission.to_string().contains("is no list"), "{admission}");
}

#[tokio::test]
async fn attack_07_entries_that_lie_hide_no_others() {
    let bed = Bed::unsigned(Referring::Unknown).await;
    let signature = bed.attach(&bed.good()).await;
    let good = serde_json::to_value(signature.descriptor()).expect("JSON");
    let other = image("other");
    other.push(&bed.client).await;
    let elsewhere = attach(&bed.client, &other.manifest, BUNDLE, &bed.good()).await;
    let mut lie = serde_json::to_value(elsewhere.descriptor()).expect("JSON");
    lie["size"] = json!(1);
    let about_other = serde_json::to_value(elsewhere.descriptor()).expect("JSON");
    let gone = json!({
        "mediaType": MediaType::ImageManifest.as_str(),
        "digest": occ_oci::Digest::sha256(b"gone").to_string(),
        "size": 4,
    });
    relist(&bed, &[json!(7), gone.clone(), about_other.clone(), good]);
    let admission = bed.admission().await;
    assert_eq!(told(&admission), "verified, admitted");
    assert_eq!(codes(&admission), ["malformed", "not-about", "unfetched"]);
    // Alone they are no signature, and what could not be read is not a no.
    relist(&bed, &[about_other]);
    assert_eq!(told(&bed.admission().await), "invalid not-about, refused");
    relist(&bed, &[lie]);
    assert_eq!(told(&bed.admission().await), "unknown, refused");
    relist(&bed, &[gone]);
    assert_eq!(told(&bed.admission().await), "unknown, refused");
    relist(&bed, &[json!(7)]);
    assert_eq!(told(&bed.admission().await), "invalid malformed, refused");
}

#[tokio::test]
async fn attack_07_ten_thousand_entries_are_not_looked_at_and_are_not_a_no() {
    let bed = Bed::unsigned(Referring::Unknown).await;
    let signature = bed.attach(&bed.good()).await;
    let good = serde_json::to_value(signature.descriptor()).expect("JSON");
    let entry = |number: u32| {
        let digest = occ_oci::Digest::sha256(&number.to_le_bytes()).to_string();
        json!({ "mediaType": MediaType::ImageManifest.as_str(), "digest": digest, "size": 1 })
    };
    let many: Vec<_> = (0..10_000).map(entry).collect();
    relist(&bed, &many);
    let before = bed.registry.requests().len();
    let admission = bed.admission().await;
    assert_eq!(told(&admission), "unknown, refused");
    assert!(codes(&admission).contains(&"too-many".to_owned()));
    assert!(bed.registry.requests().len() - before < MOST_ENTRIES + 10);
    let found = discover(std::slice::from_ref(&bed.client), &bed.image.manifest).await;
    assert_eq!(found.left, 10_000 - MOST_ENTRIES);
    // A good one among those that are looked at still counts.
    let many: Vec<_> = std::iter::once(good).chain((0..10_000).map(entry)).collect();
    relist(&bed, &many);
    assert_eq!(told(&bed.admission().await), "verified, admitted");
}

#[tokio::test]
async fn attack_07_a_signature_as_large_as_a_film_is_not_fetched() {
    let bed = Bed::unsigned(Referring::Api).await;
    let large = Bytes::from(vec![b' '; occ_trust::LARGEST_ENTRY + 1]);
    bed.attach(&large).await;
    let before = bed.registry.asked("GET", "/blobs/");
    assert_eq!(told(&bed.admission().await), "invalid too-large, refused");
    assert_eq!(bed.registry.asked("GET", "/blobs/"), before);
    // Many that are large together are not all fetched, and the rest is not a no.
    for number in 0..11_u8 {
        let filler = Bytes::from(vec![number; occ_trust::LARGEST_ENTRY]);
        bed.attach(&filler).await;
    }
    let admission = bed.admission().await;
    assert_eq!(told(&admission), "unknown, refused");
    assert!(codes(&admission).contains(&"too-many".to_owned()), "{:?}", codes(&admission));
    assert_eq!(bed.registry.asked("GET", "/blobs/"), before + 10);
}

#[tokio::test]
async fn every_channel_of_every_registry_is_asked_once() {
    let bed = Bed::signed(Referring::Unknown).await;
    let other = FakeRegistry::start(Referring::Api);
    let places: [Client; 2] = [bed.client.clone(), client(&other)];
    let found = discover(&places, &bed.image.manifest).await;
    let channels: Vec<_> = found.asked.iter().map(|asking| asking.channel).collect();
    let all = [
        Channel::ReferrersApi,
        Channel::ReferrersTag,
        Channel::LegacySignatures,
        Channel::LegacyAttestations,
    ];
    assert_eq!(channels, [all, all].concat());
    assert_eq!(other.requests().len(), 4);
}
