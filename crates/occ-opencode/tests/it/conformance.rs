//! What the fake promises, the real opencode keeps: one suite, run against both.

use std::time::Duration;

use occ_opencode::fake::Manner;
use occ_opencode::{Client, Error, Expect, NotReady, ServerEvent, prove_locked, wait_ready};
use tokio::time::Instant;

use crate::real::{self, RealServer};
use crate::{credentials, fake};

const PATIENCE: Duration = Duration::from_secs(20);

async fn conforms(client: &Client, version: &str) {
    ready_with_the_pinned_version(client, version).await;
    strangers_are_refused(client).await;
    sessions_come_and_go_and_are_announced(client).await;
    a_shell_command_has_output_and_no_exit_code(client).await;
    a_session_in_which_nothing_is_done_is_not_busy(client).await;
}

async fn ready_with_the_pinned_version(client: &Client, version: &str) {
    let deadline = Instant::now() + PATIENCE;
    let expect = Expect { version: Some(version.to_owned()) };
    let ready = wait_ready(client, &expect, deadline, &|_| {}).await.expect("it is ready");
    assert_eq!(ready.version, version);
    assert!(ready.paths.directory.is_absolute() && ready.paths.config.is_absolute());

    let other = Expect { version: Some("1.0.0".into()) };
    let outcome = wait_ready(client, &other, deadline, &|_| {}).await;
    assert!(matches!(outcome, Err(NotReady::WrongVersion { .. })), "{outcome:?}");
}

async fn strangers_are_refused(client: &Client) {
    prove_locked(client.endpoint().address, PATIENCE).await.expect("the door is locked");
    for stranger in [None, Some(credentials("wrong"))] {
        let stranger = Client::new(client.endpoint(), stranger);
        assert!(matches!(stranger.health().await, Err(Error::Unauthorized { .. })));
        assert!(matches!(stranger.events().await, Err(Error::Unauthorized { .. })));
        assert!(matches!(stranger.create_session().await, Err(Error::Unauthorized { .. })));
    }
}

async fn sessions_come_and_go_and_are_announced(client: &Client) {
    let mut events = client.connected_events().await.expect("the stream opens");
    let session = client.create_session().await.expect("a session");
    let announced = until(&mut events, "session.created").await;
    assert_eq!(announced.properties["info"]["id"], session.id.as_str());
    assert!(client.sessions().await.expect("a list").contains(&session));

    client.delete_session(&session.id).await.expect("it was there");
    assert!(!client.sessions().await.expect("a list").contains(&session));
    let error = client.delete_session(&session.id).await.expect_err("it is gone");
    assert!(matches!(error, Error::Status { status: 404, .. }), "{error:?}");
}

async fn a_session_in_which_nothing_is_done_is_not_busy(client: &Client) {
    let session = client.create_session().await.expect("a session");
    assert_eq!(client.busy_sessions().await.expect("a list"), []);
    client.delete_session(&session.id).await.expect("it was there");
}

async fn until(events: &mut occ_opencode::EventStream, kind: &str) -> ServerEvent {
    loop {
        let event = events.next(PATIENCE).await.expect("in time").expect("not the end");
        if event.kind == kind {
            return event;
        }
    }
}

async fn a_shell_command_has_output_and_no_exit_code(client: &Client) {
    let session = client.create_session().await.expect("a session").id;
    let client = client.within(PATIENCE);
    let said = client.shell(&session, "echo hello").await.expect("it runs");
    assert_eq!((said.status.as_str(), said.output.as_str()), ("completed", "hello\n"));
    let failed = client.shell(&session, "echo no; exit 3").await.expect("it runs");
    assert_eq!((failed.status.as_str(), failed.output.as_str()), ("completed", "no\n"));
    client.delete_session(&session).await.expect("it was there");
    let error = client.shell(&session, "echo x").await.expect_err("it is gone");
    assert!(matches!(error, Error::Status { status: 404, .. }), "{error:?}");
}

#[tokio::test]
async fn the_fake_conforms() {
    let (_server, client) = fake(Manner::Healthy).await;
    conforms(&client, "1.18.33").await;
}

#[tokio::test]
async fn the_real_opencode_conforms_from_a_cold_start() {
    let server = RealServer::start(&[("OPENCODE_SERVER_PASSWORD", real::PASSWORD)]);
    conforms(&server.client(), real::VERSION).await;
}
