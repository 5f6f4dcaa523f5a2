//! Copies between registries, and copies that are cut off.

use std::time::Duration;

use bytes::Bytes;
use occ_oci::{Descriptor, Manifest, MediaType};
use occ_registry::{Client, Event, Reason, Settings, copy};
use occ_testkit::{Change, FakeRegistry, Fault, Harm, Referring, Request};

use crate::material::{Image, about, blob, digests, digests_of, image, index, raw};
use crate::{client, client_with, settings, tag};

/// A registry with an index of two signed images, which is signed itself.
struct Release {
    registry: FakeRegistry,
    client: Client,
    root: occ_registry::RawManifest,
    signature: Image,
}

async fn release(referring: Referring) -> Release {
    let registry = FakeRegistry::start(referring);
    let client = client(&registry.host(), "a/b");
    let images = [image("one"), image("two")];
    for image in &images {
        image.push(&client).await;
        about(&image.manifest, "application/x.signature", "of a platform").attach(&client).await;
    }
    let root = index(&[&images[0].manifest, &images[1].manifest]);
    client.push_manifest(&root).await.expect("a push");
    let signature = about(&root, "application/x.signature", "of the index");
    signature.attach(&client).await;
    Release { registry, client, root, signature }
}

#[tokio::test]
async fn a_copy_to_another_registry_brings_every_byte_and_every_signature() {
    let manners = [Referring::Api, Referring::Unknown, Referring::NoticedOnly];
    for (from, to) in manners.into_iter().flat_map(|from| manners.map(|to| (from, to))) {
        let release = release(from).await;
        let registry = FakeRegistry::start(to);
        let there = client(&registry.host(), "c/d");
        let events = std::sync::Mutex::new(Vec::new());
        let observe = |event| events.lock().expect("no panic").push(event);
        let digest = release.root.digest();
        let copied = copy(&release.client, &there, digest, &[tag("v1")], &observe).await;
        let copied = copied.expect("a copy");
        assert_eq!((copied.manifests, copied.referrers), (3, 3), "{from:?} {to:?}");
        assert!(copied.skipped.is_empty(), "{copied:?}");
        let (media_type, bytes) = registry.manifest("c/d", "v1").expect("a manifest");
        assert_eq!(bytes, release.root.bytes().to_vec());
        assert_eq!(media_type, MediaType::ImageIndex.as_str());
        let found = there.referrers(digest).await.expect("a list");
        assert_eq!(digests(&found.listed), digests_of(&[&release.signature]));
        let events = events.into_inner().expect("no panic");
        assert_eq!(events.last(), Some(&Event::Tag(tag("v1"))), "the tag comes last");
    }
}

#[tokio::test]
async fn attack_16_a_copy_that_is_cut_off_at_any_request_leaves_no_tag_and_can_be_done_again() {
    let release = release(Referring::Unknown).await;
    let digest = release.root.digest();
    let mut cut = 0;
    loop {
        let registry = FakeRegistry::start(Referring::Unknown);
        let there = client(&registry.host(), "c/d");
        // From one request on nothing is let in any more.
        registry.fault(Fault::on("", "", Harm::status(403)).after(cut));
        let end = copy(&release.client, &there, digest, &[tag("v1")], &|_| {}).await;
        if end.is_ok() {
            break;
        }
        assert!(!registry.tags("c/d").contains(&"v1".to_owned()), "cut off at request {cut}");
        cut += 1;
    }
    assert!(cut > 30, "only {cut} requests");
    let registry = FakeRegistry::start(Referring::Unknown);
    let there = client(&registry.host(), "c/d");
    registry.fault(Fault::on("", "", Harm::status(403)).after(cut / 2).times(1));
    copy(&release.client, &there, digest, &[tag("v1")], &|_| {}).await.expect_err("cut off");
    let again = copy(&release.client, &there, digest, &[tag("v1")], &|_| {}).await.expect("a copy");
    assert_eq!((again.manifests, again.referrers), (3, 3));
    assert!(again.already_there > 0, "{again:?}");
}

#[tokio::test]
async fn attack_3_a_blob_that_is_wrong_at_its_source_is_never_completed() {
    let release = release(Referring::Unknown).await;
    release.registry.fault(Fault::on("GET", "/blobs/", Harm::Flipped));
    let registry = FakeRegistry::start(Referring::Unknown);
    let there = client(&registry.host(), "c/d");
    let end = copy(&release.client, &there, release.root.digest(), &[tag("v1")], &|_| {}).await;
    let error = end.expect_err("wrong bytes");
    assert!(matches!(error.reason, Reason::Bytes(_)), "{error:?}");
    assert_eq!(error.registry, release.registry.host(), "it is the source's fault");
    assert_eq!(registry.asked("PUT", ""), 0);
}

