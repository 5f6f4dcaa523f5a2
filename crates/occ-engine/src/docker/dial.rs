//! Opens one connection to an engine, whatever it is made of.

use std::ffi::OsStr;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::process::Stdio;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::tls::connector;
use crate::endpoint::Endpoint;
use crate::error::Error;

/// Bytes in both directions.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// One open connection.
pub(super) struct Connection {
    /// The bytes.
    pub(super) stream: Box<dyn Duplex>,
    /// What `ssh` says when it cannot go on.
    pub(super) complaints: Option<Complaints>,
}

/// The words of a program that carries a connection.
pub(super) struct Complaints(ChildStderr);

impl Complaints {
    /// Returns the first 4 KiB of what was said, trimmed.
    pub(super) async fn read(self) -> String {
        let mut text = Vec::new();
        let read = self.0.take(4096).read_to_end(&mut text).await;
        match read {
            Ok(_) => String::from_utf8_lossy(&text).trim().to_owned(),
            Err(error) => error.to_string(),
        }
    }
}

/// Opens connections to one endpoint.
pub(super) struct Dialer {
    endpoint: Endpoint,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    ssh: PathBuf,
}

impl Dialer {
    /// Reads what the endpoint needs; opens nothing yet.
    pub(super) fn new(endpoint: Endpoint, search_path: Option<&OsStr>) -> Result<Self, Error> {
        let tls = match &endpoint {
            Endpoint::Tls { host, files, .. } => Some(connector(host, files)?),
            _ => None,
        };
        let ssh = find_program("ssh", search_path).unwrap_or_else(|| "ssh".into());
        Ok(Self { endpoint, tls, ssh })
    }

    /// Opens one connection.
    pub(super) async fn dial(&self) -> io::Result<Connection> {
        let stream: Box<dyn Duplex> = match (&self.endpoint, &self.tls) {
            (Endpoint::Unix(path) | Endpoint::Forwarded { socket: path, .. }, _) => {
                Box::new(UnixStream::connect(path).await?)
            }
            (Endpoint::Ssh { user, host, port }, _) => {
                return self.dial_ssh(user.as_deref(), host, *port);
            }
            (Endpoint::Tls { host, port, .. }, Some((connector, name))) => {
                let tcp = connect_tcp(host, *port).await?;
                Box::new(connector.connect(name.clone(), tcp).await?)
            }
            (Endpoint::Tcp { host, port } | Endpoint::Tls { host, port, .. }, _) => {
                Box::new(connect_tcp(host, *port).await?)
            }
        };
        Ok(Connection { stream, complaints: None })
    }

    fn dial_ssh(
        &self,
        user: Option<&str>,
        host: &str,
        port: Option<u16>,
    ) -> io::Result<Connection> {
        let mut command = Command::new(&self.ssh);
        command.args(["-T", "-o", "ConnectTimeout=30"]);
        if let Some(user) = user {
            command.args(["-l", user]);
        }
        if let Some(port) = port {
            command.args(["-p", &port.to_string()]);
        }
        command.args(["--", host, "docker", "system", "dial-stdio"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.kill_on_drop(true).spawn()?;
        let lost = || io::Error::other("ssh started without its three streams");
        let output = child.stdout.take().ok_or_else(lost)?;
        let input = child.stdin.take().ok_or_else(lost)?;
        let complaints = child.stderr.take().map(Complaints);
        Ok(Connection { stream: Box::new(Ssh { _child: child, output, input }), complaints })
    }
}

async fn connect_tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((host, port)).await?;
    // Requests are small and answers are awaited: waiting to fill a packet only costs time.
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Returns the first file of this name in the folders of `search_path`.
pub(super) fn find_program(name: &str, search_path: Option<&OsStr>) -> Option<PathBuf> {
    std::env::split_paths(search_path?).map(|dir| dir.join(name)).find(|path| path.is_file())
}

/// A running `ssh`, ended when the connection is dropped.
struct Ssh {
    _child: Child,
    output: ChildStdout,
    input: ChildStdin,
}

impl AsyncRead for Ssh {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.output).poll_read(cx, buf)
    }
}

impl AsyncWrite for Ssh {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.input).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.input).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.input).poll_shutdown(cx)
    }
}
