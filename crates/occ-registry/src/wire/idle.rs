//! Connections whose conversation is over, kept for the next one with the same origin (RFC 9112, 9.3): to open one
//! takes a registry that is far away two or three times as long as to answer.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use hyper::client::conn::http1::SendRequest;
use tokio::time::Instant;

use super::Driver;
use super::body::Body;
use crate::address::Origin;
use crate::client::AT_ONCE;

/// How long one is kept. Whatever stands between here and there forgets connections without a word, after a minute
/// at the earliest.
const LONGEST: Duration = Duration::from_secs(20);

/// A connection, and how to ask on it.
pub(super) struct Line {
    pub(super) sender: SendRequest<Body>,
    pub(super) driver: Driver,
    /// Whether a proxy reads the requests.
    pub(super) is_proxy: bool,
}

impl Line {
    /// Returns whether the other side has not hung up, as far as is known here.
    fn is_open(&mut self) -> bool {
        let ended =
            self.driver.is_finished || self.driver.connection.as_mut().now_or_never().is_some();
        self.driver.is_finished = ended;
        !ended && self.sender.is_ready()
    }
}

/// The connections that are kept.
#[derive(Default)]
pub(super) struct Idle {
    lines: Mutex<HashMap<Origin, Vec<(Instant, Line)>>>,
}

impl Idle {
    /// Takes the connection to an origin that was used last and is open.
    pub(super) fn take(&self, origin: &Origin) -> Option<Line> {
        let mut lines = self.lines();
        let own = lines.get_mut(origin)?;
        while let Some((since, mut line)) = own.pop() {
            if since.elapsed() < LONGEST && line.is_open() {
                return Some(line);
            }
        }
        None
    }

    /// Keeps a connection, unless it is closed or there are enough.
    pub(super) fn keep(&self, origin: Origin, mut line: Line) {
        if !line.is_open() {
            return;
        }
        let mut lines = self.lines();
        let own = lines.entry(origin).or_default();
        own.retain(|(since, _)| since.elapsed() < LONGEST);
        if own.len() < AT_ONCE {
            own.push((Instant::now(), line));
        }
    }

    fn lines(&self) -> MutexGuard<'_, HashMap<Origin, Vec<(Instant, Line)>>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
