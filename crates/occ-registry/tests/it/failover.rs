//! Several registries: one that fails, one that lies, one that disagrees.

use bytes::Bytes;
use occ_oci::{Descriptor, MediaType};
use occ_registry::{Client, Mirrors, Reason, ResolveError};
use occ_testkit::{Change, FakeRegistry, Fault, Harm, Referring};

use crate::material::{Image, blob, image};
use crate::{client, tag};

/// Two registries with the same image under the same tag.
async fn two() -> (FakeRegistry, FakeRegistry, Mirrors, Image) {
    let registries = [0, 1].map(|_| FakeRegistry::start(Referring::Unknown));
    let clients = registries.each_ref().map(|registry| client(&registry.host(), "a/b"));
    let image = image("x");
    for client in &clients {
        put(client, &image).await;
    }
    let ([first, second], [one, other]) = (registries, clients);
    (first, second, Mirrors::new(one, vec![other]), image)
}

async fn put(client: &Client, image: &Image) {
    image.push_blobs(client).await;
    client.tag(&image.manifest, &tag("latest")).await.expect("a tag");
}

/// Two registries with a large blob.
fn two_with_blob() -> (FakeRegistry, FakeRegistry, Mirrors, Descriptor, Bytes) {
    let registries = [0, 1].map(|_| FakeRegistry::start(Referring::Unknown));
    let bytes: Vec<u8> = (0..50_000_u32).flat_map(u32::to_le_bytes).collect();
    for registry in &registries {
        registry.change(Change::Blob { repository: "a/b".to_owned(), bytes: bytes.clone() });
    }
    let clients = registries.each_ref().map(|registry| client(&registry.host(), "a/b"));
    let ([first, second], [one, other]) = (registries, clients);
    let (descriptor, bytes) = blob(MediaType::LayerTar, bytes);
    (first, second, Mirrors::new(one, vec![other]), descriptor, bytes)
}

async fn saved(mirrors: &Mirrors, blob: &Descriptor) -> Result<Vec<u8>, occ_registry::Exhausted> {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let mut open = tokio::fs::File::from_std(file.reopen().expect("a file"));
    mirrors.save(blob, &mut open, &|_| {}).await?;
    Ok(std::fs::read(file.path()).expect("a file"))
}

#[tokio::test]
async fn registries_that_agree_are_both_named() {
    let (first, second, mirrors, image) = two().await;
    let agreed = mirrors.resolve(&tag("latest")).await.expect("one answer");
    assert_eq!(agreed.resolved.pinned.digest, *image.manifest.digest());
    let by: Vec<_> = agreed.by.iter().map(ToString::to_string).collect();
    assert_eq!(by, [first.host(), second.host()]);
    assert!(agreed.silent.is_empty());
}

#[tokio::test]
async fn attack_22_whatever_one_registry_answers_the_other_is_asked() {
    for status in [401, 403, 404, 429, 500] {
        let (first, second, mirrors, image) = two().await;
        first.fault(Fault::on("GET", "", Harm::status(status)));
        let agreed = mirrors.resolve(&tag("latest")).await.expect("one answer");
        assert_eq!(agreed.by[0].as_str(), second.host(), "{status}");
        assert_eq!(agreed.silent[0].registry.as_str(), first.host(), "{status}");
        let manifest = mirrors.manifest(image.manifest.digest()).await.expect("a manifest");
        assert_eq!(manifest.bytes(), image.manifest.bytes());
        let (descriptor, bytes) = &image.blobs[1];
        assert_eq!(saved(&mirrors, descriptor).await.expect("a blob"), bytes.to_vec());
    }
}

#[tokio::test]
async fn a_second_registry_that_is_down_or_behind_with_a_new_tag_is_tolerated_and_told_of() {
    for status in [404, 503] {
        let (_first, second, mirrors, _) = two().await;
        second.fault(Fault::on("GET", "/manifests/", Harm::status(status)));
        let agreed = mirrors.resolve(&tag("latest")).await.expect("one answer");
        assert_eq!((agreed.by.len(), agreed.silent.len()), (1, 1));
        assert_eq!(second.asked("GET", "/manifests/"), 1, "a second opinion is asked for once");
    }
}

