//! Manifests from a registry that lies.

use occ_oci::{ManifestDigest, MediaType, VerifyingError};
use occ_registry::{Client, MANIFEST_LIMIT, ManifestError, Reason};
use occ_testkit::{Change, FakeRegistry, Fault, Harm, Referring};

use crate::material::{Image, image, raw};
use crate::{client, digest, tag};

/// A registry with an image behind a tag.
async fn with_image() -> (FakeRegistry, Client, Image) {
    let registry = FakeRegistry::start(Referring::Unknown);
    let client = client(&registry.host(), "a/b");
    let image = image("x");
    image.push_blobs(&client).await;
    client.tag(&image.manifest, &tag("latest")).await.expect("a tag");
    (registry, client, image)
}

#[tokio::test]
async fn attack_3_other_bytes_under_a_digest_are_refused() {
    let (registry, client, image) = with_image().await;
    registry.fault(Fault::on("GET", "/manifests/", Harm::Flipped));
    let error = client.manifest(image.manifest.digest()).await.expect_err("other bytes");
    assert!(matches!(error.reason, Reason::Bytes(VerifyingError::Digest { .. })), "{error:?}");
    assert_eq!(registry.asked("GET", "/manifests/"), 1, "a lie is not asked for again");
}

#[tokio::test]
async fn attack_3_bytes_are_compared_before_they_are_read() {
    let (registry, client, image) = with_image().await;
    let headers = vec![("content-type".to_owned(), MediaType::ImageManifest.to_string())];
    let body = b"no manifest".to_vec();
    registry.fault(Fault::on("GET", "/manifests/", Harm::Answers { status: 200, headers, body }));
    let error = client.manifest(image.manifest.digest()).await.expect_err("other bytes");
    assert!(matches!(error.reason, Reason::Bytes(_)), "{error:?}");
}

#[tokio::test]
async fn attack_3_right_bytes_with_another_digest_in_the_header_are_refused() {
    let (registry, client, image) = with_image().await;
    let other = occ_oci::Digest::sha256(b"other").to_string();
    registry.fault(Fault::on("GET", "", Harm::header("docker-content-digest", &other)));
    for error in [
        client.manifest(image.manifest.digest()).await.expect_err("another digest"),
        client.resolve(&tag("latest")).await.expect_err("another digest"),
    ] {
        assert!(matches!(error.reason, Reason::Bytes(_)), "{error:?}");
    }
    let (registry, client, _) = with_image().await;
    registry.fault(Fault::on("GET", "", Harm::header("docker-content-digest", "sha256:../x")));
    let error = client.resolve(&tag("latest")).await.expect_err("no digest");
    assert!(matches!(error.reason, Reason::Answer(_)), "{error:?}");
}

#[tokio::test]
async fn a_digest_in_the_header_is_not_needed() {
    let (registry, client, image) = with_image().await;
    registry.fault(Fault::on("GET", "", Harm::without("docker-content-digest")));
    let resolved = client.resolve(&tag("latest")).await.expect("a manifest");
    assert_eq!(resolved.pinned.digest, *image.manifest.digest());
}

#[tokio::test]
async fn attack_2_a_tag_that_moves_after_it_was_resolved_changes_nothing() {
    let (registry, client, image) = with_image().await;
    let moved = Change::Put {
        repository: "a/b".to_owned(),
        name: "latest".to_owned(),
        media_type: MediaType::ImageIndex.to_string(),
        bytes: br#"{"schemaVersion":2,"manifests":[]}"#.to_vec(),
    };
    registry.fault(Fault::on("GET", "/manifests/latest", Harm::Then(moved)).times(1));
    let resolved = client.resolve(&tag("latest")).await.expect("a manifest");
    let pulled = client.manifest(&resolved.pinned.digest).await.expect("a manifest");
    assert_eq!(pulled.bytes(), image.manifest.bytes());
    let now = client.resolve(&tag("latest")).await.expect("a manifest");
    assert_ne!(now.pinned, resolved.pinned);
}

#[tokio::test]
async fn attack_19_a_type_in_the_header_that_the_document_contradicts_is_refused() {
    let (registry, client, image) = with_image().await;
    let index = MediaType::ImageIndex.to_string();
    registry.fault(Fault::on("GET", "", Harm::header("content-type", &index)));
    let error = client.manifest(image.manifest.digest()).await.expect_err("another type");
    assert!(matches!(error.reason, Reason::Manifest(_)), "{error:?}");
    let (registry, client, image) = with_image().await;
    registry.fault(Fault::on("GET", "", Harm::without("content-type")));
    let error = client.manifest(image.manifest.digest()).await.expect_err("no type");
    assert!(matches!(error.reason, Reason::Manifest(ManifestError::NoMediaType)), "{error:?}");
}

