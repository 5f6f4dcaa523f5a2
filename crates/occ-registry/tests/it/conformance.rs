//! One suite against the fake registry in each of its manners, and against the distribution project's.

use bytes::Bytes;
use occ_oci::{Digest, MediaType};
use occ_registry::{Pushed, Reason, Settings, copy};
use occ_testkit::{FakeRegistry, Referring, Registry};

use crate::material::{about, blob, digests, digests_of, image, index};
use crate::{client, client_with, repository, settings, tag};

/// Lets each test run against every registry.
macro_rules! suite {
    ($($test:ident),* $(,)?) => {
        mod fake_with_api {
            $(#[tokio::test] async fn $test() {
                let registry = super::FakeRegistry::start(super::Referring::Api);
                super::$test(&registry.host()).await;
            })*
        }
        mod fake_without_api {
            $(#[tokio::test] async fn $test() {
                let registry = super::FakeRegistry::start(super::Referring::Unknown);
                super::$test(&registry.host()).await;
            })*
        }
        mod fake_that_only_notices {
            $(#[tokio::test] async fn $test() {
                let registry = super::FakeRegistry::start(super::Referring::NoticedOnly);
                super::$test(&registry.host()).await;
            })*
        }
        mod real {
            $(#[tokio::test] async fn $test() {
                let registry = super::Registry::start();
                super::$test(&registry.host()).await;
            })*
        }
    };
}

suite!(
    a_blob_comes_back_as_it_was,
    a_large_blob_travels_in_pieces,
    an_empty_blob_is_a_blob,
    a_blob_that_is_there_is_not_sent_again,
    a_blob_is_mounted_from_another_repository,
    wrong_bytes_are_not_taken,
    a_manifest_comes_back_byte_for_byte,
    a_tag_is_moved_and_retagged_byte_for_byte,
    what_is_not_there_is_not_found,
    a_manifest_whose_parts_are_missing_is_not_taken,
    what_refers_to_a_manifest_is_listed,
    several_writers_of_one_list_lose_nothing,
    a_copy_brings_everything_that_refers_to_it,
    tags_are_listed_to_the_last_page,
    a_manifest_is_removed_with_its_tags,
);

async fn a_manifest_is_removed_with_its_tags(host: &str) {
    let client = client(host, "a/b");
    let (gone, stays) = (image("gone"), image("stays"));
    for (image, names) in [(&gone, ["one", "two"]), (&stays, ["three", "four"])] {
        image.push_blobs(&client).await;
        for name in names {
            client.tag(&image.manifest, &tag(name)).await.expect("a tag");
        }
    }
    assert!(client.delete_manifest(gone.manifest.digest()).await.expect("it is removed"));
    for name in ["one", "two"] {
        let error = client.resolve(&tag(name)).await.expect_err("it is gone");
        assert!(error.reason.is_not_found(), "{error:?}");
    }
    client.resolve(&tag("three")).await.expect("it stays");
    assert!(!client.delete_manifest(gone.manifest.digest()).await.expect("there is none"));
}

async fn tags_are_listed_to_the_last_page(host: &str) {
    let client = client(host, "a/b");
    let error = client.tags().await.expect_err("there is none yet");
    assert!(error.reason.is_not_found(), "{error:?}");
    let image = image("x");
    image.push_blobs(&client).await;
    let names = ["1", "1.2", "1.2.3", "edge", "latest", "v9", "z"];
    for name in names {
        client.tag(&image.manifest, &tag(name)).await.expect("a tag");
    }
    let listed = client.tags().await.expect("a list");
    assert_eq!(listed, names.map(tag));
}

async fn a_blob_comes_back_as_it_was(host: &str) {
    let client = client(host, "a/b");
    let (descriptor, bytes) = blob(MediaType::LayerTar, "some bytes");
    let pushed = client.push_blob(&descriptor, &mut bytes.clone(), None).await.expect("a push");
    assert_eq!(pushed, Pushed::Uploaded);
    assert!(client.has_blob(&descriptor.digest).await.expect("an answer"));
    assert_eq!(client.blob_bytes(&descriptor, 100).await.expect("a blob"), bytes);
}

