//! How single requests fail.

use std::io::ErrorKind;
use std::pin::pin;
use std::time::Duration;

use occ_opencode::fake::{FakeServer, Manner, Script};
use occ_opencode::{Client, Endpoint, Error, ServerEvent, SessionId};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::{credentials, fake, free_address};

/// A server that says `answer` to its first visitor, whatever is asked.
async fn saying(answer: Vec<u8>) -> (Client, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a visitor");
        // What is not read would turn the end of the connection into a reset.
        let _ = stream.read(&mut [0; 4096]).await.expect("a request");
        // A visitor may leave before all is said.
        drop(stream.write_all(&answer).await);
        drop(stream.shutdown().await);
    });
    (Client::new(Endpoint { address }, None).within(Duration::from_secs(5)), task)
}

#[tokio::test]
async fn nobody_there_is_a_refused_connection_with_its_errno() {
    let address = free_address();
    let error = Client::new(Endpoint { address }, None).health().await.expect_err("nobody");
    assert!(
        matches!(&error, Error::Connect { source, .. } if source.kind() == ErrorKind::ConnectionRefused),
        "{error:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_never_answered_ends_after_its_time() {
    let (_server, client) = fake(Manner::NeverAnswers).await;
    let begun = tokio::time::Instant::now();
    let error = client.within(Duration::from_millis(700)).health().await.expect_err("silence");
    assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
    assert_eq!(begun.elapsed().as_millis() / 10, 70);
}

#[tokio::test]
async fn a_web_page_is_no_json_although_its_status_is_200() {
    let (_server, client) = fake(Manner::HtmlEverywhere).await;
    let error = client.path().await.expect_err("a page");
    assert!(
        matches!(&error, Error::NotJson { path, content_type: Some(t) } if path == "/path" && t == "text/html"),
        "{error:?}"
    );
    let error = client.events().await.expect_err("a page");
    assert!(matches!(error, Error::NotEvents { .. }), "{error:?}");
}

#[tokio::test]
async fn a_wrong_password_is_told_apart_from_other_refusals() {
    let (server, _) = fake(Manner::Healthy).await;
    let stranger = Client::new(server.endpoint(), Some(credentials("wrong")));
    assert!(matches!(stranger.health().await, Err(Error::Unauthorized { .. })));
}

#[tokio::test]
async fn a_refusal_keeps_its_status_and_its_words() {
    let (_server, client) = fake(Manner::BrokenInstance).await;
    let error = client.path().await.expect_err("a broken instance");
    let Error::Status { path, status, excerpt } = &error else { panic!("{error:?}") };
    assert_eq!((path.as_str(), *status), ("/path", 400));
    assert!(excerpt.contains("ConfigJsonError"), "{excerpt}");
}

#[tokio::test]
async fn json_of_another_shape_is_named_as_such() {
    let answer = b"HTTP/1.1 200 OK\r\ncontent-type: Application/JSON; charset=utf-8\r\n\
        content-length: 11\r\n\r\n{\"ok\":true}";
    let (client, _task) = saying(answer.to_vec()).await;
    let error = client.health().await.expect_err("no health");
    assert!(matches!(error, Error::Schema { .. }), "{error:?}");
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let mut answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n".to_vec();
    answer.resize(17 * 1024 * 1024 + answer.len(), b' ');
    let (client, _task) = saying(answer).await;
    let error = client.health().await.expect_err("too much");
    assert!(matches!(error, Error::TooLarge { .. }), "{error:?}");
}

#[tokio::test]
async fn a_connection_that_closes_without_an_answer_is_broken() {
    for answer in [&b""[..], b"HTTP/1.1 200", b"220 mail.example ESMTP\r\n"] {
        let (client, _task) = saying(answer.to_vec()).await;
        let error = client.health().await.expect_err("no answer");
        assert!(matches!(error, Error::Broken { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_body_shorter_than_promised_is_broken() {
    let answer =
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{";
    let (client, _task) = saying(answer.to_vec()).await;
    let error = client.health().await.expect_err("half an answer");
    assert!(matches!(error, Error::Broken { .. }), "{error:?}");
}

#[tokio::test]
async fn an_unknown_session_is_404() {
    let (_server, client) = fake(Manner::Healthy).await;
    let nobody: SessionId = "ses_nobody".parse().expect("a name");
    for error in [
        client.shell(&nobody, "echo x").await.expect_err("nobody's shell"),
        client.delete_session(&nobody).await.expect_err("nobody"),
    ] {
        assert!(matches!(error, Error::Status { status: 404, .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_stream_that_begins_otherwise_or_ends_is_not_connected() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    for (body, expected) in [("", None), ("data: {\"type\":\"other\"}\n\n", Some("other"))] {
        let (client, _task) = saying(format!("{head}{body}").into_bytes()).await;
        let error = client.connected_events().await.expect_err("no stream");
        let Error::FirstEvent { kind } = &error else { panic!("{error:?}") };
        assert_eq!(kind.as_deref(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_stream_is_a_timeout_and_a_live_one_has_heartbeats() {
    let (_silent, client) = fake(Manner::SilentEvents).await;
    let mut stream = client.events().await.expect("the head comes");
    let error = stream.next(Duration::from_secs(11)).await.expect_err("silence");
    assert!(matches!(error, Error::Timeout { .. }), "{error:?}");

    let (_live, client) = fake(Manner::Healthy).await;
    let mut stream = client.connected_events().await.expect("a stream");
    let event = stream.next(Duration::from_secs(11)).await.expect("in time").expect("not the end");
    assert_eq!(event.kind, ServerEvent::HEARTBEAT);
}

#[tokio::test]
async fn dropping_a_request_closes_its_connection() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    let client = Client::new(Endpoint { address }, None);
    let mut stream = {
        let mut asking = pin!(client.health());
        tokio::select! {
            outcome = &mut asking => panic!("nobody answered: {outcome:?}"),
            accepted = async {
                let (mut stream, _) = listener.accept().await.expect("a visitor");
                let _ = stream.read(&mut [0; 4096]).await.expect("a request");
                stream
            } => accepted,
        }
    };
    let rest = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut [0; 16])).await;
    assert_eq!(rest.expect("it is closed in time").expect("no reset"), 0);
}

#[tokio::test]
async fn no_debug_output_shows_the_password() {
    let script = Script::healthy();
    let credentials = script.credentials.clone().expect("the door is locked");
    let server = FakeServer::start(script).await.expect("a free port");
    let client = Client::new(server.endpoint(), Some(credentials.clone()));
    let shown = format!("{client:?} {server:?}");
    assert!(!shown.contains(credentials.password.expose()), "{shown}");
}

#[tokio::test]
async fn a_session_at_work_is_named() {
    let (server, client) = fake(Manner::Healthy).await;
    let (one, _other) = (
        client.create_session().await.expect("a session"),
        client.create_session().await.expect("a session"),
    );
    server.set_busy(&one.id);
    assert_eq!(client.busy_sessions().await.expect("a list"), [one.id]);
}
