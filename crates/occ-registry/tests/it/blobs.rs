//! Blobs from a registry that lies or breaks off.

use bytes::Bytes;
use occ_oci::{Descriptor, MediaType, VerifyingError};
use occ_registry::{Client, Error, Reason};
use occ_testkit::{Change, FakeRegistry, Fault, Harm, Referring};

use crate::material::blob;
use crate::{client, settings};

/// A registry with a blob of some size.
fn with_blob() -> (FakeRegistry, Client, Descriptor, Bytes) {
    let registry = FakeRegistry::start(Referring::Unknown);
    let client = client(&registry.host(), "a/b");
    let bytes: Vec<u8> = (0..50_000_u32).flat_map(u32::to_le_bytes).collect();
    registry.change(Change::Blob { repository: "a/b".to_owned(), bytes: bytes.clone() });
    let (descriptor, bytes) = blob(MediaType::LayerTar, bytes);
    (registry, client, descriptor, bytes)
}

/// Everything that was handed on, and how it ended.
async fn read(client: &Client, blob: &Descriptor) -> (Vec<u8>, Result<(), Error>) {
    let mut stream = client.blob(blob);
    let mut got = Vec::new();
    loop {
        match stream.next().await {
            Ok(Some(piece)) => got.extend_from_slice(&piece),
            Ok(None) => return (got, Ok(())),
            Err(error) => {
                let again = stream.next().await;
                assert!(!matches!(again, Ok(None)), "an error does not become a good end");
                return (got, Err(error));
            }
        }
    }
}

#[tokio::test]
async fn attack_3_the_last_byte_of_wrong_bytes_is_never_handed_on() {
    let (registry, client, descriptor, bytes) = with_blob();
    registry.fault(Fault::on("GET", "/blobs/", Harm::Flipped));
    let (got, end) = read(&client, &descriptor).await;
    let error = end.expect_err("other bytes");
    assert!(matches!(error.reason, Reason::Bytes(VerifyingError::Digest { .. })), "{error:?}");
    assert!(got.len() < bytes.len());
    assert_eq!(registry.asked("GET", "/blobs/"), 1, "a lie is not asked for again");
}

#[tokio::test]
async fn attack_20_more_or_fewer_bytes_than_described_are_refused() {
    let (registry, client, descriptor, bytes) = with_blob();
    let mut short = descriptor.clone();
    short.size -= 1;
    let (_, end) = read(&client, &short).await;
    let error = end.expect_err("one more");
    assert!(matches!(error.reason, Reason::Bytes(VerifyingError::TooLong { .. })), "{error:?}");
    let mut long = descriptor.clone();
    long.size += 1;
    let (_, end) = read(&client, &long).await;
    let error = end.expect_err("one fewer");
    assert!(matches!(error.reason, Reason::Bytes(VerifyingError::TooShort { .. })), "{error:?}");
    registry.fault(Fault::on("GET", "/blobs/", Harm::Endless));
    let (got, end) = read(&client, &descriptor).await;
    let error = end.expect_err("no end");
    assert!(matches!(error.reason, Reason::Bytes(_)), "{error:?}");
    assert!(got.len() <= bytes.len());
}

#[tokio::test]
async fn a_broken_connection_goes_on_where_it_broke() {
    let (registry, client, descriptor, bytes) = with_blob();
    registry.fault(Fault::on("GET", "/blobs/", Harm::Truncated).times(2));
    let (got, end) = read(&client, &descriptor).await;
    end.expect("all of it");
    assert_eq!(got, bytes);
    let requests = registry.requests();
    let ranges: Vec<_> = requests.iter().filter_map(|request| request.header("range")).collect();
    assert_eq!(ranges.len(), 2, "{ranges:?}");
    assert!(ranges.iter().all(|range| *range != "bytes=0-"), "{ranges:?}");
}

#[tokio::test]
async fn a_registry_that_begins_anew_is_read_over_to_where_it_broke() {
    let (registry, client, descriptor, bytes) = with_blob();
    registry.fault(Fault::on("GET", "/blobs/", Harm::Truncated).times(1));
    let whole = Harm::Answers { status: 200, headers: Vec::new(), body: bytes.to_vec() };
    registry.fault(Fault::on("GET", "/blobs/", whole));
    let (got, end) = read(&client, &descriptor).await;
    end.expect("all of it");
    assert_eq!(got, bytes);
}

#[tokio::test]
async fn another_part_than_was_asked_for_is_refused() {
    let (registry, client, descriptor, bytes) = with_blob();
    registry.fault(Fault::on("GET", "/blobs/", Harm::Truncated).times(1));
    let headers = vec![("content-range".to_owned(), "bytes 7-99/100".to_owned())];
    let part = Harm::Answers { status: 206, headers, body: bytes[7..].to_vec() };
    registry.fault(Fault::on("GET", "/blobs/", part));
    let (_, end) = read(&client, &descriptor).await;
    let error = end.expect_err("another part");
    assert!(matches!(error.reason, Reason::Answer(_)), "{error:?}");
}

#[tokio::test]
async fn attack_20_silence_in_the_middle_ends() {
    let (registry, _, descriptor, bytes) = with_blob();
    let (mut settings, waits) = settings();
    settings.patience.stall = std::time::Duration::from_millis(200);
    let client = crate::client_with(settings, &registry.host(), "a/b");
    registry.fault(Fault::on("GET", "/blobs/", Harm::SilentBody));
    let (got, end) = read(&client, &descriptor).await;
    let error = end.expect_err("silence");
    assert!(matches!(error.reason, Reason::Silent { .. }), "{error:?}");
    assert!(got.len() < bytes.len());
    assert_eq!(waits.seconds(), [1, 2, 4]);
}

#[tokio::test]
async fn a_blob_that_is_too_large_for_its_reader_is_not_asked_for() {
    let (registry, client, descriptor, _) = with_blob();
    let error = client.blob_bytes(&descriptor, 100).await.expect_err("too large");
    assert!(matches!(error.reason, Reason::TooLarge { limit: 100 }), "{error:?}");
    assert_eq!(registry.asked("GET", "/blobs/"), 0);
}
