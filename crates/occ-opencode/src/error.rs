//! Ways one request can fail, told apart by structure (errno, status, content type).

use std::net::SocketAddr;
use std::time::Duration;

/// Why one request to the server gave no usable answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection: nothing listens there, or the way is barred.
    #[error("cannot connect to {address}")]
    Connect {
        /// The server's address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// No complete answer in the time the caller gave.
    #[error("no answer to {path} within {} ms", after.as_millis())]
    Timeout {
        /// What was asked for.
        path: String,
        /// How long it was waited for.
        after: Duration,
    },
    /// 401: the credentials are missing or wrong.
    #[error("{path} refuses the user name or password")]
    Unauthorized {
        /// What was asked for.
        path: String,
    },
    /// Any other status that is not a success.
    #[error("{path} answered {status}: {excerpt}")]
    Status {
        /// What was asked for.
        path: String,
        /// HTTP status code.
        status: u16,
        /// The beginning of the body, without control characters.
        excerpt: String,
    },
    /// A success that is not JSON: opencode answers unknown paths with its web page.
    #[error("{path} answered {} instead of JSON", content_type.as_deref().unwrap_or("something untyped"))]
    NotJson {
        /// What was asked for.
        path: String,
        /// The content type of the answer.
        content_type: Option<String>,
    },
    /// A success that is not an event stream.
    #[error("{path} answered {} instead of events", content_type.as_deref().unwrap_or("something untyped"))]
    NotEvents {
        /// What was asked for.
        path: String,
        /// The content type of the answer.
        content_type: Option<String>,
    },
    /// JSON of another shape than this line of opencode has.
    #[error("the answer of {path} is not understood")]
    Schema {
        /// What was asked for.
        path: String,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// An answer or event larger than anybody needs.
    #[error("the answer of {path} is larger than {limit} bytes")]
    TooLarge {
        /// What was asked for.
        path: String,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The server answers that it is not healthy.
    #[error("the server reports that it is not healthy")]
    Unhealthy,
    /// The event stream began with another event than `server.connected`, or ended before it.
    #[error("the event stream began with {} instead of server.connected", kind.as_deref().unwrap_or("its end"))]
    FirstEvent {
        /// The first event's kind; nothing where the stream ended.
        kind: Option<String>,
    },
    /// A shell command's answer without the line that tells its exit code.
    #[error("the command's exit code is missing; its state is {status:?}")]
    NoExitCode {
        /// The state of the command, as the server says it.
        status: String,
        /// The output that came.
        output: String,
    },
    /// There is no such file.
    #[error("there is no file {path}")]
    NoFile {
        /// Its path.
        path: String,
    },
    /// A file that is no text.
    #[error("{path} is no text but {kind}")]
    NotText {
        /// Its path.
        path: String,
        /// What it is, as the server says it.
        kind: String,
    },
    /// The conversation broke off, or was no HTTP.
    #[error("the conversation about {path} broke off")]
    Broken {
        /// What was asked for.
        path: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    pub(crate) fn broken(
        path: &str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Broken { path: path.to_owned(), source: source.into() }
    }
}

/// Makes a server's bytes safe to print: no control characters, one line, bounded.
pub(crate) fn excerpt(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_cannot_move_the_terminals_cursor() {
        assert_eq!(excerpt(b"bad\n  key \x1b[2J\xff"), "bad key [2J\u{fffd}");
    }
}