#[tokio::test]
async fn attack_19_a_document_that_is_two_is_refused_whatever_it_is_called() {
    let (registry, client, image) = with_image().await;
    let text = String::from_utf8(image.manifest.bytes().to_vec()).expect("text");
    let both = text.replacen('{', r#"{"manifests":[],"#, 1);
    for media_type in [MediaType::ImageManifest, MediaType::ImageIndex] {
        registry.change(Change::Put {
            repository: "a/b".to_owned(),
            name: "both".to_owned(),
            media_type: media_type.to_string(),
            bytes: both.clone().into_bytes(),
        });
        let error = client.resolve(&tag("both")).await.expect_err("two documents");
        assert!(matches!(error.reason, Reason::Manifest(_)), "{error:?}");
    }
}

#[tokio::test]
async fn attack_20_a_manifest_without_end_is_left_after_four_mebibytes() {
    let (registry, client, image) = with_image().await;
    registry.fault(Fault::on("GET", "/manifests/", Harm::Endless));
    let error = client.manifest(image.manifest.digest()).await.expect_err("no end");
    let is_limit =
        |reason: &Reason| matches!(reason, Reason::TooLarge { limit } if *limit == MANIFEST_LIMIT);
    assert!(is_limit(&error.reason), "{error:?}");
}

#[tokio::test]
async fn attack_20_a_body_that_is_compressed_on_its_way_is_refused() {
    let (registry, client, image) = with_image().await;
    registry.fault(Fault::on("GET", "", Harm::header("content-encoding", "gzip")));
    let error = client.manifest(image.manifest.digest()).await.expect_err("compressed");
    assert!(matches!(error.reason, Reason::Answer(_)), "{error:?}");
}

#[tokio::test]
async fn attack_20_a_descriptor_that_lies_about_size_or_type_is_refused() {
    let (_registry, client, image) = with_image().await;
    let right = image.manifest.descriptor();
    client.described(&right).await.expect("a manifest");
    for size in [right.size - 1, right.size + 1, u64::MAX] {
        let mut wrong = right.clone();
        wrong.size = size;
        let error = client.described(&wrong).await.expect_err("another size");
        assert!(matches!(error.reason, Reason::Bytes(_)), "{error:?}");
    }
    let mut wrong = right;
    wrong.media_type = MediaType::ImageIndex;
    let error = client.described(&wrong).await.expect_err("another type");
    assert!(matches!(error.reason, Reason::Manifest(_)), "{error:?}");
}

#[tokio::test]
async fn attack_20_a_manifest_may_be_named_by_its_sha512() {
    let registry = FakeRegistry::start(Referring::Unknown);
    let client = client(&registry.host(), "a/b");
    let bytes = br#"{"schemaVersion":2,"manifests":[]}"#;
    let mut hasher = occ_oci::Hasher::new(occ_oci::Algorithm::Sha512);
    hasher.update(bytes);
    let name = ManifestDigest::new(hasher.finish());
    registry.change(Change::Put {
        repository: "a/b".to_owned(),
        name: name.to_string(),
        media_type: MediaType::ImageIndex.to_string(),
        bytes: bytes.to_vec(),
    });
    let manifest = client.manifest(&name).await.expect("a manifest");
    assert_eq!(*manifest.digest(), name);
    registry.fault(Fault::on("GET", "", Harm::Flipped));
    let error = client.manifest(&name).await.expect_err("other bytes");
    assert!(matches!(error.reason, Reason::Bytes(_)), "{error:?}");
}

#[tokio::test]
async fn a_registry_that_takes_another_manifest_than_it_was_sent_is_not_believed() {
    let (registry, client, image) = with_image().await;
    let other = occ_oci::Digest::sha256(b"other").to_string();
    registry.fault(Fault::on("PUT", "", Harm::header("docker-content-digest", &other)));
    let error = client.tag(&image.manifest, &tag("x")).await.expect_err("another digest");
    assert!(matches!(error.reason, Reason::Bytes(_)), "{error:?}");
}

#[tokio::test]
async fn a_registry_without_a_location_after_a_manifest_is_no_panic() {
    let (registry, client, image) = with_image().await;
    registry.fault(Fault::on("PUT", "", Harm::without("location")));
    client.push_manifest(&image.manifest).await.expect("a push");
}

#[tokio::test]
async fn what_a_registry_says_about_a_refusal_is_its_code_and_nothing_else() {
    let (registry, client, image) = with_image().await;
    let body =
        r#"{"errors":[{"code":"TAG_INVALID","message":"secret words"},{"code":"<script>"}]}"#;
    let harm = Harm::Answers { status: 418, headers: Vec::new(), body: body.into() };
    registry.fault(Fault::on("GET", "", harm));
    let error = client.manifest(image.manifest.digest()).await.expect_err("refused");
    let said = crate::told(&error);
    assert!(said.contains("TAG_INVALID") && said.contains("418"), "{said}");
    assert!(!said.contains("secret") && !said.contains("script"), "{said}");
}

#[test]
fn a_manifest_is_pinned_by_the_bytes_that_came() {
    let text = r#"{"schemaVersion":2,"manifests":[]}"#;
    let manifest = raw(text, MediaType::ImageIndex);
    let expected = occ_oci::Digest::sha256(text.as_bytes()).to_string();
    assert_eq!(*manifest.digest(), digest(&expected));
}
