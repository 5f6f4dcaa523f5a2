//! The door, open and shut.

use std::time::Duration;

use occ_opencode::fake::{FakeServer, Manner, Script};
use occ_opencode::{DoorError, Error, Tried, prove_locked};

use crate::{fake, free_address};

#[tokio::test]
async fn a_locked_door_is_proven_on_every_path_with_nothing_and_with_a_wrong_password() {
    let (server, _) = fake(Manner::Healthy).await;
    let address = server.endpoint().address;
    prove_locked(address, Duration::from_secs(5)).await.expect("it is locked");
    let requests = server.requests();
    for path in ["/", "/event", "/global/health", "/path", "/session"] {
        let request = format!("GET {path}");
        let times = requests.iter().filter(|asked| **asked == request).count();
        assert!(times >= 2, "{path} in {requests:?}");
    }
}

#[tokio::test]
async fn an_open_door_is_found_although_its_event_stream_never_ends() {
    let script = Script { credentials: None, ..Script::healthy() };
    let server = FakeServer::start(script).await.expect("a free port");
    let address = server.endpoint().address;
    let error = prove_locked(address, Duration::from_secs(5)).await.expect_err("it is open");
    let DoorError::Open(open) = &error else { panic!("{error:?}") };
    assert_eq!((open.address, open.status), (address, 200));
}

#[tokio::test]
async fn a_question_that_is_swallowed_is_asked_again() {
    let (server, _) = fake(Manner::SwallowsFirst(3)).await;
    let address = server.endpoint().address;
    let proof = prove_locked(address, Duration::from_secs(600));
    // A question waits a second for its answer, never for the whole deadline.
    let proof = tokio::time::timeout(Duration::from_secs(20), proof).await;
    proof.expect("it is asked again soon").expect("it is locked");
    assert!(server.requests().len() >= 10 + 3, "{:?}", server.requests());
}

#[tokio::test(start_paused = true)]
async fn a_door_that_nobody_answers_is_undecided_and_not_locked() {
    let (server, _) = fake(Manner::NeverAnswers).await;
    let address = server.endpoint().address;
    let error = prove_locked(address, Duration::from_secs(5)).await.expect_err("silence");
    assert!(
        matches!(error, DoorError::Undecided { source: Error::Timeout { .. }, .. }),
        "{error:?}"
    );
    let error = prove_locked(free_address(), Duration::from_secs(1)).await.expect_err("nobody");
    assert!(
        matches!(error, DoorError::Undecided { source: Error::Connect { .. }, .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_door_that_opens_to_any_password_is_open() {
    let (server, _) = fake(Manner::AnyPassword).await;
    let address = server.endpoint().address;
    let error = prove_locked(address, Duration::from_secs(5)).await.expect_err("it is open");
    let DoorError::Open(open) = &error else { panic!("{error:?}") };
    assert_eq!((open.tried, open.status), (Tried::WrongPassword, 200));
    assert!(
        error.to_string().ends_with("answers 200 to a request with a wrong password"),
        "{error}"
    );
}
