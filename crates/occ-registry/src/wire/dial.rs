//! Opens one connection, directly or through a proxy.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use hyper::HeaderMap;
use hyper::header::PROXY_AUTHORIZATION;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use super::proxy::{Proxies, Proxy};
use super::tls::Authorities;
use crate::address::{Origin, Scheme};
use crate::error::Reason;

/// Longest answer of a proxy to `CONNECT`, in bytes.
const PROXY_ANSWER: usize = 8 * 1024;

/// Bytes in both directions.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// An open connection.
pub(super) struct Dialed {
    pub(super) stream: Box<dyn Duplex>,
    /// Whether a proxy reads the requests.
    pub(super) is_proxy: bool,
}

/// Opens connections.
pub(super) struct Dialer {
    authorities: Authorities,
    proxies: Proxies,
    tls: OnceLock<Arc<ClientConfig>>,
    /// Addresses that names had and that were listening: a name is looked up once, and not for each request.
    known: Mutex<BTreeMap<(String, u16), Vec<SocketAddr>>>,
}

impl Dialer {
    pub(super) fn new(authorities: Authorities, proxies: Proxies) -> Self {
        Self { authorities, proxies, tls: OnceLock::new(), known: Mutex::default() }
    }

    /// Opens a connection to an origin within `limit`.
    pub(super) async fn dial(&self, origin: &Origin, limit: Duration) -> Result<Dialed, Reason> {
        match timeout(limit, self.open(origin)).await {
            Ok(dialed) => dialed,
            Err(_) => Err(unreachable(origin, io::ErrorKind::TimedOut.into())),
        }
    }

    /// Adds what the proxy for unencrypted requests wants to know.
    pub(super) fn authorise_plain(&self, headers: &mut HeaderMap) {
        if let Some(value) = self.proxies.http.as_ref().and_then(Proxy::authorization) {
            headers.insert(PROXY_AUTHORIZATION, value);
        }
    }

    async fn open(&self, origin: &Origin) -> Result<Dialed, Reason> {
        let proxy = self.proxies.for_origin(origin);
        let tcp = match proxy {
            None => self.connect(origin).await?,
            Some(proxy) => self.connect(&proxy.origin).await?,
        };
        match (origin.scheme, proxy) {
            (Scheme::Http, proxy) => {
                Ok(Dialed { stream: Box::new(tcp), is_proxy: proxy.is_some() })
            }
            (Scheme::Https, None) => self.encrypt(origin, tcp).await,
            (Scheme::Https, Some(proxy)) => {
                let tunnel = tunnel(tcp, origin, proxy).await?;
                self.encrypt(origin, tunnel).await
            }
        }
    }

    async fn connect(&self, origin: &Origin) -> Result<TcpStream, Reason> {
        let name = (origin.name.clone(), origin.port);
        let known = self.known().get(&name).cloned();
        if let Some(known) = known
            && let Ok(stream) = connect(origin, &known).await
        {
            return Ok(stream);
        }
        let opened = async {
            let found = look_up(&name.0, name.1).await?;
            Ok((connect(origin, &found).await?, found))
        };
        let (stream, found) = opened.await.map_err(|source| unreachable(origin, source))?;
        self.known().insert(name, found);
        Ok(stream)
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<(String, u16), Vec<SocketAddr>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn encrypt(&self, origin: &Origin, tcp: TcpStream) -> Result<Dialed, Reason> {
        let untrusted = |source| Reason::Untrusted { to: origin.host_and_port(), source };
        let name = ServerName::try_from(origin.name.clone())
            .map_err(|error| untrusted(io::Error::other(error)))?;
        let connector = TlsConnector::from(self.tls()?);
        match connector.connect(name, tcp).await {
            Ok(stream) => Ok(Dialed { stream: Box::new(stream), is_proxy: false }),
            // What TLS itself refuses is told apart by its kind from a connection that broke.
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(untrusted(error)),
            Err(error) => Err(unreachable(origin, error)),
        }
    }

    fn tls(&self) -> Result<Arc<ClientConfig>, Reason> {
        if let Some(tls) = self.tls.get() {
            return Ok(Arc::clone(tls));
        }
        let tls = self.authorities.client()?;
        Ok(Arc::clone(self.tls.get_or_init(|| tls)))
    }
}

/// Returns the addresses of a name. One name is known without asking anybody (RFC 6761, 6.3).
async fn look_up(name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if name.eq_ignore_ascii_case("localhost") {
        return Ok(vec![(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()]);
    }
    Ok(lookup_host((name, port)).await?.collect())
}

async fn connect(origin: &Origin, to: &[SocketAddr]) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(to).await?;
    // What is spoken to without encryption because of its name must be what the name says.
    if origin.is_loopback() && !stream.peer_addr()?.ip().is_loopback() {
        return Err(io::Error::other("localhost is another machine here"));
    }
    // Requests are small and answers are awaited: waiting to fill a packet only costs time.
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn unreachable(origin: &Origin, source: io::Error) -> Reason {
    Reason::Connect { to: origin.host_and_port(), source }
}

/// Asks a proxy for a tunnel (RFC 9110, 9.3.6).
async fn tunnel(mut tcp: TcpStream, origin: &Origin, proxy: &Proxy) -> Result<TcpStream, Reason> {
    let target = origin.host_and_port();
    let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n");
    if let Some(value) = proxy.authorization()
        && let Ok(value) = value.to_str()
    {
        request.push_str(&format!("Proxy-Authorization: {value}\r\n"));
    }
    request.push_str("\r\n");
    let failed = |source| unreachable(&proxy.origin, source);
    tcp.write_all(request.as_bytes()).await.map_err(failed)?;
    let mut answer = Vec::new();
    // One byte at a time: what follows the empty line is the other side's.
    while !answer.ends_with(b"\r\n\r\n") && answer.len() < PROXY_ANSWER {
        answer.push(tcp.read_u8().await.map_err(failed)?);
    }
    let status = answer.strip_prefix(b"HTTP/1.").and_then(|rest| rest.get(2..5));
    if status.is_some_and(|status| status.starts_with(b"2")) {
        return Ok(tcp);
    }
    let problem = status.map_or("it speaks no HTTP".to_owned(), |status| {
        format!("it answers {}", String::from_utf8_lossy(status).escape_debug())
    });
    Err(Reason::Proxy { proxy: proxy.origin.host_and_port(), problem })
}