#[tokio::test]
async fn attack_4_registries_that_disagree_about_a_tag_are_an_alarm() {
    for fails_first in [false, true] {
        let (first, second, mirrors, image) = two().await;
        let other = crate::material::image("other");
        put(&client(&second.host(), "a/b"), &other).await;
        if fails_first {
            // Even then: a registry that comes back after one failure has the last word.
            first.fault(Fault::on("GET", "", Harm::status(500)).times(1));
        }
        match mirrors.resolve(&tag("latest")).await.expect_err("an alarm") {
            ResolveError::Disagreement { first, second, .. } => {
                assert_eq!(first, *image.manifest.digest());
                assert_eq!(second, *other.manifest.digest());
            }
            error @ ResolveError::Exhausted(_) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn attack_4_a_mirror_with_other_bytes_under_the_digest_is_left_for_the_other() {
    let (first, _second, mirrors, image) = two().await;
    first.fault(Fault::on("GET", "", Harm::Flipped));
    let manifest = mirrors.manifest(image.manifest.digest()).await.expect("a manifest");
    assert_eq!(manifest.bytes(), image.manifest.bytes());
    assert_eq!(first.asked("GET", "/manifests/"), 1);
    let (first, _second, mirrors, descriptor, bytes) = two_with_blob();
    first.fault(Fault::on("GET", "", Harm::Flipped));
    assert_eq!(saved(&mirrors, &descriptor).await.expect("a blob"), bytes.to_vec());
}

#[tokio::test]
async fn attack_4_a_stream_of_wrong_bytes_ends_and_is_not_continued_elsewhere() {
    let (first, second, mirrors, descriptor, _) = two_with_blob();
    first.fault(Fault::on("GET", "", Harm::Flipped));
    let mut stream = mirrors.blob(&descriptor);
    let error = loop {
        match stream.next().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("wrong bytes had a good end"),
            Err(error) => break error,
        }
    };
    assert!(error.attempts[0].error.reason.is_mismatch(), "{error}");
    assert_eq!(second.asked("GET", ""), 0);
}

#[tokio::test]
async fn a_blob_goes_on_at_the_other_registry_where_the_first_broke_off() {
    let (first, second, mirrors, descriptor, bytes) = two_with_blob();
    first.fault(Fault::on("GET", "", Harm::Truncated).times(1));
    first.fault(Fault::on("GET", "", Harm::status(404)));
    let mut stream = mirrors.blob(&descriptor);
    let mut got = Vec::new();
    while let Some(piece) = stream.next().await.expect("a piece") {
        got.extend_from_slice(&piece);
    }
    assert_eq!(got, bytes);
    let requests = second.requests();
    assert!(requests[0].header("range").is_some_and(|range| range != "bytes=0-"), "{requests:?}");
}

#[tokio::test]
async fn attack_22_when_nobody_answers_the_error_says_who_was_asked_and_why_each_failed() {
    let (first, second, mirrors, image) = two().await;
    first.fault(Fault::on("GET", "", Harm::status(503)));
    second.fault(Fault::on("GET", "", Harm::status(403)));
    let error = mirrors.manifest(image.manifest.digest()).await.expect_err("nobody");
    let said = error.to_string();
    for part in [first.host(), second.host(), "503".to_owned(), "denied".to_owned()] {
        assert!(said.contains(&part), "{part}: {said}");
    }
    assert!(matches!(error.attempts[0].error.reason, Reason::Failing { status: 503 }));
    assert!(matches!(error.attempts[1].error.reason, Reason::Denied { .. }));
    assert_eq!(first.asked("GET", "/manifests/"), 4);
    assert_eq!(second.asked("GET", "/manifests/"), 1);
    let error = mirrors.resolve(&tag("latest")).await.expect_err("nobody");
    assert!(matches!(error, ResolveError::Exhausted(_)), "{error}");
}

#[tokio::test]
async fn what_a_file_has_is_not_fetched_again_unless_it_is_wrong() {
    for begins_right in [true, false] {
        let (first, _second, mirrors, descriptor, bytes) = two_with_blob();
        let file = tempfile::NamedTempFile::new().expect("a file");
        let half = bytes.len() / 2;
        let mut begun = bytes[..half].to_vec();
        if !begins_right {
            begun[7] ^= 1;
        }
        std::fs::write(file.path(), begun).expect("a file");
        let open = std::fs::File::options().read(true).write(true).open(file.path());
        let mut open = tokio::fs::File::from_std(open.expect("a file"));
        mirrors.save(&descriptor, &mut open, &|_| {}).await.expect("a blob");
        assert_eq!(std::fs::read(file.path()).expect("a file"), bytes.to_vec());
        let ranges = first.requests();
        let ranges: Vec<_> = ranges.iter().map(|request| request.header("range")).collect();
        let rest = format!("bytes={half}-");
        let anew = (!begins_right).then_some(None);
        let expected: Vec<_> = std::iter::once(Some(rest.as_str())).chain(anew).collect();
        assert_eq!(ranges, expected);
    }
}

#[tokio::test]
async fn a_blob_that_is_there_in_full_is_verified_and_nobody_is_asked() {
    let (first, _second, mirrors, descriptor, bytes) = two_with_blob();
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), &bytes).expect("a file");
    let open = std::fs::File::options().read(true).write(true).open(file.path());
    let mut open = tokio::fs::File::from_std(open.expect("a file"));
    mirrors.save(&descriptor, &mut open, &|_| {}).await.expect("a blob");
    assert_eq!(first.asked("GET", ""), 0);
}
