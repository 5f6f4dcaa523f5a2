//! One server and our credentials for it.

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::http::request::Builder;
use hyper::{Method, Request, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::excerpt;
use crate::exchange::{Exchange, Witness};
use crate::query::with_query;
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
    folder: Option<PathBuf>,
    witness: Option<Witness>,
}

/// Whatever a path answered, where the kind of the answer is itself the question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status code.
    pub status: u16,
    /// Content type with its parameters, without control characters.
    pub content_type: Option<String>,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Answer {
    /// Returns whether the content type is `expected`, whatever its parameters and case.
    pub fn is(&self, expected: &str) -> bool {
        crate::wire::is_type(self.content_type.as_deref(), expected)
    }
}

impl Client {
    /// Makes a client whose requests may take 10 seconds; connects to nothing yet.
    pub const fn new(endpoint: Endpoint, credentials: Option<Credentials>) -> Self {
        Self {
            endpoint,
            credentials,
            request_timeout: REQUEST_TIMEOUT,
            folder: None,
            witness: None,
        }
    }

    /// Returns the same client for another folder on the server's side: each is an instance of its own, with
    /// its own configuration and sessions. The server takes any folder, so that this is no jail.
    #[must_use]
    pub fn in_folder(&self, folder: &Path) -> Self {
        Self { folder: Some(folder.to_owned()), ..self.clone() }
    }

    /// Returns the same client without credentials, or with others.
    #[must_use]
    pub fn as_somebody(&self, credentials: Option<Credentials>) -> Self {
        Self { credentials, ..self.clone() }
    }

    /// Returns the same client, whose requests are told to a witness when they have ended.
    #[must_use]
    pub fn before(&self, witness: Witness) -> Self {
        Self { witness: Some(witness), ..self.clone() }
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

    pub(crate) const fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
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

    /// Asks and takes whatever comes: statuses that are no success, and every content type.
    ///
    /// # Errors
    /// [`Error::Connect`], [`Error::Timeout`], [`Error::Broken`], [`Error::TooLarge`].
    pub async fn ask(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, Error> {
        let method =
            Method::from_bytes(method.as_bytes()).map_err(|source| Error::broken(path, source))?;
        let work = async {
            let mut answer = self.open(method, path, "*/*", body).await?;
            let (status, content_type) = (answer.head.status.as_u16(), answer.content_type());
            Ok(Answer { status, content_type, body: answer.body(BODY_LIMIT).await? })
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
        let path = self.scoped(path);
        let exchange = self.witness.is_some().then(|| Exchange::begun(&method, &path, body));
        let request = self
            .head(method, &path, accept, body.is_some())
            .body(Full::new(body.map_or_else(Bytes::new, |json| Bytes::from(json.to_string()))))
            .map_err(|source| Error::broken(&path, source))?;
        let opened = Conversation::open(self.endpoint.address, request).await;
        if let (Some(witness), Some(exchange)) = (&self.witness, exchange) {
            witness.tell(exchange.ended(opened.as_ref().map(|answer| answer.head.status)));
        }
        opened
    }

    /// Adds the folder that is meant.
    pub(crate) fn scoped(&self, path: &str) -> String {
        match &self.folder {
            Some(folder) => with_query(path, "directory", folder.as_os_str().as_bytes()),
            None => path.to_owned(),
        }
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

    pub(crate) async fn in_time<T>(
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
