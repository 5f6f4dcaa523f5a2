//! Lists of referrers that are stripped, wrong, or written by several.

use occ_oci::{Descriptor, MediaType};
use occ_registry::{ApiList, Client, RawManifest, Reason, TagList};
use occ_testkit::{Change, FakeRegistry, Fault, Harm, Referring};
use serde_json::json;

use crate::client;
use crate::material::{Image, about, digests, digests_of, image};

const SIGNATURE: &str = "application/x.signature";
const EMPTY_LIST: &[u8] = br#"{"schemaVersion":2,"manifests":[]}"#;

/// A registry with an image and one signature of it.
async fn signed(referring: Referring) -> (FakeRegistry, Client, Image, Image) {
    let registry = FakeRegistry::start(referring);
    let client = client(&registry.host(), "a/b");
    let subject = image("x");
    subject.push(&client).await;
    let signature = about(&subject.manifest, SIGNATURE, "one");
    signature.attach(&client).await;
    (registry, client, subject, signature)
}

fn tag_of(manifest: &RawManifest) -> String {
    manifest.digest().to_string().replace(':', "-")
}

fn put(name: &str, media_type: &MediaType, bytes: &[u8]) -> Change {
    let (repository, name) = ("a/b".to_owned(), name.to_owned());
    Change::Put { repository, name, media_type: media_type.to_string(), bytes: bytes.to_vec() }
}

/// A list with these entries.
fn list(entries: &[serde_json::Value]) -> Vec<u8> {
    let index = MediaType::ImageIndex.to_string();
    json!({ "schemaVersion": 2, "mediaType": index, "manifests": entries }).to_string().into_bytes()
}

#[tokio::test]
async fn where_there_is_an_api_no_tag_is_written_and_elsewhere_one_is() {
    for (referring, api, tag) in [
        (Referring::Api, ApiList::Listed(1), TagList::Absent),
        (Referring::Unknown, ApiList::Absent, TagList::Listed(1)),
        (Referring::NoticedOnly, ApiList::Absent, TagList::Listed(1)),
    ] {
        let (_registry, client, subject, signature) = signed(referring).await;
        let found = client.referrers(subject.manifest.digest()).await.expect("a list");
        assert_eq!((found.api, found.tag), (api, tag), "{referring:?}");
        assert_eq!(digests(&found.listed), digests_of(&[&signature]), "{referring:?}");
    }
}

#[tokio::test]
async fn attack_5_a_list_on_either_side_is_enough() {
    let (registry, client, subject, one) = signed(Referring::Api).await;
    let two = about(&subject.manifest, SIGNATURE, "two");
    two.push_blobs(&client).await;
    let listed = serde_json::to_value(two.manifest.descriptor()).expect("JSON");
    registry.change(put(&tag_of(&subject.manifest), &MediaType::ImageIndex, &list(&[listed])));
    let found = client.referrers(subject.manifest.digest()).await.expect("a list");
    assert_eq!(digests(&found.listed), digests_of(&[&one, &two]));
    // The API hides everything; what the tag has is still there.
    let empty = Harm::Body(EMPTY_LIST.to_vec());
    registry.fault(Fault::on("GET", "/referrers/", empty));
    let found = client.referrers(subject.manifest.digest()).await.expect("a list");
    assert_eq!(digests(&found.listed), digests_of(&[&two]));
}

#[tokio::test]
async fn attack_5_a_registry_that_cannot_say_is_an_error_and_not_an_empty_list() {
    for place in ["/referrers/", "/manifests/sha256-"] {
        for status in [401, 403, 429, 500] {
            let (registry, client, subject, _) = signed(Referring::Api).await;
            registry.fault(Fault::on("GET", place, Harm::status(status)));
            let error = client.referrers(subject.manifest.digest()).await.expect_err(place);
            assert!(!error.reason.is_not_found(), "{place} {status}: {error:?}");
        }
    }
    let (registry, client, subject, _) = signed(Referring::Api).await;
    registry.fault(Fault::on("GET", "/referrers/", Harm::Endless));
    let error = client.referrers(subject.manifest.digest()).await.expect_err("no end");
    assert!(matches!(error.reason, Reason::TooLarge { .. }), "{error:?}");
    let (registry, client, subject, _) = signed(Referring::Api).await;
    registry.fault(Fault::on("GET", "/referrers/", Harm::header("content-type", "text/html")));
    client.referrers(subject.manifest.digest()).await.expect_err("a web page");
}

#[tokio::test]
async fn attack_6_an_entry_of_a_wrong_kind_is_found() {
    let (registry, client, subject, signature) = signed(Referring::Unknown).await;
    let mut listed = signature.manifest.descriptor();
    for kind in [Some(MediaType::Empty), None] {
        listed.artifact_type = kind;
        let entry = serde_json::to_value(&listed).expect("JSON");
        registry.change(put(&tag_of(&subject.manifest), &MediaType::ImageIndex, &list(&[entry])));
        let found = client.referrers(subject.manifest.digest()).await.expect("a list");
        let manifest = client.referrer(subject.manifest.digest(), &found.listed[0]).await;
        assert_eq!(manifest.expect("a signature").bytes(), signature.manifest.bytes());
    }
}

