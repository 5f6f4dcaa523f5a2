//! One HTTP/1.1 conversation: a connection, a request, the head of the answer, and its body.
//!
//! The connection is driven by whoever waits for the answer, never by a task of its own, so that
//! dropping the waiting future closes the socket.

mod answer;
mod body;
mod date;
mod dial;
mod proxy;
mod tls;

use std::pin::{Pin, pin};
use std::time::Duration;

use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue, USER_AGENT};
use hyper::{HeaderMap, Method, Request};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

pub(crate) use answer::Answer;
use body::Body;
pub(crate) use body::{Load, Wishes};
use dial::{Dialed, Dialer, Duplex};
pub use proxy::{Proxies, ProxyError};
pub use tls::{Authorities, SYSTEM_BUNDLES};

use crate::address::Address;
use crate::error::Reason;
use crate::patience::Patience;

const AGENT: HeaderValue = HeaderValue::from_static(concat!("occ/", env!("CARGO_PKG_VERSION")));

type Connection = http1::Connection<TokioIo<Box<dyn Duplex>>, Body>;

/// What is sent.
pub(crate) struct Letter<'a> {
    pub(crate) method: Method,
    pub(crate) to: &'a Address,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Load,
}

/// The way to any host.
pub(crate) struct Wire {
    dialer: Dialer,
}

impl Wire {
    /// Prepares the way; nothing is read or sent yet.
    pub(crate) fn new(authorities: Authorities, proxies: Proxies) -> Self {
        Self { dialer: Dialer::new(authorities, proxies) }
    }

    /// Connects, sends, and waits for the head of the answer.
    pub(crate) async fn send(
        &self,
        letter: Letter<'_>,
        patience: &Patience,
    ) -> Result<Answer, Reason> {
        let stall = patience.stall;
        let Dialed { stream, is_proxy } =
            self.dialer.dial(&letter.to.origin, patience.connect).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|source| Reason::Broken(source.into()))?;
        let mut driver = Driver { connection: Box::pin(connection), is_finished: false };
        // An upload is silent as long as it is under way.
        let limit = stall + Patience::transfer(letter.body.len());
        let to = letter.to.clone();
        let mut request = request(letter, is_proxy)?;
        if is_proxy {
            self.dialer.authorise_plain(request.headers_mut());
        }
        let sent = driver.beside(sender.send_request(request));
        let response = match timeout(limit, sent).await {
            Ok(response) => response.map_err(|source| Reason::Broken(source.into()))?,
            Err(_) => return Err(Reason::Silent { after: limit }),
        };
        Ok(Answer::new(to, response, driver, stall))
    }
}

fn request(letter: Letter<'_>, is_proxy: bool) -> Result<Request<Body>, Reason> {
    let Letter { method, to, headers, body } = letter;
    // A proxy without a tunnel is told the whole address (RFC 9112, 3.2.2).
    let target = if is_proxy { format!("{}{}", to.origin, to.target) } else { to.target.clone() };
    let mut request = Request::builder()
        .method(method)
        .uri(target)
        .header(HOST, to.origin.authority())
        .header(USER_AGENT, AGENT)
        .body(body.body())
        .map_err(|source| Reason::Broken(source.into()))?;
    request.headers_mut().extend(headers);
    Ok(request)
}

/// The connection, polled beside whatever is waited for.
struct Driver {
    connection: Pin<Box<Connection>>,
    is_finished: bool,
}

impl Driver {
    async fn beside<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        if !self.is_finished {
            tokio::select! {
                biased;
                out = &mut work => return out,
                // Its failure is also the failure of the work, which tells it better.
                _ = &mut self.connection => self.is_finished = true,
            }
        }
        work.await
    }

    async fn beside_for<T>(
        &mut self,
        work: impl Future<Output = T>,
        limit: Duration,
    ) -> Result<T, Reason> {
        let out = timeout(limit, self.beside(work)).await;
        out.map_err(|_| Reason::Silent { after: limit })
    }
}
