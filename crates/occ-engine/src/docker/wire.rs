//! Requests on their way: one connection each, under the API version agreed on.

use std::ffi::OsString;
use std::io;
use std::time::Duration;

use bollard::errors::Error as WireError;
use bollard::{API_DEFAULT_VERSION, BollardRequest, body_full};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use super::dial::Dialer;
use super::failure::{answered, broken, unreachable};
use super::version::{Agreement, ApiVersion, outside};
use crate::context::Choice;
use crate::endpoint::Endpoint;
use crate::error::Error;

/// How long opening a connection, and asking for the version, may take.
const CONNECT: Duration = Duration::from_secs(30);

/// Name that requests carry; engines do not look at it.
const HOST_NAME: HeaderValue = HeaderValue::from_static("localhost");

/// Header that Podman alone puts into its answers.
const PODMAN: &str = "libpod-api-version";

/// The way to one engine.
pub(super) struct Wire {
    /// Where it leads and who said so.
    pub(super) choice: Choice,
    search_path: Option<OsString>,
    dialer: Dialer,
    agreed: OnceCell<Agreed>,
}

/// What the first answer of an engine says.
#[derive(Debug, Clone, Copy)]
struct Agreed {
    version: ApiVersion,
    podman: bool,
}

impl Wire {
    /// Prepares the way; nothing is sent yet.
    pub(super) fn new(choice: Choice, search_path: Option<OsString>) -> Result<Self, Error> {
        let dialer = Dialer::new(choice.endpoint.clone(), search_path.as_deref())?;
        Ok(Self { choice, search_path, dialer, agreed: OnceCell::new() })
    }

    /// Returns the version agreed on, asking the engine the first time.
    ///
    /// `/_ping` is the one answer that costs the engine nothing: `/version` starts programs there.
    pub(super) async fn version(&self) -> Result<ApiVersion, Error> {
        Ok(self.agreed().await?.version)
    }

    /// Returns whether the engine is Podman, which answers some questions in its own way.
    pub(super) async fn is_podman(&self) -> Result<bool, Error> {
        Ok(self.agreed().await?.podman)
    }

    async fn agreed(&self) -> Result<Agreed, Error> {
        let asked = self.agreed.get_or_try_init(|| async {
            match timeout(CONNECT, self.negotiate()).await {
                Ok(agreed) => agreed,
                Err(elapsed) => Err(broken("asking for its API version", elapsed)),
            }
        });
        asked.await.copied()
    }

    /// Sends a request under the version agreed on and returns the answer, whatever its status.
    pub(super) async fn request(
        &self,
        request: BollardRequest,
    ) -> Result<Response<Incoming>, Error> {
        let version = self.version().await?;
        let (mut parts, body) = request.into_parts();
        parts.uri = versioned(&parts.uri, version)
            .map_err(|error| broken("writing the address of a request", error))?;
        self.send(Request::from_parts(parts, body)).await
    }

    /// Sends a request for a library that knows its own errors only: ours travel inside.
    pub(super) async fn carry(
        &self,
        request: BollardRequest,
    ) -> Result<Response<Incoming>, WireError> {
        self.request(request)
            .await
            .map_err(|error| WireError::IOError { err: io::Error::other(error) })
    }

    async fn negotiate(&self) -> Result<Agreed, Error> {
        let response = self.send(get("/_ping")?).await?;
        let header = response.headers().get("api-version").and_then(|value| value.to_str().ok());
        let offered = match header.and_then(ApiVersion::parse) {
            Some(offered) => offered,
            None if response.status().is_success() => {
                let source = "the answer carries no Api-Version: is this a container engine?";
                return Err(broken("asking for its API version", source));
            }
            None => return Err(refusal(response).await),
        };
        let podman = response.headers().contains_key(PODMAN);
        match offered.agree()? {
            Agreement::Settled(version) => Ok(Agreed { version, podman }),
            Agreement::Try(version) => {
                let response = self.send(get(&format!("/v{version}/_ping"))?).await?;
                match response.status() {
                    StatusCode::BAD_REQUEST => Err(outside(self.range(offered).await)),
                    _ => Ok(Agreed { version, podman }),
                }
            }
        }
    }