#[tokio::test]
async fn attack_7_an_image_in_place_of_the_list_is_no_list_and_is_not_replaced() {
    let (registry, client, subject, _) = signed(Referring::Unknown).await;
    let name = tag_of(&subject.manifest);
    registry.change(put(&name, &MediaType::ImageManifest, subject.manifest.bytes()));
    let found = client.referrers(subject.manifest.digest()).await.expect("an answer");
    assert_eq!((found.tag, found.listed), (TagList::NotAList, Vec::<Descriptor>::new()));
    let two = about(&subject.manifest, SIGNATURE, "two");
    two.push_blobs(&client).await;
    let error = client.attach(&two.manifest).await.expect_err("no list");
    assert!(matches!(error.reason, Reason::Answer(_)), "{error:?}");
    let there = registry.manifest("a/b", &name).expect("it is there");
    assert_eq!(there.1, subject.manifest.bytes().to_vec());
}

#[tokio::test]
async fn attack_7_entries_that_are_wrong_hide_no_others() {
    let (registry, client, subject, signature) = signed(Referring::Unknown).await;
    let good = serde_json::to_value(signature.manifest.descriptor()).expect("JSON");
    let junk = [
        json!(7),
        json!({ "mediaType": "x", "digest": "sha256:..", "size": 1 }),
        json!({ "mediaType": MediaType::ImageManifest.as_str(), "digest": good["digest"], "size": -1 }),
    ];
    let entries: Vec<_> = junk.into_iter().chain([good]).collect();
    registry.change(put(&tag_of(&subject.manifest), &MediaType::ImageIndex, &list(&entries)));
    let found = client.referrers(subject.manifest.digest()).await.expect("a list");
    assert_eq!(digests(&found.listed), digests_of(&[&signature]));
    assert_eq!(found.unreadable, 3);
}

#[tokio::test]
async fn attack_7_ten_thousand_entries_are_read_and_a_list_beyond_any_use_is_not() {
    let (registry, client, subject, _) = signed(Referring::Unknown).await;
    let entry = |number: u32| {
        let digest = occ_oci::Digest::sha256(&number.to_le_bytes()).to_string();
        json!({ "mediaType": MediaType::ImageManifest.as_str(), "digest": digest, "size": 1 })
    };
    let many: Vec<_> = (0..10_000).map(entry).collect();
    registry.change(put(&tag_of(&subject.manifest), &MediaType::ImageIndex, &list(&many)));
    let found = client.referrers(subject.manifest.digest()).await.expect("a list");
    assert_eq!(found.listed.len(), 10_000);
    let beyond: Vec<_> = (0..40_000).map(entry).collect();
    registry.change(put(&tag_of(&subject.manifest), &MediaType::ImageIndex, &list(&beyond)));
    let error = client.referrers(subject.manifest.digest()).await.expect_err("too many");
    assert!(matches!(error.reason, Reason::TooLarge { .. }), "{error:?}");
}

#[tokio::test]
async fn attack_7_an_entry_about_something_else_or_of_another_size_is_refused() {
    let (_registry, client, subject, signature) = signed(Referring::Unknown).await;
    let other = image("other");
    other.push(&client).await;
    let listed = signature.manifest.descriptor();
    let error = client.referrer(other.manifest.digest(), &listed).await.expect_err("another");
    assert!(matches!(error.reason, Reason::NotAbout { .. }), "{error:?}");
    let plain = other.manifest.descriptor();
    let error = client.referrer(subject.manifest.digest(), &plain).await.expect_err("nothing");
    assert!(matches!(error.reason, Reason::NotAbout { .. }), "{error:?}");
    let mut lie = listed;
    lie.size = 1;
    let error = client.referrer(subject.manifest.digest(), &lie).await.expect_err("a lie");
    assert!(matches!(error.reason, Reason::Bytes(_)), "{error:?}");
}

#[tokio::test]
async fn attack_15_a_list_that_another_writer_replaced_is_put_together_again() {
    let (registry, client, subject, one) = signed(Referring::Unknown).await;
    let theirs = about(&subject.manifest, SIGNATURE, "theirs");
    theirs.push(&client).await;
    let name = tag_of(&subject.manifest);
    // Another writer has read the list before ours was written, and writes right after us, twice.
    let entry = serde_json::to_value(theirs.manifest.descriptor()).expect("JSON");
    let replaced = Harm::Then(put(&name, &MediaType::ImageIndex, &list(&[entry])));
    registry.fault(Fault::on("PUT", &format!("/manifests/{name}"), replaced).times(2));
    let two = about(&subject.manifest, SIGNATURE, "two");
    two.attach(&client).await;
    let found = client.referrers(subject.manifest.digest()).await.expect("a list");
    assert_eq!(digests(&found.listed), digests_of(&[&one, &two, &theirs]));
}

