//! Uploads that are cut off, answered wrongly, or led away.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use bytes::Bytes;
use occ_oci::{Descriptor, MediaType};
use occ_registry::{Client, FileSource, Pushed, Reason, Settings};
use occ_testkit::{Change, FakeRegistry, Fault, Harm, Referring};

use crate::material::blob;
use crate::{client, client_with, settings};

/// A client that sends pieces of a thousand bytes, and a blob of three and a half.
fn in_pieces(registry: &FakeRegistry) -> (Client, Descriptor, Bytes) {
    let settings = Settings { chunk: 1000, ..settings().0 };
    let bytes: Vec<u8> = (0..875_u32).flat_map(u32::to_le_bytes).collect();
    let (descriptor, bytes) = blob(MediaType::LayerTar, bytes);
    (client_with(settings, &registry.host(), "a/b"), descriptor, bytes)
}

/// Pushes with these faults and looks whether the right bytes arrived.
async fn survives(faults: Vec<Fault>) -> FakeRegistry {
    let registry = FakeRegistry::start(Referring::Unknown);
    let (client, descriptor, bytes) = in_pieces(&registry);
    for fault in faults {
        registry.fault(fault);
    }
    let pushed = client.push_blob(&descriptor, &mut bytes.clone(), None).await.expect("a push");
    assert_eq!(pushed, Pushed::Uploaded);
    assert_eq!(registry.blob("a/b", &descriptor.digest.to_string()), Some(bytes.to_vec()));
    registry
}

#[tokio::test]
async fn pieces_follow_each_other() {
    let registry = survives(Vec::new()).await;
    let requests = registry.requests();
    let ranges: Vec<_> =
        requests.iter().filter_map(|request| request.header("content-range")).collect();
    assert_eq!(ranges, ["0-999", "1000-1999", "2000-2999", "3000-3499"]);
}

#[tokio::test]
async fn an_upload_goes_on_where_the_registry_is() {
    // The connection breaks before, in the middle of, and after a piece.
    let registry = survives(vec![
        Fault::on("PATCH", "", Harm::HangsUp).times(1),
        Fault::on("PATCH", "", Harm::TakesOnly(300)).after(1).times(1),
        Fault::on("PATCH", "", Harm::LosesAnswer).after(1).times(1),
    ])
    .await;
    assert!(registry.asked("GET", "/blobs/uploads/") >= 2, "it asks where to go on");
}

#[tokio::test]
async fn an_upload_that_is_forgotten_begins_anew() {
    let forgotten = Harm::Then(Change::ForgetUploads);
    let registry = survives(vec![
        Fault::on("PATCH", "", forgotten).after(1).times(1),
        Fault::on("PATCH", "", Harm::status(503)).after(1).times(1),
    ])
    .await;
    assert!(registry.asked("POST", "/blobs/uploads/") >= 2);
}

#[tokio::test]
async fn an_upload_that_the_registry_does_not_know_any_more_begins_anew() {
    // The next piece is answered with 404.
    let forgotten = Harm::Then(Change::ForgetUploads);
    for piece in [1, 2] {
        let fault = Fault::on("PATCH", "", forgotten.clone()).after(piece).times(1);
        let registry = survives(vec![fault]).await;
        assert_eq!(registry.asked("POST", "/blobs/uploads/"), 2);
    }
}

#[tokio::test]
async fn a_registry_that_takes_nothing_is_not_waited_for_without_end() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let host = listener.local_addr().expect("an address").to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let mut head = vec![0; 4096];
            let length = stream.read(&mut head).expect("a request");
            let answer = match &head[..length] {
                [b'H', ..] => "404 Not Found\r\n",
                [b'P', b'O', ..] => "202 Accepted\r\nLocation: /v2/a/b/blobs/uploads/1\r\n",
                // It never reads on, and never answers.
                _ => return std::thread::sleep(Duration::from_secs(60)),
            };
            let answer = format!("HTTP/1.1 {answer}Content-Length: 0\r\nConnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).expect("an answer");
        }
    });
    let mut settings = settings().0;
    settings.patience.stall = Duration::from_millis(300);
    settings.patience.waits.clear();
    let client = client_with(settings, &host, "a/b");
    let (descriptor, bytes) = blob(MediaType::LayerTar, vec![7; 32 << 20]);
    let begun = Instant::now();
    let error = client.push_blob(&descriptor, &mut bytes.clone(), None).await.expect_err("silence");
    assert!(matches!(error.reason, Reason::Silent { .. }), "{error:?}");
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_last_answer_that_is_lost_is_no_second_upload() {
    let registry = survives(vec![Fault::on("PUT", "", Harm::LosesAnswer).times(1)]).await;
    assert_eq!(registry.asked("POST", "/blobs/uploads/"), 1);
}