async fn a_large_blob_travels_in_pieces(host: &str) {
    let client = client_with(Settings { chunk: 1000, ..settings().0 }, host, "a/b");
    let bytes: Vec<u8> = (0..10_500_u32).flat_map(u32::to_le_bytes).collect();
    let (descriptor, bytes) = blob(MediaType::LayerTar, bytes);
    client.push_blob(&descriptor, &mut bytes.clone(), None).await.expect("a push");
    assert_eq!(client.blob_bytes(&descriptor, 100_000).await.expect("a blob"), bytes);
}

async fn an_empty_blob_is_a_blob(host: &str) {
    let client = client(host, "a/b");
    let (descriptor, bytes) = blob(MediaType::LayerTar, "");
    client.push_blob(&descriptor, &mut bytes.clone(), None).await.expect("a push");
    assert_eq!(client.blob_bytes(&descriptor, 0).await.expect("a blob"), bytes);
}

async fn a_blob_that_is_there_is_not_sent_again(host: &str) {
    let client = client(host, "a/b");
    let (descriptor, bytes) = blob(MediaType::LayerTar, "some bytes");
    client.push_blob(&descriptor, &mut bytes.clone(), None).await.expect("a push");
    // The source has nothing to give, and is not asked.
    let again = client.push_blob(&descriptor, &mut Bytes::new(), None).await.expect("a push");
    assert_eq!(again, Pushed::AlreadyThere);
}

async fn a_blob_is_mounted_from_another_repository(host: &str) {
    let (one, two) = (client(host, "a/one"), client(host, "a/two"));
    let (descriptor, bytes) = blob(MediaType::LayerTar, "some bytes");
    one.push_blob(&descriptor, &mut bytes.clone(), None).await.expect("a push");
    let from = repository(host, "a/one");
    let pushed = two.push_blob(&descriptor, &mut Bytes::new(), Some(&from)).await;
    assert_eq!(pushed.expect("a mount"), Pushed::Mounted);
    assert_eq!(two.blob_bytes(&descriptor, 100).await.expect("a blob"), bytes);
}

async fn wrong_bytes_are_not_taken(host: &str) {
    let client = client(host, "a/b");
    let (descriptor, _) = blob(MediaType::LayerTar, "right bytes");
    let mut wrong = Bytes::from("wrong bytes");
    let error = client.push_blob(&descriptor, &mut wrong, None).await.expect_err("wrong bytes");
    assert!(matches!(error.reason, Reason::Refused { status: 400, .. }), "{error:?}");
    assert!(!client.has_blob(&descriptor.digest).await.expect("an answer"));
}

async fn a_manifest_comes_back_byte_for_byte(host: &str) {
    let client = client(host, "a/b");
    let image = image("x");
    image.push(&client).await;
    let digest = image.manifest.digest();
    assert!(client.has_manifest(digest).await.expect("an answer"));
    let back = client.manifest(digest).await.expect("a manifest");
    assert_eq!(back, image.manifest);
    assert_eq!(back.bytes(), image.manifest.bytes());
}

async fn a_tag_is_moved_and_retagged_byte_for_byte(host: &str) {
    let client = client(host, "a/b");
    let (old, new) = (image("old"), image("new"));
    for image in [&old, &new] {
        image.push_blobs(&client).await;
        client.tag(&image.manifest, &tag("latest")).await.expect("a tag");
    }
    let resolved = client.resolve(&tag("latest")).await.expect("a manifest");
    assert_eq!(resolved.pinned.digest, *new.manifest.digest());
    client.retag(old.manifest.digest(), &tag("latest")).await.expect("a tag");
    let resolved = client.resolve(&tag("latest")).await.expect("a manifest");
    assert_eq!(resolved.manifest.bytes(), old.manifest.bytes());
}

async fn what_is_not_there_is_not_found(host: &str) {
    let client = client(host, "a/b");
    let (descriptor, _) = blob(MediaType::LayerTar, "nowhere");
    let image = image("nowhere");
    assert!(!client.has_blob(&descriptor.digest).await.expect("an answer"));
    assert!(!client.has_manifest(image.manifest.digest()).await.expect("an answer"));
    let error = client.resolve(&tag("latest")).await.expect_err("no tag");
    assert!(error.reason.is_not_found(), "{error:?}");
    let error = client.manifest(image.manifest.digest()).await.expect_err("no manifest");
    assert!(error.reason.is_not_found(), "{error:?}");
    let error = client.blob_bytes(&descriptor, 100).await.expect_err("no blob");
    assert!(error.reason.is_not_found(), "{error:?}");
}

