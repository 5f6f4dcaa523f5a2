//! An answer whose head is here and whose body may still come.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::{CONTENT_ENCODING, CONTENT_LENGTH, DATE, HeaderName, LOCATION, RETRY_AFTER};
use hyper::{HeaderMap, Response, StatusCode};
use serde::Deserialize;

use super::{After, date};
use crate::address::Address;
use crate::error::Reason;

/// Longest body of a refusal that is read, in bytes.
const REFUSAL_LIMIT: usize = 64 * 1024;
/// Most error codes of one refusal that are kept, and their longest.
const CODES: usize = 8;
const CODE_LENGTH: usize = 64;

/// An answer whose head is here and whose body may still come.
pub(crate) struct Answer {
    /// Who answered: not whom we asked where a redirect was followed.
    pub(crate) from: Address,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    body: Incoming,
    /// None when the body was read to its end.
    after: Option<After>,
    stall: Duration,
}

impl Answer {
    pub(super) fn new(
        from: Address,
        response: Response<Incoming>,
        after: After,
        stall: Duration,
    ) -> Self {
        let (head, body) = response.into_parts();
        let after = Some(after);
        Self { from, status: head.status, headers: head.headers, body, after, stall }
    }

    /// Returns a header that is there once and is text.
    pub(crate) fn header(&self, name: &HeaderName) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next()?.to_str().ok()?;
        values.next().is_none().then_some(value)
    }

    /// Returns where the answer leads to.
    pub(crate) fn location(&self) -> Result<Address, Reason> {
        let location = self.header(&LOCATION).ok_or(Reason::Answer("there is no Location"))?;
        Ok(self.from.join(location)?)
    }

    /// Returns the length that the head states.
    pub(crate) fn length(&self) -> Option<u64> {
        self.header(&CONTENT_LENGTH)?.parse().ok()
    }

    /// Waits for the next piece of the body; nothing at its end.
    pub(crate) async fn piece(&mut self) -> Result<Option<Bytes>, Reason> {
        loop {
            let Some(After { line, .. }) = &mut self.after else { return Ok(None) };
            let frame = line.driver.beside_for(self.body.frame(), self.stall).await?;
            match frame.transpose().map_err(|source| Reason::Broken(source.into()))? {
                None => {
                    if let Some(after) = self.after.take() {
                        after.keep(self.from.origin.clone());
                    }
                    return Ok(None);
                }
                Some(frame) => {
                    if let Ok(bytes) = frame.into_data()
                        && !bytes.is_empty()
                    {
                        return Ok(Some(bytes));
                    }
                }
            }
        }
    }

    /// Reads the whole body, and no more than `limit` bytes of it.
    pub(crate) async fn body(&mut self, limit: usize) -> Result<Bytes, Reason> {
        if self.length().is_some_and(|length| length > limit as u64) {
            return Err(Reason::TooLarge { limit });
        }
        let mut body = Vec::new();
        while let Some(bytes) = self.piece().await? {
            if body.len() + bytes.len() > limit {
                return Err(Reason::TooLarge { limit });
            }
            body.extend_from_slice(&bytes);
        }
        Ok(body.into())
    }

    /// Refuses a body that is compressed on its way: nobody asked for it, and digests are of what is
    /// inside.
    pub(crate) fn is_plain(&self) -> Result<(), Reason> {
        match self.headers.get(CONTENT_ENCODING) {
            Some(encoding) if encoding != "identity" => {
                Err(Reason::Answer("its body is compressed on its way"))
            }
            _ => Ok(()),
        }
    }

    /// Returns what an answer that is not the awaited one means.
    pub(crate) async fn refusal(mut self) -> Reason {
        let status = self.status.as_u16();
        // Also where they say nothing: on a connection that was read to its end the next question is asked.
        let codes = self.codes().await;
        match status {
            401 => Reason::Unauthorized,
            403 => Reason::Denied { codes },
            404 | 410 => Reason::NotFound,
            429 => Reason::Busy { after: self.retry_after() },
            500..=599 => Reason::Failing { status },
            _ => Reason::Refused { status, codes },
        }
    }

    /// Reads `Retry-After`, as seconds or as a date (RFC 9110, 10.2.3). A date is compared with the answer's
    /// own, so that this machine's clock need not be right.
    fn retry_after(&self) -> Option<Duration> {
        let value = self.header(&RETRY_AFTER)?.trim();
        if let Ok(seconds) = value.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let (then, now) = (date::seconds(value)?, date::seconds(self.header(&DATE)?)?);
        Some(Duration::from_secs(then.saturating_sub(now)))
    }

    /// Reads the error codes (distribution spec, "Error Codes"); texts beside them are left alone.
    async fn codes(&mut self) -> Vec<String> {
        #[derive(Deserialize)]
        struct Refusal {
            errors: Vec<Entry>,
        }
        #[derive(Deserialize)]
        struct Entry {
            code: String,
        }
        let Ok(body) = self.body(REFUSAL_LIMIT).await else { return Vec::new() };
        let Ok(refusal) = serde_json::from_slice::<Refusal>(&body) else { return Vec::new() };
        let is_code = |code: &String| {
            (1..=CODE_LENGTH).contains(&code.len())
                && code.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
        };
        refusal.errors.into_iter().map(|entry| entry.code).filter(is_code).take(CODES).collect()
    }
}
