//! What was asked and how it ended, for evidence.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::{Method, StatusCode};
use serde_json::Value;

use crate::Error;

/// How much of a request's body is kept, in characters.
const BODY_LIMIT: usize = 500;

/// One request and the head of its answer. No header is kept, and so no credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// The method.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// The beginning of the request's body; nothing where it had none.
    pub body: Option<String>,
    /// The status, or what went wrong before there was one.
    pub outcome: Result<u16, String>,
    /// Time until the head of the answer was there.
    pub took: Duration,
}

/// Hears of every request of a client.
#[derive(Clone)]
pub struct Witness(Arc<dyn Fn(Exchange) + Send + Sync>);

impl Witness {
    /// Makes a witness of what listens.
    pub fn new(listen: impl Fn(Exchange) + Send + Sync + 'static) -> Self {
        Self(Arc::new(listen))
    }

    pub(crate) fn tell(&self, exchange: Exchange) {
        (self.0)(exchange);
    }
}

impl fmt::Debug for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Witness")
    }
}

/// A request on its way.
pub(crate) struct Begun {
    exchange: Exchange,
    since: Instant,
}

impl Exchange {
    pub(crate) fn begun(method: &Method, path: &str, body: Option<&Value>) -> Begun {
        let body = body.map(|body| body.to_string().chars().take(BODY_LIMIT).collect());
        let outcome = Err("no answer".to_owned());
        let (method, path) = (method.to_string(), path.to_owned());
        let exchange = Self { method, path, body, outcome, took: Duration::ZERO };
        Begun { exchange, since: Instant::now() }
    }
}

impl Begun {
    pub(crate) fn ended(self, outcome: Result<StatusCode, &Error>) -> Exchange {
        let outcome = outcome.map(|status| status.as_u16()).map_err(ToString::to_string);
        Exchange { outcome, took: self.since.elapsed(), ..self.exchange }
    }
}