async fn a_manifest_whose_parts_are_missing_is_not_taken(host: &str) {
    let client = client(host, "a/b");
    let error = client.push_manifest(&image("x").manifest).await.expect_err("no blobs");
    assert!(matches!(error.reason, Reason::Refused { .. } | Reason::NotFound), "{error:?}");
    let index = index(&[&image("x").manifest]);
    client.push_manifest(&index).await.expect_err("no manifests");
}

async fn what_refers_to_a_manifest_is_listed(host: &str) {
    let client = client(host, "a/b");
    let subject = image("x");
    subject.push(&client).await;
    let none = client.referrers(subject.manifest.digest()).await.expect("a list");
    assert_eq!(digests(&none.listed), Vec::<String>::new());
    let kinds = ["application/x.one", "application/x.two", "application/x.three"];
    let attached = kinds.map(|kind| about(&subject.manifest, kind, kind));
    for image in &attached {
        image.attach(&client).await;
        // Once more is no second entry.
        image.attach(&client).await;
    }
    let found = client.referrers(subject.manifest.digest()).await.expect("a list");
    assert_eq!(digests(&found.listed), digests_of(&attached.each_ref()));
    for listed in &found.listed {
        let manifest = client.referrer(subject.manifest.digest(), listed).await.expect("one");
        assert_eq!(manifest.descriptor(), *listed);
        assert!(kinds.contains(&listed.artifact_type.as_ref().expect("a kind").as_str()));
    }
}

async fn several_writers_of_one_list_lose_nothing(host: &str) {
    let subject = image("x");
    subject.push(&client(host, "a/b")).await;
    let mut work = tokio::task::JoinSet::new();
    for number in 0..4 {
        let (host, subject) = (host.to_owned(), subject.manifest.clone());
        work.spawn(async move {
            // Writers that know nothing of each other, and really wait.
            let mut settings = Settings::new(number);
            settings.patience.settle = std::time::Duration::from_millis(400);
            let client = client_with(settings, &host, "a/b");
            about(&subject, "application/x", &number.to_string()).attach(&client).await;
        });
    }
    work.join_all().await;
    let found = client(host, "a/b").referrers(subject.manifest.digest()).await.expect("a list");
    assert_eq!(found.listed.len(), 4);
}

async fn a_copy_brings_everything_that_refers_to_it(host: &str) {
    let (from, to) = (client(host, "a/from"), client(host, "a/to"));
    let (one, two) = (image("one"), image("two"));
    one.push(&from).await;
    two.push(&from).await;
    let root = index(&[&one.manifest, &two.manifest]);
    from.push_manifest(&root).await.expect("a push");
    let signed = [
        about(&root, "application/x.signature", "of the index"),
        about(&one.manifest, "application/x.signature", "of a platform"),
    ];
    let bill = about(&root, "application/x.bill", "of the index");
    let signed_bill = about(&bill.manifest, "application/x.signature", "of the bill");
    for image in [&signed[0], &signed[1], &bill, &signed_bill] {
        image.attach(&from).await;
    }
    let tags = [tag("v1"), tag("latest")];
    let copied = copy(&from, &to, root.digest(), &tags, &|_| {}).await.expect("a copy");
    assert_eq!((copied.manifests, copied.referrers), (3, 4), "{copied:?}");
    assert_eq!(copied.uploaded, 0, "blobs are mounted within one registry: {copied:?}");
    let there = to.resolve(&tag("v1")).await.expect("a tag").manifest;
    assert_eq!(there.bytes(), root.bytes());
    let listed = |digest: Digest| {
        let (to, digest) = (to.clone(), occ_oci::ManifestDigest::new(digest));
        async move { digests(&to.referrers(&digest).await.expect("a list").listed) }
    };
    assert_eq!(listed(root.digest().digest().clone()).await, digests_of(&[&signed[0], &bill]));
    let platform = one.manifest.digest().digest().clone();
    assert_eq!(listed(platform).await, digests_of(&[&signed[1]]));
    let of_bill = bill.manifest.digest().digest().clone();
    assert_eq!(listed(of_bill).await, digests_of(&[&signed_bill]));
}
