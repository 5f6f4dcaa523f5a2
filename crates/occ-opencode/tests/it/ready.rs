//! Waiting for servers that come, come late, or never come right.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use occ_opencode::fake::{FakeServer, Manner, Script};
use occ_opencode::{
    Client, Endpoint, Error, Event, Expect, NotReady, Ready, ServerLine, Stage, wait_ready,
};
use tokio::time::Instant;

use crate::{asked, credentials, fake, free_address};

fn pinned() -> Expect {
    Expect { version: Some("1.18.33".into()) }
}

async fn wait(client: &Client, seconds: u64) -> Result<Ready, NotReady> {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    wait_ready(client, &pinned(), deadline, &|_| {}).await
}

fn missing(outcome: Result<Ready, NotReady>) -> (Stage, Error) {
    match outcome {
        Err(NotReady::Missing { stage, last_error: Some(error), .. }) => {
            (stage, std::sync::Arc::try_unwrap(error).expect("nobody else has it"))
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_healthy_server_is_ready_after_health_instance_and_events_in_this_order() {
    let (server, client) = fake(Manner::Healthy).await;
    let events = Mutex::new(Vec::new());
    let deadline = Instant::now() + Duration::from_secs(5);
    let ready = wait_ready(&client, &pinned(), deadline, &|event| {
        if let Event::Reached { stage, .. } = event {
            events.lock().expect("no panic holds it").push(stage);
        }
    })
    .await
    .expect("it is ready");
    assert_eq!((ready.version.as_str(), ready.line), ("1.18.33", ServerLine::V1));
    assert_eq!(ready.paths.directory.to_str(), Some("/home/opencode/workspace"));
    assert_eq!(asked(&server), ["GET /global/health", "GET /path", "GET /event"]);
    let reached = events.into_inner().expect("no panic holds it");
    assert_eq!(reached, [Stage::Health, Stage::Instance, Stage::Events]);
}

#[tokio::test]
async fn a_server_that_swallows_its_first_requests_is_found() {
    let (server, client) = fake(Manner::SwallowsFirst(6)).await;
    wait(&client, 5).await.expect("it is ready");
    assert!(server.requests().len() >= 6 + 3, "{:?}", server.requests());
}

#[tokio::test]
async fn a_server_that_listens_later_is_found() {
    let address = free_address();
    let script = Script::healthy();
    let client = Client::new(Endpoint { address }, script.credentials.clone());
    let late = async {
        tokio::time::sleep(Duration::from_millis(400)).await;
        FakeServer::start_on(address, script).await.expect("the port is still free")
    };
    let (outcome, _server) = tokio::join!(wait(&client, 10), late);
    outcome.expect("it is ready");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_answers_is_missing_its_health() {
    let (_server, client) = fake(Manner::NeverAnswers).await;
    let (stage, error) = missing(wait(&client, 30).await);
    assert!(matches!((stage, &error), (Stage::Health, Error::Timeout { .. })), "{error:?}");
}

#[tokio::test]
async fn nobody_there_is_missing_its_health_with_the_refused_connection() {
    let client = Client::new(Endpoint { address: free_address() }, None);
    let (stage, error) = missing(wait(&client, 1).await);
    assert!(matches!((stage, &error), (Stage::Health, Error::Connect { .. })), "{error:?}");
}

#[tokio::test]
async fn green_health_does_not_hide_a_broken_instance() {
    let (_server, client) = fake(Manner::BrokenInstance).await;
    let told = AtomicBool::new(false);
    let deadline = Instant::now() + Duration::from_secs(1);
    let outcome = wait_ready(&client, &pinned(), deadline, &|event| {
        if let Event::Waiting { stage: Stage::Instance, last_error: Some(error), .. } = event {
            told.store(matches!(*error, Error::Status { status: 400, .. }), Ordering::Relaxed);
        }
    })
    .await;
    assert!(told.into_inner(), "the observer hears what is wrong while it still waits");
    let (stage, error) = missing(outcome);
    assert_eq!(stage, Stage::Instance);
    assert!(matches!(error, Error::Status { status: 400, .. }), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn an_event_stream_without_its_first_event_is_not_ready() {
    let (_server, client) = fake(Manner::SilentEvents).await;
    let (stage, error) = missing(wait(&client, 30).await);
    assert!(matches!((stage, &error), (Stage::Events, Error::Timeout { .. })), "{error:?}");
}

#[tokio::test]
async fn a_web_page_on_every_path_is_not_ready() {
    let (_server, client) = fake(Manner::HtmlEverywhere).await;
    let (stage, error) = missing(wait(&client, 1).await);
    assert!(matches!((stage, &error), (Stage::Health, Error::NotJson { .. })), "{error:?}");
}

#[tokio::test]
async fn a_server_that_calls_itself_unhealthy_is_not_ready() {
    let (_server, client) = fake(Manner::Unhealthy).await;
    let (stage, error) = missing(wait(&client, 1).await);
    assert!(matches!((stage, &error), (Stage::Health, Error::Unhealthy)), "{error:?}");
}

#[tokio::test]
async fn a_wrong_version_ends_the_wait_at_once() {
    let script = Script { version: "1.18.3".into(), ..Script::healthy() };
    let client_of = |s: &FakeServer| Client::new(s.endpoint(), Script::healthy().credentials);
    let server = FakeServer::start(script).await.expect("a free port");
    let outcome = wait(&client_of(&server), 30).await;
    let Err(NotReady::WrongVersion { expected, found }) = outcome else { panic!("{outcome:?}") };
    assert_eq!((expected.as_str(), found.as_str()), ("1.18.33", "1.18.3"));
    assert_eq!(asked(&server), ["GET /global/health"]);
}

#[tokio::test]
async fn another_line_is_refused_by_name_even_where_any_version_will_do() {
    let script = Script { version: "2.0.14".into(), ..Script::healthy() };
    let credentials = script.credentials.clone();
    let server = FakeServer::start(script).await.expect("a free port");
    let client = Client::new(server.endpoint(), credentials);
    let deadline = Instant::now() + Duration::from_secs(30);
    let outcome = wait_ready(&client, &Expect::default(), deadline, &|_| {}).await;
    let Err(NotReady::UnknownLine(line)) = outcome else { panic!("{outcome:?}") };
    assert_eq!(line.version, "2.0.14");
}

#[tokio::test]
async fn a_wrong_password_ends_the_wait_at_once() {
    let (server, _) = fake(Manner::Healthy).await;
    let stranger = Client::new(server.endpoint(), Some(credentials("wrong")));
    let outcome = wait(&stranger, 30).await;
    assert!(
        matches!(outcome, Err(NotReady::Unauthorized { stage: Stage::Health, .. })),
        "{outcome:?}"
    );
    assert_eq!(asked(&server), ["GET /global/health"]);
}

#[tokio::test]
async fn a_wait_can_be_abandoned_and_begun_again() {
    let (_server, client) = fake(Manner::SwallowsFirst(2)).await;
    let first = tokio::time::timeout(Duration::from_millis(10), wait(&client, 30)).await;
    assert!(first.is_err(), "the first request is swallowed");
    wait(&client, 5).await.expect("it is ready");
}
