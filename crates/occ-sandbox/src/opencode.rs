//! The real server behind the [`Server`] port.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use occ_image::guest;
use occ_opencode::{
    Client, Credentials, DoorError, Endpoint, Event, Expect, NotReady, prove_locked, wait_ready,
};
use tokio::time::Instant;

use crate::password::Password;
use crate::ports::Server;

/// Speaks to opencode over HTTP.
#[derive(Debug, Clone, Copy)]
pub struct Opencode;

/// Returns a client for the sandbox's server at `address`.
pub fn client(address: SocketAddr, password: &Password) -> Client {
    let credentials = Credentials { user: guest::USER.to_owned(), password: password.clone() };
    Client::new(Endpoint { address }, Some(credentials))
}

impl Server for Opencode {
    async fn ready(
        &self,
        address: SocketAddr,
        password: &Password,
        version: Option<&str>,
        timeout: Duration,
        observer: &(dyn Fn(Duration, String) + Send + Sync),
    ) -> Result<String, NotReady> {
        let client = client(address, password);
        let expect = Expect { version: version.map(str::to_owned) };
        let news = |event| {
            if let Event::Waiting { stage, elapsed, .. } = event {
                observer(elapsed, stage.to_string());
            }
        };
        let deadline = Instant::now() + timeout;
        wait_ready(&client, &expect, deadline, &news).await.map(|ready| ready.version)
    }

    async fn sessions(
        &self,
        address: SocketAddr,
        password: &Password,
        timeout: Duration,
    ) -> Option<BTreeSet<String>> {
        let sessions = client(address, password).within(timeout).sessions().await.ok()?;
        Some(sessions.into_iter().map(|session| session.id.to_string()).collect())
    }

    async fn locked(&self, address: SocketAddr, timeout: Duration) -> Result<(), DoorError> {
        prove_locked(address, timeout).await
    }
}
