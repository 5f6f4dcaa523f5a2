//! The opencode server of a sandbox, wherever it runs.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use occ_opencode::{DoorError, Error, NotReady, Stage};
use occ_sandbox::{Opencode, Password, Server};

use super::Reached;
use crate::context::Context;

/// The way to the server of a sandbox on this machine or another.
#[derive(Clone, Copy)]
pub(crate) struct Door<'a>(pub(crate) &'a Context);

impl Door<'_> {
    /// Opens the way, or says why there is none. The address itself is never asked instead: on this
    /// machine it may be somebody else's.
    fn reach(self, address: SocketAddr) -> Result<Reached, Error> {
        self.0.reach(address).map_err(|failure| {
            let source = io::Error::other(failure.render().trim_end().to_owned());
            Error::Connect { address, source }
        })
    }
}

impl Server for Door<'_> {
    async fn ready(
        &self,
        address: SocketAddr,
        password: &Password,
        version: Option<&str>,
        timeout: Duration,
        observer: &(dyn Fn(Duration, String) + Send + Sync),
    ) -> Result<String, NotReady> {
        let reached = self.reach(address).map_err(|error| NotReady::Missing {
            stage: Stage::Health,
            elapsed: Duration::ZERO,
            last_error: Some(Arc::new(error)),
        })?;
        Opencode.ready(reached.address, password, version, timeout, observer).await
    }

    async fn sessions(
        &self,
        address: SocketAddr,
        password: &Password,
        timeout: Duration,
    ) -> Option<BTreeSet<String>> {
        let reached = self.reach(address).ok()?;
        Opencode.sessions(reached.address, password, timeout).await
    }

    async fn locked(&self, address: SocketAddr, timeout: Duration) -> Result<(), DoorError> {
        let reached =
            self.reach(address).map_err(|source| DoorError::Undecided { address, source })?;
        Opencode.locked(reached.address, timeout).await
    }
}