#[tokio::test]
async fn a_copy_whose_upload_begins_anew_reads_its_source_anew() {
    let release = release(Referring::Unknown).await;
    let before = release.registry.asked("GET", "/blobs/");
    let registry = FakeRegistry::start(Referring::Unknown);
    let settings = Settings { chunk: 10, ..settings().0 };
    let there = client_with(settings, &registry.host(), "c/d");
    registry.fault(Fault::on("PATCH", "", Harm::Then(Change::ForgetUploads)).after(2).times(1));
    registry.fault(Fault::on("PATCH", "", Harm::status(503)).after(2).times(1));
    let copied = copy(&release.client, &there, release.root.digest(), &[tag("v1")], &|_| {}).await;
    let copied = copied.expect("a copy");
    let read = release.registry.asked("GET", "/blobs/") - before;
    // Whatever was under way with the one that was forgotten was forgotten too.
    assert!((copied.uploaded + 1..=2 * copied.uploaded).contains(&read), "{read} {copied:?}");
    assert_eq!(registry.tags("c/d").last(), Some(&"v1".to_owned()));
}

#[tokio::test]
async fn blobs_do_not_wait_for_one_that_does_not_come() {
    let source = FakeRegistry::start(Referring::Unknown);
    let from = client(&source.host(), "a/b");
    let layers: Vec<_> =
        (0..5).map(|layer| blob(MediaType::LayerTar, format!("layer {layer}"))).collect();
    let config = blob(MediaType::ImageConfig, "{}");
    for (descriptor, bytes) in layers.iter().chain([&config]) {
        from.push_blob(descriptor, &mut bytes.clone(), None).await.expect("a push");
    }
    let listed = layers.iter().map(|(descriptor, _)| descriptor.clone()).collect();
    let manifest = serde_json::to_vec(&Manifest::new(config.0.clone(), listed)).expect("JSON");
    let manifest = raw(manifest, MediaType::ImageManifest);
    from.push_manifest(&manifest).await.expect("a push");
    source.fault(Fault::on("GET", &layers[0].0.digest.to_string(), Harm::Silent));
    let registry = FakeRegistry::start(Referring::Unknown);
    let there = client(&registry.host(), "c/d");
    let copying = async { copy(&from, &there, manifest.digest(), &[tag("v1")], &|_| {}).await };
    let copied = tokio::time::timeout(Duration::from_secs(1), copying).await;
    assert!(copied.is_err(), "one layer never comes");
    let arrived =
        |blob: &&(Descriptor, Bytes)| registry.blob("c/d", &blob.0.digest.to_string()).is_some();
    assert_eq!(layers.iter().chain([&config]).filter(arrived).count(), 5);
    assert_eq!(registry.asked("PUT", "/manifests/"), 0);
}

#[tokio::test]
async fn what_refers_to_an_image_is_there_before_it_and_all_lists_are_waited_for_at_once() {
    let release = release(Referring::Unknown).await;
    let registry = FakeRegistry::start(Referring::Unknown);
    let (settings, waits) = settings();
    let there = client_with(settings, &registry.host(), "c/d");
    copy(&release.client, &there, release.root.digest(), &[], &|_| {}).await.expect("a copy");
    let requests = registry.requests();
    let put = |name: &str| {
        let is = |request: &Request| {
            request.method == "PUT" && request.target.ends_with(&format!("/manifests/{name}"))
        };
        requests.iter().position(is).expect("it was put")
    };
    let signature = release.signature.manifest.digest().to_string();
    assert!(put(&signature) < put(&release.root.digest().to_string()));
    // Three lists, each confirmed twice, and none after the other.
    assert_eq!(waits.seconds().len(), 6);
}

#[tokio::test]
async fn attack_7_junk_in_a_list_is_left_behind_and_told_of() {
    let release = release(Referring::Unknown).await;
    let digest = release.root.digest();
    let stray = about(&image("stray").manifest, "application/x", "of something else");
    stray.push(&release.client).await;
    let missing = about(&release.root, "application/x", "never pushed");
    let listed = [&release.signature, &stray, &missing].map(|image| image.manifest.descriptor());
    let list = serde_json::to_vec(&occ_oci::Index::new(listed.to_vec())).expect("JSON");
    release.registry.change(Change::Put {
        repository: "a/b".to_owned(),
        name: digest.to_string().replace(':', "-"),
        media_type: MediaType::ImageIndex.to_string(),
        bytes: list,
    });
    let registry = FakeRegistry::start(Referring::Unknown);
    let there = client(&registry.host(), "c/d");
    let copied = copy(&release.client, &there, digest, &[], &|_| {}).await.expect("a copy");
    assert_eq!(copied.skipped.len(), 2, "{copied:?}");
    let found = there.referrers(digest).await.expect("a list");
    assert_eq!(digests(&found.listed), digests_of(&[&release.signature]));
}

#[tokio::test]
async fn attack_19_lists_in_lists_end() {
    let registry = FakeRegistry::start(Referring::Unknown);
    let client = client(&registry.host(), "a/b");
    let mut nested = raw(r#"{"schemaVersion":2,"manifests":[]}"#, MediaType::ImageIndex);
    client.push_manifest(&nested).await.expect("a push");
    for _ in 0..50 {
        nested = index(&[&nested]);
        client.push_manifest(&nested).await.expect("a push");
    }
    let there = crate::client(&registry.host(), "c/d");
    let error = copy(&client, &there, nested.digest(), &[], &|_| {}).await.expect_err("too deep");
    assert!(matches!(error.reason, Reason::TooMany { .. }), "{error:?}");
}
