//! Whole folders on their way into a container and out of it, as streams.

use std::io::Read;

use bollard::query_parameters::UploadToContainerOptionsBuilder;
use bollard::{body_full, body_try_stream};
use bytes::Bytes;
use futures_util::stream;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};

use super::failure::{broken, explain};
use super::pieces::pieces;
use super::wire::refusal;
use super::{ACT, Docker, named};
use crate::engine::ArchiveStream;
use crate::error::Error;

const READING: &str = "reading files of a container";
const WRITING: &str = "writing files of a container";

impl Docker {
    /// Not through the client library: it tells only with the first bytes that the path is missing.
    pub(super) async fn open_archive(
        &self,
        container: &str,
        path: &str,
    ) -> Result<Option<ArchiveStream>, Error> {
        // With the dot, every engine names what is in the folder, and not the folder, in every state.
        let path = encoded(&format!("{}/.", path.trim_end_matches('/')));
        let request = Request::builder()
            .method(Method::GET)
            .uri(format!("/containers/{}/archive?path={path}", named(container)?))
            .body(body_full(Bytes::new()))
            .map_err(|error| broken(READING, error))?;
        let asked = tokio::time::timeout(ACT, self.wire.request(request)).await;
        let response = asked.map_err(|elapsed| broken(READING, elapsed))??;
        match response.status() {
            status if status.is_success() => Ok(Some(body_of(response, READING))),
            StatusCode::NOT_FOUND => self.absent_path(container).await,
            _ => Err(refusal(response).await),
        }
    }

    pub(super) async fn unpack_archive(
        &self,
        container: &str,
        path: &str,
        archive: Box<dyn Read + Send>,
    ) -> Result<(), Error> {
        let options = UploadToContainerOptionsBuilder::new().path(path).build();
        let container = named(container)?;
        // Podman would make the folder.
        if self.wire.is_podman().await? && !self.has_path(container, path).await? {
            return Err(Error::NotFound { message: format!("{path} in {container}") });
        }
        let (reading, body) = pieces(archive, |_| ());
        let body = body_try_stream(body);
        let answer = self.client.upload_to_container(container, Some(options), body).await;
        let answer = answer.map_err(|error| explain(WRITING, error));
        reading.end(WRITING, "read the archive").await.and(answer)
    }

    async fn has_path(&self, container: &str, path: &str) -> Result<bool, Error> {
        let request = Request::builder()
            .method(Method::HEAD)
            .uri(format!("/containers/{container}/archive?path={}", encoded(path)))
            .body(body_full(Bytes::new()))
            .map_err(|error| broken(WRITING, error))?;
        Ok(self.wire.request(request).await?.status().is_success())
    }

    /// 404 is the answer for a missing path and for a missing container.
    pub(super) async fn absent_path<T>(&self, container: &str) -> Result<Option<T>, Error> {
        match self.observe_container(container).await? {
            Some(_) => Ok(None),
            None => Err(Error::NotFound { message: format!("no container {container}") }),
        }
    }
}

/// Returns what an answer brings, as it comes.
pub(super) fn body_of(response: Response<Incoming>, doing: &'static str) -> ArchiveStream {
    Box::pin(stream::try_unfold(response.into_body(), move |body| next_bytes(body, doing)))
}

async fn next_bytes(
    mut body: Incoming,
    doing: &'static str,
) -> Result<Option<(Bytes, Incoming)>, Error> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| broken(doing, error))?;
        if let Ok(bytes) = frame.into_data() {
            return Ok(Some((bytes, body)));
        }
    }
    Ok(None)
}

/// Returns a path as part of a query or of a longer path.
pub(super) fn encoded(path: &str) -> String {
    use std::fmt::Write as _;
    path.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"/._-~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing into a string cannot fail.
            let _written = write!(text, "%{byte:02X}");
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_cannot_add_to_the_query() {
        assert_eq!(encoded("/a b&c=ü/.x"), "/a%20b%26c%3D%C3%BC/.x");
    }
}
