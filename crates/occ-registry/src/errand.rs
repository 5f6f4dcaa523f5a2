//! One request to a service beside the registries: a certificate authority, a log, a giver of tokens. It
//! goes the way that settings describe, through the same proxies and under the same authorities.

use std::fmt;

use bytes::Bytes;
use hyper::Method;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use tokio::time::timeout;

use crate::address::{Address, Scheme};
use crate::client::Registries;
use crate::error::{Error, Reason};
use crate::patience::Tries;
use crate::secret::Secret;
use crate::wire::{Letter, Load};

/// Largest body of a refusal that is read, in bytes; nothing is done with it.
const UNREAD: usize = 64 * 1024;

/// What a request does.
#[derive(Clone)]
pub enum Verb {
    /// It asks (`GET`).
    Get,
    /// It hands in something of this media type (`POST`).
    Post(&'static str, Bytes),
    /// It changes parts of what is there (`PATCH`, RFC 5789).
    Patch(&'static str, Bytes),
}

/// A request.
#[derive(Clone)]
pub struct Errand {
    /// Where to; encrypted, unless it is on this machine.
    pub url: Secret,
    /// What it does there.
    pub verb: Verb,
    /// What is understood.
    pub accept: &'static str,
    /// What lets us in.
    pub bearer: Option<Secret>,
    /// Largest answer that is read, in bytes.
    pub limit: usize,
}

impl fmt::Debug for Errand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Errand").field("accept", &self.accept).finish_non_exhaustive()
    }
}

impl Registries {
    /// Makes a request, once: what writes into a log must not do so twice. Redirects are not followed.
    ///
    /// # Errors
    /// [`Error`], also for every status but a success.
    pub async fn errand(&self, errand: &Errand) -> Result<Bytes, Error> {
        let at = Address::parse(errand.url.expose());
        let host = at.as_ref().map_or_else(|_| "a service".to_owned(), |at| at.origin.to_string());
        let what = if matches!(errand.verb, Verb::Get) { "a question" } else { "a request" };
        let wrong =
            |reason: Reason| Error { registry: host.clone(), what: what.to_owned(), reason };
        let at = at.map_err(|error| wrong(error.into()))?;
        if at.origin.scheme == Scheme::Http && !at.origin.is_loopback() {
            return Err(wrong(Reason::Downgrade { to: at.origin.to_string() }));
        }
        let patience = &self.settings().patience;
        let sent = timeout(patience.total, self.send(errand, &at)).await;
        match sent {
            Ok(answer) => answer.map_err(wrong),
            Err(_) => Err(wrong(Reason::Deadline { after: patience.total })),
        }
    }

    /// Makes a request that does no harm when it is made twice, as often as [`crate::Patience`] has it.
    ///
    /// # Errors
    /// As [`Self::errand`], the last one.
    pub async fn errand_again(&self, errand: &Errand) -> Result<Bytes, Error> {
        let mut tries = Tries::new(&self.settings().patience, 0);
        loop {
            match self.errand(errand).await {
                Ok(answer) => return Ok(answer),
                Err(error) => tries.again(error).await?,
            }
        }
    }

    async fn send(&self, errand: &Errand, to: &Address) -> Result<Bytes, Reason> {
        let mut headers = hyper::HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(errand.accept));
        if let Some(bearer) = &errand.bearer {
            let mut value = HeaderValue::try_from(format!("Bearer {}", bearer.expose()))
                .map_err(|_| Reason::Answer("the token has letters that no token has"))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let (method, body) = match &errand.verb {
            Verb::Get => (Method::GET, None),
            Verb::Post(kind, body) => (Method::POST, Some((kind, body))),
            Verb::Patch(kind, body) => (Method::PATCH, Some((kind, body))),
        };
        let body = body.map_or_else(Load::none, |(kind, body)| {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
            Load::Held(body.clone())
        });
        let letter = Letter { method, to, headers, body };
        let mut answer = self.wire().send(letter, &self.settings().patience).await?;
        if !answer.status.is_success() {
            // What a refusal says may repeat what was sent.
            drop(answer.body(UNREAD).await);
            return Err(answer.refusal().await);
        }
        answer.is_plain()?;
        answer.body(errand.limit).await
    }
}