#[tokio::test]
async fn a_registry_that_fails_for_a_while_gets_the_piece_again() {
    survives(vec![
        Fault::on("POST", "", Harm::status(500)).times(2),
        Fault::on("PATCH", "", Harm::busy(1)).times(3),
        Fault::on("PUT", "", Harm::status(502)).times(1),
    ])
    .await;
}

#[tokio::test]
async fn a_missing_location_is_an_error_and_no_panic() {
    let registry = FakeRegistry::start(Referring::Unknown);
    let (client, descriptor, bytes) = in_pieces(&registry);
    registry.fault(Fault::on("POST", "", Harm::without("location")).times(1));
    let error = client.push_blob(&descriptor, &mut bytes.clone(), None).await.expect_err("none");
    assert!(matches!(error.reason, Reason::Answer(_)), "{error:?}");
    registry.fault(Fault::on("PATCH", "", Harm::without("location")).times(1));
    let error = client.push_blob(&descriptor, &mut bytes.clone(), None).await.expect_err("none");
    assert!(matches!(error.reason, Reason::Answer(_)), "{error:?}");
}

#[tokio::test]
async fn attack_21_bytes_are_not_sent_to_another_place_than_the_registry() {
    let (registry, other) =
        (FakeRegistry::start(Referring::Unknown), FakeRegistry::start(Referring::Unknown));
    let (client, descriptor, bytes) = in_pieces(&registry);
    let elsewhere = other.url("/v2/a/b/blobs/uploads/1");
    registry.fault(Fault::on("POST", "", Harm::header("location", &elsewhere)));
    let error = client.push_blob(&descriptor, &mut bytes.clone(), None).await.expect_err("away");
    assert!(matches!(error.reason, Reason::ForeignUpload { .. }), "{error:?}");
    assert_eq!(other.requests(), []);
}

#[tokio::test]
async fn a_registry_that_says_it_has_more_than_it_was_sent_is_not_believed() {
    let registry = FakeRegistry::start(Referring::Unknown);
    let (client, descriptor, bytes) = in_pieces(&registry);
    registry.fault(Fault::on("PATCH", "", Harm::header("range", "0-99999")));
    let error = client.push_blob(&descriptor, &mut bytes.clone(), None).await.expect_err("a lie");
    assert!(matches!(error.reason, Reason::Answer(_)), "{error:?}");
}

#[tokio::test]
async fn a_registry_that_says_it_took_less_is_sent_the_rest_and_asked_when_it_minds() {
    let registry =
        survives(vec![Fault::on("PATCH", "", Harm::header("range", "0-499")).times(1)]).await;
    let requests = registry.requests();
    let ranges: Vec<_> =
        requests.iter().filter_map(|request| request.header("content-range")).collect();
    // It holds a thousand, minds the second piece, and says so when it is asked.
    assert_eq!(ranges, ["0-999", "500-1499", "1000-1999", "2000-2999", "3000-3499"]);
}

#[tokio::test]
async fn a_piece_may_have_to_be_larger() {
    let registry = FakeRegistry::start(Referring::Unknown);
    let (client, descriptor, bytes) = in_pieces(&registry);
    registry.fault(Fault::on("POST", "", Harm::header("oci-chunk-min-length", "2000")));
    client.push_blob(&descriptor, &mut bytes.clone(), None).await.expect("a push");
    let requests = registry.requests();
    let ranges: Vec<_> =
        requests.iter().filter_map(|request| request.header("content-range")).collect();
    assert_eq!(ranges, ["0-1999", "2000-3499"]);
}

#[tokio::test]
async fn a_file_is_pushed_from_where_it_is_and_must_be_as_long_as_described() {
    let registry = FakeRegistry::start(Referring::Unknown);
    let (client, descriptor, bytes) = in_pieces(&registry);
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), &bytes).expect("written");
    let mut source = FileSource::new(file.reopen().expect("a file"));
    let mut long = descriptor.clone();
    long.size += 1;
    let error = client.push_blob(&long, &mut source, None).await.expect_err("one fewer");
    assert!(matches!(error.reason, Reason::Source(_)), "{error:?}");
    client.push_blob(&descriptor, &mut source, None).await.expect("a push");
    assert_eq!(registry.blob("a/b", &descriptor.digest.to_string()), Some(bytes.to_vec()));
}

#[tokio::test]
async fn a_mount_that_is_not_granted_becomes_an_upload() {
    let registry = FakeRegistry::start(Referring::Unknown);
    let client = client(&registry.host(), "a/b");
    let (descriptor, bytes) = blob(MediaType::LayerTar, "some bytes");
    let from = crate::repository(&registry.host(), "a/empty");
    let pushed = client.push_blob(&descriptor, &mut bytes.clone(), Some(&from)).await;
    assert_eq!(pushed.expect("a push"), Pushed::Uploaded);
    assert_eq!(registry.asked("POST", "mount="), 1);
}
