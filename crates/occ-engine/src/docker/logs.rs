//! A container's log, read from the wire as it comes.

use bollard::body_full;
use bytes::Bytes;
use futures_util::stream;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::{Method, Request};

use super::failure::broken;
use super::frames::Frames;
use super::wire::refusal;
use super::{Docker, named};
use crate::error::Error;
use crate::logs::{Chunk, LogStream, LogsQuery};

const READING: &str = "reading a log";

impl Docker {
    /// Not through the client library: it counts seconds in 32 bits, and tells only with the first
    /// line that there is no such container.
    pub(super) async fn open_logs(
        &self,
        container: &str,
        query: &LogsQuery,
    ) -> Result<LogStream, Error> {
        let request = Request::builder()
            .method(Method::GET)
            .uri(address(named(container)?, query))
            .body(body_full(Bytes::new()))
            .map_err(|error| broken(READING, error))?;
        let response = self.wire.request(request).await?;
        if !response.status().is_success() {
            return Err(refusal(response).await);
        }
        let log = Log { body: response.into_body(), frames: Frames::new(false) };
        Ok(Box::pin(stream::try_unfold(log, Log::step)))
    }
}

fn address(container: &str, query: &LogsQuery) -> String {
    let LogsQuery { follow, tail, since, timestamps } = query;
    let tail = tail.map_or("all".to_owned(), |lines| lines.to_string());
    let since = since.unwrap_or_default();
    format!(
        "/containers/{container}/logs?stdout=true&stderr=true&follow={follow}&tail={tail}\
         &since={since}&timestamps={timestamps}"
    )
}

struct Log {
    body: Incoming,
    frames: Frames,
}

impl Log {
    async fn step(mut self) -> Result<Option<(Chunk, Self)>, Error> {
        loop {
            if let Some(chunk) = self.frames.next() {
                return Ok(Some((chunk, self)));
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Some(bytes) = frame.data_ref() {
                        self.frames.push(bytes);
                    }
                }
                Some(Err(error)) => return Err(broken(READING, error)),
                None if self.frames.is_cut() => {
                    return Err(broken(READING, "the log ended in the middle of a line"));
                }
                None => return Ok(None),
            }
        }
    }
}
