//! One server and our credentials for it.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::http::request::Builder;
use hyper::{Method, Request, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::excerpt;
use crate::wire::Conversation;
use crate::{Credentials, Endpoint, Error};

/// Longest JSON answer accepted, in bytes; the largest seen (`/doc`) has half a megabyte.
const BODY_LIMIT: usize = 16 * 1024 * 1024;
/// How much of a refusal is kept, in bytes.
const EXCERPT_LIMIT: usize = 400;
/// What a request may take unless the caller says otherwise.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// A client for one opencode server; one connection per request, nothing kept in between.
#[derive(Debug, Clone)]
pub struct Client {
    endpoint: Endpoint,
    credentials: Option<Credentials>,
    request_timeout: Duration,
}

impl Client {
    /// Makes a client whose requests may take 10 seconds; connects to nothing yet.
    pub const fn new(endpoint: Endpoint, credentials: Option<Credentials>) -> Self {
        Self { endpoint, credentials, request_timeout: REQUEST_TIMEOUT }
    }

    /// Returns the same client with another time for each request, from connecting to the last
    /// byte of the answer (for events: to the head of the answer).
    #[must_use]
    pub fn within(&self, request_timeout: Duration) -> Self {
        Self { request_timeout, ..self.clone() }
    }

    /// Returns where the server is.
    pub const fn endpoint(&self) -> Endpoint {
        self.endpoint
    }

    pub(crate) const fn request_timeout(&self) -> Duration {
        self.request_timeout
    }

    /// Asks for JSON and takes nothing else for it.
    pub(crate) async fn json<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<T, Error> {
        let work = async {
            let mut answer = self.open(method, path, "application/json", body).await?;
            succeed(&mut answer).await?;
            if !answer.is("application/json") {
                let content_type = answer.content_type();
                return Err(Error::NotJson { path: path.to_owned(), content_type });
            }
            let body = answer.body(BODY_LIMIT).await?;
            serde_json::from_slice(&body)
                .map_err(|source| Error::Schema { path: path.to_owned(), source })
        };
        self.in_time(path, work).await
    }

    /// Opens an event stream; the deadline holds for the head of the answer only.
    pub(crate) async fn stream(&self, path: &str) -> Result<Conversation, Error> {
        let work = async {
            let mut answer = self.open(Method::GET, path, "text/event-stream", None).await?;
            succeed(&mut answer).await?;
            if !answer.is("text/event-stream") {
                let content_type = answer.content_type();
                return Err(Error::NotEvents { path: path.to_owned(), content_type });
            }
            Ok(answer)
        };
        self.in_time(path, work).await
    }

    /// Asks and looks at nothing but the status; the body may have no end.
    pub(crate) async fn status(&self, path: &str) -> Result<StatusCode, Error> {
        let work = async { Ok(self.open(Method::GET, path, "*/*", None).await?.head.status) };
        self.in_time(path, work).await
    }

    async fn open(
        &self,
        method: Method,
        path: &str,
        accept: &str,
        body: Option<&Value>,
    ) -> Result<Conversation, Error> {
        let request = self
            .head(method, path, accept, body.is_some())
            .body(Full::new(body.map_or_else(Bytes::new, |json| Bytes::from(json.to_string()))))
            .map_err(|source| Error::broken(path, source))?;
        Conversation::open(self.endpoint.address, request).await
    }

    fn head(&self, method: Method, path: &str, accept: &str, has_body: bool) -> Builder {
        let mut head = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, self.endpoint.address.to_string())
            .header(header::USER_AGENT, concat!("occ/", env!("CARGO_PKG_VERSION")))
            .header(header::ACCEPT, accept)
            .header(header::CONNECTION, "close");
        if has_body {
            head = head.header(header::CONTENT_TYPE, "application/json");
        }
        if let Some(credentials) = &self.credentials {
            head = head.header(header::AUTHORIZATION, credentials.authorization());
        }
        head
    }

    async fn in_time<T>(
        &self,
        path: &str,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let after = self.request_timeout;
        match tokio::time::timeout(after, work).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Error::Timeout { path: path.to_owned(), after }),
        }
    }
}

/// Turns every status but a success into its error.
async fn succeed(answer: &mut Conversation) -> Result<(), Error> {
    let status = answer.head.status;
    let path = answer.path.clone();
    if status.is_success() {
        Ok(())
    } else if status == StatusCode::UNAUTHORIZED {
        Err(Error::Unauthorized { path })
    } else {
        let excerpt = excerpt(&answer.beginning(EXCERPT_LIMIT).await);
        Err(Error::Status { path, status: status.as_u16(), excerpt })
    }
}
