//! One HTTP/1.1 conversation: a connection, a request, the head of the answer, and its body.
//!
//! The connection is driven by whoever waits for the answer, never by a task of its own, so that
//! dropping the waiting future closes the socket.

use std::net::SocketAddr;
use std::pin::{Pin, pin};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::http::response::Parts;
use hyper::{Request, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::Error;

type Connection = http1::Connection<TokioIo<TcpStream>, Full<Bytes>>;

/// An answer whose head is here and whose body may still come.
pub(crate) struct Conversation {
    pub(crate) path: String,
    pub(crate) head: Parts,
    body: Incoming,
    driver: Driver,
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
}

impl Conversation {
    /// Connects, sends the request, and waits for the head of the answer, without a deadline.
    pub(crate) async fn open(
        address: SocketAddr,
        request: Request<Full<Bytes>>,
    ) -> Result<Self, Error> {
        let path = request.uri().path().to_owned();
        let connect = |source| Error::Connect { address, source };
        let stream = TcpStream::connect(address).await.map_err(connect)?;
        stream.set_nodelay(true).map_err(connect)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|source| Error::broken(&path, source))?;
        let mut driver = Driver { connection: Box::pin(connection), is_finished: false };
        let response = driver
            .beside(sender.send_request(request))
            .await
            .map_err(|source| Error::broken(&path, source))?;
        let (head, body) = response.into_parts();
        Ok(Self { path, head, body, driver })
    }

    /// Waits for the next piece of the body; nothing at its end. Cancelling loses no bytes.
    pub(crate) async fn piece(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            let frame = self.driver.beside(self.body.frame()).await;
            match frame.transpose().map_err(|source| Error::broken(&self.path, source))? {
                None => return Ok(None),
                Some(frame) => {
                    if let Ok(bytes) = frame.into_data() {
                        return Ok(Some(bytes));
                    }
                }
            }
        }
    }

    /// Reads the whole body, and no more than `limit` bytes of it.
    pub(crate) async fn body(&mut self, limit: usize) -> Result<Vec<u8>, Error> {
        let mut body = Vec::new();
        while let Some(bytes) = self.piece().await? {
            if body.len() + bytes.len() > limit {
                return Err(Error::TooLarge { path: self.path.clone(), limit });
            }
            body.extend_from_slice(&bytes);
        }
        Ok(body)
    }

    /// Reads the first `limit` bytes of the body; what cannot be read is left out.
    pub(crate) async fn beginning(&mut self, limit: usize) -> Vec<u8> {
        let mut body = Vec::new();
        while body.len() < limit
            && let Ok(Some(bytes)) = self.piece().await
        {
            body.extend_from_slice(&bytes);
        }
        body.truncate(limit);
        body
    }

    /// Tells the content type, parameters included.
    pub(crate) fn content_type(&self) -> Option<String> {
        let value = self.head.headers.get(header::CONTENT_TYPE)?;
        Some(crate::error::excerpt(value.as_bytes()))
    }

    /// Whether the content type is `expected`, whatever its parameters and case.
    pub(crate) fn is(&self, expected: &str) -> bool {
        is_type(self.content_type().as_deref(), expected)
    }
}

/// Whether a content type is `expected`, whatever its parameters and case (RFC 9110, 8.3.1).
pub(crate) fn is_type(found: Option<&str>, expected: &str) -> bool {
    found
        .and_then(|found| found.split(';').next())
        .is_some_and(|found| found.trim().eq_ignore_ascii_case(expected))
}
