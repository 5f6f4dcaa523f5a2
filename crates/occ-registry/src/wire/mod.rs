//! One HTTP/1.1 conversation: a connection, a request, the head of the answer, and its body. A connection on which
//! all of it was read serves the next question.
//!
//! The connection is driven by whoever waits for the answer, never by a task of its own, so that
//! dropping the waiting future closes the socket.

mod answer;
mod body;
mod date;
mod dial;
mod idle;
mod proxy;
mod tls;

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue, USER_AGENT};
use hyper::{HeaderMap, Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

pub(crate) use answer::Answer;
use body::Body;
pub(crate) use body::{Load, Wishes};
use dial::{Dialed, Dialer, Duplex};
use idle::{Idle, Line};
pub use proxy::{Proxies, ProxyError};
pub use tls::{Authorities, SYSTEM_BUNDLES};

use crate::address::{Address, Origin};
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
    idle: Arc<Idle>,
}

impl Wire {
    /// Prepares the way; nothing is read or sent yet.
    pub(crate) fn new(authorities: Authorities, proxies: Proxies) -> Self {
        Self { dialer: Dialer::new(authorities, proxies), idle: Arc::default() }
    }

    /// Connects, sends, and waits for the head of the answer.
    ///
    /// What only asks goes over a connection that is there, if one is. The other side may be hanging up on it at
    /// that moment, and then the question is asked over a new one; what changes something would perhaps be done
    /// twice, and has a new connection from the first.
    pub(crate) async fn send(
        &self,
        letter: Letter<'_>,
        patience: &Patience,
    ) -> Result<Answer, Reason> {
        let origin = &letter.to.origin;
        if matches!(letter.method, Method::GET | Method::HEAD)
            && let Some(line) = self.idle.take(origin)
        {
            match self.send_over(line, &letter, patience).await {
                Err(Reason::Broken(_)) => {}
                other => return other,
            }
        }
        let Dialed { stream, is_proxy } = self.dialer.dial(origin, patience.connect).await?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|source| Reason::Broken(source.into()))?;
        let driver = Driver { connection: Box::pin(connection), is_finished: false };
        self.send_over(Line { sender, driver, is_proxy }, &letter, patience).await
    }

    async fn send_over(
        &self,
        mut line: Line,
        letter: &Letter<'_>,
        patience: &Patience,
    ) -> Result<Answer, Reason> {
        let stall = patience.stall;
        // An upload is silent as long as it is under way.
        let limit = stall + Patience::transfer(letter.body.len());
        let mut request = request(letter, line.is_proxy)?;
        if line.is_proxy {
            self.dialer.authorise_plain(request.headers_mut());
        }
        let sent = line.driver.beside(line.sender.send_request(request));
        let response: Response<Incoming> = match timeout(limit, sent).await {
            Ok(response) => response.map_err(|source| Reason::Broken(source.into()))?,
            Err(_) => return Err(Reason::Silent { after: limit }),
        };
        let after = After { line, idle: Arc::clone(&self.idle) };
        Ok(Answer::new(letter.to.clone(), response, after, stall))
    }
}

/// The connection of an answer, and where it goes when all of that was read.
struct After {
    line: Line,
    idle: Arc<Idle>,
}

impl After {
    fn keep(self, origin: Origin) {
        self.idle.keep(origin, self.line);
    }
}

fn request(letter: &Letter<'_>, is_proxy: bool) -> Result<Request<Body>, Reason> {
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
    request.headers_mut().extend(headers.clone());
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