#[tokio::test]
async fn attack_15_a_writer_that_comes_after_ours_was_seen_loses_nothing_either() {
    let (registry, client, subject, one) = signed(Referring::Unknown).await;
    let theirs = about(&subject.manifest, SIGNATURE, "theirs");
    theirs.push(&client).await;
    let name = tag_of(&subject.manifest);
    let entry = serde_json::to_value(theirs.manifest.descriptor()).expect("JSON");
    let replaced = Harm::Then(put(&name, &MediaType::ImageIndex, &list(&[entry])));
    // The first reading is before ours is written, the second sees it.
    let late = Fault::on("GET", &format!("/manifests/{name}"), replaced).after(1).times(1);
    registry.fault(late);
    let two = about(&subject.manifest, SIGNATURE, "two");
    two.attach(&client).await;
    let found = client.referrers(subject.manifest.digest()).await.expect("a list");
    assert_eq!(digests(&found.listed), digests_of(&[&one, &two, &theirs]));
}

#[tokio::test]
async fn attack_15_a_list_that_is_always_replaced_is_an_error_in_the_end() {
    let (registry, client, subject, _) = signed(Referring::Unknown).await;
    let name = tag_of(&subject.manifest);
    let replaced = Harm::Then(put(&name, &MediaType::ImageIndex, EMPTY_LIST));
    registry.fault(Fault::on("PUT", &format!("/manifests/{name}"), replaced));
    let two = about(&subject.manifest, SIGNATURE, "two");
    two.push_blobs(&client).await;
    let error = client.attach(&two.manifest).await.expect_err("never listed");
    assert!(matches!(error.reason, Reason::Contended), "{error:?}");
}

#[tokio::test]
async fn what_others_wrote_into_a_list_stays_in_it() {
    let (registry, client, subject, signature) = signed(Referring::Unknown).await;
    let mut entry = serde_json::to_value(signature.manifest.descriptor()).expect("JSON");
    entry["data"] = json!("e30=");
    let mut document: serde_json::Value = serde_json::from_slice(&list(&[entry])).expect("JSON");
    document["annotations"] = json!({ "who": "somebody" });
    let name = tag_of(&subject.manifest);
    registry.change(put(&name, &MediaType::ImageIndex, document.to_string().as_bytes()));
    about(&subject.manifest, SIGNATURE, "two").attach(&client).await;
    let there = registry.manifest("a/b", &name).expect("a list").1;
    let there: serde_json::Value = serde_json::from_slice(&there).expect("JSON");
    assert_eq!(there["annotations"]["who"], "somebody");
    assert_eq!(there["manifests"][0]["data"], "e30=");
    assert_eq!(there["manifests"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn a_list_that_goes_on_at_another_place_is_refused() {
    let (registry, client, subject, _) = signed(Referring::Api).await;
    let elsewhere = FakeRegistry::start(Referring::Api);
    let link = format!("<{}>; rel=\"next\"", elsewhere.url("/v2/a/b/referrers/x"));
    registry.fault(Fault::on("GET", "/referrers/", Harm::header("link", &link)));
    let error = client.referrers(subject.manifest.digest()).await.expect_err("elsewhere");
    assert!(matches!(error.reason, Reason::Answer(_)), "{error:?}");
    assert_eq!(elsewhere.requests(), []);
    let (registry, client, subject, _) = signed(Referring::Api).await;
    let round = format!("</v2/a/b/referrers/{}>; rel=\"next\"", subject.manifest.digest());
    registry.fault(Fault::on("GET", "/referrers/", Harm::header("link", &round)));
    let error = client.referrers(subject.manifest.digest()).await.expect_err("round and round");
    assert!(matches!(error.reason, Reason::TooMany { .. }), "{error:?}");
}

#[tokio::test]
async fn attack_20_a_list_of_tags_without_an_end_or_elsewhere_is_an_error() {
    let registry = FakeRegistry::start(Referring::Unknown);
    let client = client(&registry.host(), "a/b");
    let link = format!("<{}>; rel=\"next\"", registry.url("/v2/a/b/tags/list"));
    let answers = |link: &str| Harm::Answers {
        status: 200,
        headers: vec![("link".to_owned(), link.to_owned())],
        body: br#"{"tags":["a","../b"]}"#.to_vec(),
    };
    registry
        .fault(Fault::on("GET", "/tags/list", answers("<http://127.0.0.2/x>; rel=next")).times(1));
    let error = client.tags().await.expect_err("another place");
    assert!(matches!(error.reason, Reason::Answer(_)), "{error:?}");
    registry.fault(Fault::on("GET", "/tags/list", answers(&link)));
    let error = client.tags().await.expect_err("no end");
    assert!(matches!(error.reason, Reason::TooMany { .. }), "{error:?}");
    assert_eq!(registry.asked("GET", "/tags/list"), 101);
}
