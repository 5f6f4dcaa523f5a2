//! Proof that a stranger is turned away.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::try_join_all;
use hyper::StatusCode;
use tokio::time::{Instant, sleep};

use crate::{Client, Credentials, Endpoint, Error};

/// One path of every kind: web page, liveness, instance, stream, data.
const PATHS: [&str; 5] = ["/", "/global/health", "/path", "/event", "/session"];
/// What one question may take; a shorter deadline shortens it.
const PATIENCE: Duration = Duration::from_secs(1);
/// Pause before a question is asked again.
const PAUSE: Duration = Duration::from_millis(50);

/// With what a stranger tried the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tried {
    /// No credentials at all.
    Nothing,
    /// The usual user with a wrong password.
    WrongPassword,
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "without a password",
            Self::WrongPassword => "with a wrong password",
        })
    }
}

/// A request of a stranger that was not refused with 401.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path} at {address} answers {status} to a request {tried}")]
pub struct DoorOpen {
    /// Where.
    pub address: SocketAddr,
    /// What was asked for.
    pub path: String,
    /// With what.
    pub tried: Tried,
    /// HTTP status code of the answer.
    pub status: u16,
}

/// Why the door is not proven locked.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    /// It is open.
    #[error(transparent)]
    Open(#[from] DoorOpen),
    /// Nobody could find out before the deadline.
    #[error("cannot find out whether {address} turns strangers away")]
    Undecided {
        /// Where.
        address: SocketAddr,
        /// What was last wrong.
        #[source]
        source: Error,
    },
}

/// Proves that the server at `address` refuses strangers, on several paths, with nothing and with
/// a wrong password; questions without an answer are asked again for up to `timeout`.
///
/// # Errors
/// [`DoorError::Open`] for any answer but 401, [`DoorError::Undecided`] where there is none.
pub async fn prove_locked(address: SocketAddr, timeout: Duration) -> Result<(), DoorError> {
    let deadline = Instant::now() + timeout;
    let endpoint = Endpoint { address };
    let wrong = Credentials { user: "opencode".into(), password: "not the password".into() };
    let strangers = [
        (Tried::Nothing, Client::new(endpoint, None)),
        (Tried::WrongPassword, Client::new(endpoint, Some(wrong))),
    ];
    let questions = strangers.iter().flat_map(|(tried, client)| {
        PATHS.iter().map(move |path| turned_away(client, path, *tried, deadline))
    });
    try_join_all(questions).await.map(drop)
}

async fn turned_away(
    client: &Client,
    path: &str,
    tried: Tried,
    deadline: Instant,
) -> Result<(), DoorError> {
    let address = client.endpoint().address;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match client.within(left.min(PATIENCE)).status(path).await {
            Ok(StatusCode::UNAUTHORIZED) => return Ok(()),
            Ok(status) => {
                let (path, status) = (path.to_owned(), status.as_u16());
                return Err(DoorOpen { address, path, tried, status }.into());
            }
            Err(source) if left <= PAUSE => return Err(DoorError::Undecided { address, source }),
            Err(_) => sleep(PAUSE).await,
        }
    }
}
