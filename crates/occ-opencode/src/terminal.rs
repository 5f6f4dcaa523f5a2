//! A terminal of the server's own, as its web page has one: a program on a pseudo terminal, spoken to over a
//! WebSocket (RFC 6455).

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use hyper::Method;
use hyper::header;
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error as Refused, Message};

use crate::{Client, Error};

/// A terminal that runs on the server.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Terminal {
    /// Its name, such as `pty_e051a9e62ffeAqYPbASttCxNCA`.
    pub id: String,
}

/// The line to a terminal; dropping it closes the connection, and leaves the terminal.
pub struct TerminalLine {
    socket: WebSocketStream<TcpStream>,
    path: String,
    heard: String,
}

impl Client {
    /// Starts a terminal with the user's shell.
    ///
    /// # Errors
    /// [`Error::Status`] 500 where none can be started, as with a `/tmp` from which nothing may be run, and
    /// every kind a JSON request has.
    pub async fn start_terminal(&self) -> Result<Terminal, Error> {
        self.json(Method::POST, "/pty", Some(&json!({}))).await
    }

    /// Ends a terminal.
    ///
    /// # Errors
    /// Every kind a JSON request has.
    pub async fn end_terminal(&self, terminal: &Terminal) -> Result<(), Error> {
        self.is_true(Method::DELETE, &format!("/pty/{}", terminal.id)).await
    }

    /// Opens the line to a terminal.
    ///
    /// # Errors
    /// [`Error::Connect`], [`Error::Unauthorized`], [`Error::Status`] for any other answer than a switch of
    /// protocols, [`Error::Timeout`], [`Error::Broken`].
    pub async fn terminal_line(&self, terminal: &Terminal) -> Result<TerminalLine, Error> {
        let path = format!("/pty/{}/connect", terminal.id);
        let line = async {
            let socket = self.upgrade(&path).await?;
            Ok(TerminalLine { socket, path: path.clone(), heard: String::new() })
        };
        self.in_time(&path, line).await
    }

    async fn upgrade(&self, path: &str) -> Result<WebSocketStream<TcpStream>, Error> {
        let address = self.endpoint().address;
        let connect = |source| Error::Connect { address, source };
        let stream = TcpStream::connect(address).await.map_err(connect)?;
        let mut request = format!("ws://{address}{}", self.scoped(path))
            .into_client_request()
            .map_err(|source| Error::broken(path, source))?;
        if let Some(credentials) = self.credentials() {
            request.headers_mut().insert(header::AUTHORIZATION, credentials.authorization());
        }
        match tokio_tungstenite::client_async(request, stream).await {
            Ok((socket, _)) => Ok(socket),
            Err(Refused::Http(answer)) if answer.status() == 401 => {
                Err(Error::Unauthorized { path: path.to_owned() })
            }
            Err(Refused::Http(answer)) => {
                let status = answer.status().as_u16();
                let excerpt = crate::error::excerpt(answer.body().as_deref().unwrap_or_default());
                Err(Error::Status { path: path.to_owned(), status, excerpt })
            }
            Err(source) => Err(Error::broken(path, source)),
        }
    }
}

impl TerminalLine {
    /// Types a text.
    ///
    /// # Errors
    /// [`Error::Broken`].
    pub async fn type_in(&mut self, text: &str) -> Result<(), Error> {
        let sent = self.socket.send(Message::text(text)).await;
        sent.map_err(|source| Error::broken(&self.path, source))
    }

    /// Waits until the terminal has shown a text, from the line's beginning on, and returns all that it showed.
    ///
    /// # Errors
    /// [`Error::Timeout`] after `patience`, [`Error::Broken`] where the line ends first.
    pub async fn shows(&mut self, text: &str, patience: Duration) -> Result<&str, Error> {
        let waited = tokio::time::timeout(patience, self.hear(text)).await;
        match waited {
            Ok(outcome) => outcome?,
            Err(_) => return Err(Error::Timeout { path: self.path.clone(), after: patience }),
        }
        Ok(&self.heard)
    }

    async fn hear(&mut self, text: &str) -> Result<(), Error> {
        while !self.heard.contains(text) {
            let message = self.socket.next().await;
            let message =
                message.transpose().map_err(|source| Error::broken(&self.path, source))?;
            match message {
                Some(Message::Text(shown)) => self.heard.push_str(&shown),
                // Its place in the stream, which nobody here goes back to.
                Some(_) => {}
                None => return Err(Error::broken(&self.path, "the terminal ended")),
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for TerminalLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TerminalLine").field("path", &self.path).finish_non_exhaustive()
    }
}
