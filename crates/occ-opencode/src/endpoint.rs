//! Where a server is, and who we are to it.

use std::fmt;
use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::HeaderValue;

use crate::Secret;

/// The place one opencode server listens at, spoken to in plain HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// Address and port.
    pub address: SocketAddr,
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        Self { address }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.address)
    }
}

/// User and password of HTTP Basic authentication (RFC 7617), the only kind opencode has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// User name; must not contain a colon. opencode's own default is `opencode`.
    pub user: String,
    /// Password.
    pub password: Secret<String>,
}

impl Credentials {
    /// Returns the value of the `authorization` header, marked so that it is not printed.
    pub(crate) fn authorization(&self) -> HeaderValue {
        let pair = STANDARD.encode(format!("{}:{}", self.user, self.password.expose()));
        let mut value = HeaderValue::try_from(format!("Basic {pair}"))
            .expect("base64 holds only what a header value may hold");
        value.set_sensitive(true);
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials() -> Credentials {
        Credentials { user: "Aladdin".into(), password: "open sesame".into() }
    }

    #[test]
    fn the_header_is_the_example_of_the_rfc() {
        let value = credentials().authorization();
        assert_eq!(value.to_str().ok(), Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
    }

    #[test]
    fn neither_credentials_nor_header_show_the_password() {
        let shown = format!("{:?} {:?}", credentials(), credentials().authorization());
        assert!(!shown.contains("sesame") && !shown.contains("QWxh"), "{shown}");
    }

    #[test]
    fn an_ipv6_endpoint_is_written_as_a_url_writes_it() {
        let address: SocketAddr = "[::1]:3000".parse().expect("an address");
        assert_eq!(Endpoint { address }.to_string(), "http://[::1]:3000");
    }
}