    /// Returns what the engine offers, for people.
    async fn range(&self, newest: ApiVersion) -> String {
        #[derive(Deserialize)]
        struct Oldest {
            #[serde(rename = "MinAPIVersion")]
            version: String,
        }
        let asked = async {
            let body = self.send(get("/version")?).await?.into_body().collect().await;
            let body = body.map_err(|error| broken("asking for its API version", error))?;
            serde_json::from_slice::<Oldest>(&body.to_bytes())
                .map_err(|error| broken("asking for its API version", error))
        };
        match asked.await {
            Ok(oldest) => format!("{} to {newest}", oldest.version),
            // Only the wording gets poorer.
            Err(_) => newest.to_string(),
        }
    }

    async fn send(&self, mut request: BollardRequest) -> Result<Response<Incoming>, Error> {
        request.headers_mut().insert(HOST, HOST_NAME);
        let dialled = match timeout(CONNECT, self.dialer.dial()).await {
            Ok(dialled) => dialled,
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        };
        let connection = dialled.map_err(|error| self.unreachable(error))?;
        let (mut sender, driver) = http1::handshake(TokioIo::new(connection.stream))
            .await
            .map_err(|error| broken("opening a connection", error))?;
        // hyper moves the bytes from a task of its own, which ends with the connection: when the
        // answer was read, or was dropped.
        drop(tokio::spawn(driver.with_upgrades()));
        match (sender.send_request(request).await, connection.complaints) {
            (Ok(response), _) => Ok(response),
            // The way there is open and ends at once: nothing listens at its other end.
            (Err(error), None) if self.is_forwarded() => {
                Err(self.unreachable(io::Error::other(error)))
            }
            (Err(error), None) => Err(broken("waiting for an answer", error)),
            (Err(_), Some(complaints)) => {
                Err(self.unreachable(io::Error::other(complaints.read().await)))
            }
        }
    }

    fn is_forwarded(&self) -> bool {
        matches!(self.choice.endpoint, Endpoint::Forwarded { .. })
    }

    fn unreachable(&self, error: io::Error) -> Error {
        unreachable(&self.choice.endpoint, self.search_path.as_deref(), error)
    }
}

/// Returns what an answer that is not a success means, with the engine's words.
pub(super) async fn refusal(response: Response<Incoming>) -> Error {
    #[derive(Deserialize)]
    struct Refusal {
        message: String,
    }
    let status = response.status().as_u16();
    match response.into_body().collect().await {
        Ok(body) => {
            let body = body.to_bytes();
            let message = serde_json::from_slice::<Refusal>(&body).map_or_else(
                |_| String::from_utf8_lossy(&body).trim().to_owned(),
                |refusal| refusal.message,
            );
            answered(status, message)
        }
        Err(error) => broken("reading a refusal", error),
    }
}

fn get(path: &str) -> Result<BollardRequest, Error> {
    Request::builder()
        .method(Method::GET)
        .uri(path)
        .body(body_full(Bytes::new()))
        .map_err(|error| broken("writing a request", error))
}

/// Returns the path and query of `uri` under the version's prefix.
///
/// WORKAROUND: bollard 0.21 builds `/vX.Y/path` and loses the prefix again when it joins the URL;
/// one that does not lose it would put its own default there. Either way the agreed one is put.
fn versioned(uri: &Uri, version: ApiVersion) -> Result<Uri, hyper::http::uri::InvalidUri> {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let own = format!("/v{API_DEFAULT_VERSION}/");
    let path = path
        .strip_prefix(own.trim_end_matches('/'))
        .filter(|_| path.starts_with(&own))
        .unwrap_or(path);
    format!("/v{version}{path}").parse()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_carries_the_agreed_version_once_and_keeps_its_query() {
        let agreed = ApiVersion::parse("1.44").expect("a version");
        let own = format!("http://engine/v{API_DEFAULT_VERSION}/images/a/json?x=1");
        for uri in ["http://engine/images/a/json?x=1", own.as_str()] {
            let uri = versioned(&uri.parse().expect("a URI"), agreed).expect("a URI");
            assert_eq!(uri.to_string(), "/v1.44/images/a/json?x=1");
        }
    }
}
