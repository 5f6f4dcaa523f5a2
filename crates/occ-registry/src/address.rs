//! Where a request goes: an origin, which is what credentials belong to, and a place on it.

use std::fmt;
use std::net::IpAddr;

use hyper::Uri;
use occ_oci::Host;

/// Host behind the name `docker.io`.
const DOCKER_HUB: &str = "registry-1.docker.io";

/// Whether bytes travel encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// They do not.
    Http,
    /// They do, and the other side proves its name.
    Https,
}

impl Scheme {
    fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// Scheme, host and port (RFC 6454). Two addresses belong together only if all three are equal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    pub(crate) scheme: Scheme,
    /// Name or address in lower case, IPv6 without brackets.
    pub(crate) name: String,
    pub(crate) port: u16,
}

impl Origin {
    /// Returns where the registry of this name answers; `chosen` says how, when somebody said it.
    ///
    /// Without a choice everything is encrypted but loopback, where registries for tests and mirrors
    /// on this machine are.
    pub(crate) fn of_registry(host: &Host, chosen: Option<Scheme>) -> Result<Self, AddressError> {
        let host = if host.is_default() { DOCKER_HUB } else { host.as_str() };
        let address = |scheme: Scheme| Address::parse(&format!("{}://{host}/", scheme.name()));
        let plain = address(Scheme::Http)?.origin;
        match chosen {
            Some(Scheme::Http) => Ok(plain),
            None if plain.is_loopback() => Ok(plain),
            Some(Scheme::Https) | None => Ok(address(Scheme::Https)?.origin),
        }
    }

    /// Whether it is on this machine by its name.
    pub(crate) fn is_loopback(&self) -> bool {
        let is_address = |ip: IpAddr| ip.is_loopback();
        self.name == "localhost" || self.name.parse().is_ok_and(is_address)
    }

    /// Returns host and port as the header `Host` wants them (RFC 9110, 7.2).
    pub(crate) fn authority(&self) -> String {
        if self.port == self.scheme.port() { self.host() } else { self.host_and_port() }
    }

    /// Returns host and port, the port always there.
    pub(crate) fn host_and_port(&self) -> String {
        format!("{}:{}", self.host(), self.port)
    }

    fn host(&self) -> String {
        if self.name.contains(':') { format!("[{}]", self.name) } else { self.name.clone() }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.name(), self.authority())
    }
}

/// A place on an origin. It may carry a signature in its query, so it has no `Debug` or `Display`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) origin: Origin,
    /// Path and query.
    pub(crate) target: String,
}

/// Why a text is no address. The text itself is left out, because it may hold a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It cannot be read as an address at all.
    #[error("it is not an address")]
    Malformed,
    /// It is of a scheme other than `http` and `https`.
    #[error("it is neither http nor https")]
    Scheme,
    /// It has a user name or a password in it.
    #[error("it has a user name in it")]
    User,
}

impl Address {
    /// Reads an absolute address.
    pub(crate) fn parse(text: &str) -> Result<Self, AddressError> {
        let uri: Uri = text.parse().map_err(|_| AddressError::Malformed)?;
        let scheme = match uri.scheme_str() {
            Some("http") => Scheme::Http,
            Some("https") => Scheme::Https,
            _ => return Err(AddressError::Scheme),
        };
        let authority = uri.authority().ok_or(AddressError::Malformed)?;
        if authority.as_str().contains('@') {
            return Err(AddressError::User);
        }
        let name = authority.host().trim_start_matches('[').trim_end_matches(']');
        if name.is_empty() {
            return Err(AddressError::Malformed);
        }
        let port = uri.port_u16().unwrap_or(scheme.port());
        let target = uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
        Ok(Self { origin: Origin { scheme, name: name.to_ascii_lowercase(), port }, target })
    }

    /// Reads an address that may leave out the origin when it is this one (RFC 9110, 10.2.2).
    pub(crate) fn join(&self, text: &str) -> Result<Self, AddressError> {
        if !text.starts_with('/') {
            return Self::parse(text);
        }
        // `//host/path` would name another host.
        let target: Uri = text.parse().map_err(|_| AddressError::Malformed)?;
        if text.starts_with("//") || target.authority().is_some() {
            return Err(AddressError::Malformed);
        }
        Ok(Self { origin: self.origin.clone(), target: target.to_string() })
    }

    /// Returns the same place with one more field in its query; `value` needs no escaping but `:`.
    pub(crate) fn with(&self, name: &str, value: &str) -> Self {
        let sign = if self.target.contains('?') { '&' } else { '?' };
        let target = format!("{}{sign}{name}={}", self.target, escape(value));
        Self { origin: self.origin.clone(), target }
    }
}

/// Escapes for a query (RFC 3986, 2.1): everything but what is never special.
pub(crate) fn escape(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let escaped = |byte: u8| {
        if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    text.bytes().map(escaped).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(host: &str, chosen: Option<Scheme>) -> String {
        let host: Host = host.parse().expect("a host");
        Origin::of_registry(&host, chosen).expect("an origin").to_string()
    }

    #[test]
    fn only_loopback_is_asked_without_encryption_unless_somebody_chose() {
        assert_eq!(origin("ghcr.io", None), "https://ghcr.io");
        assert_eq!(origin("docker.io", None), "https://registry-1.docker.io");
        assert_eq!(origin("localhost:5000", None), "http://localhost:5000");
        assert_eq!(origin("127.0.0.2:5000", None), "http://127.0.0.2:5000");
        assert_eq!(origin("[::1]:5000", None), "http://[::1]:5000");
        assert_eq!(origin("localhost.evil.example", None), "https://localhost.evil.example");
        assert_eq!(origin("10.0.0.1:5000", None), "https://10.0.0.1:5000");
        assert_eq!(origin("10.0.0.1:5000", Some(Scheme::Http)), "http://10.0.0.1:5000");
        assert_eq!(origin("localhost:5000", Some(Scheme::Https)), "https://localhost:5000");
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let parse = |text: &str| Address::parse(text).expect("an address").origin;
        assert_eq!(parse("https://GHCR.io/a"), parse("https://ghcr.io:443/b"));
        assert_ne!(parse("https://ghcr.io/"), parse("http://ghcr.io/"));
        assert_ne!(parse("https://ghcr.io/"), parse("https://ghcr.io:8443/"));
        assert_ne!(parse("https://ghcr.io/"), parse("https://ghcr.io.evil.example/"));
    }

    #[test]
    fn a_location_may_be_relative_to_its_origin_and_cannot_hide_another_one() {
        let here = Address::parse("https://ghcr.io/v2/").expect("an address");
        let joined = |text: &str| here.join(text).map(|to| format!("{}{}", to.origin, to.target));
        assert_eq!(joined("/v2/x?y=1"), Ok("https://ghcr.io/v2/x?y=1".to_owned()));
        assert_eq!(joined("https://cdn.example/x"), Ok("https://cdn.example/x".to_owned()));
        assert_eq!(joined("//cdn.example/x"), Err(AddressError::Malformed));
        assert_eq!(joined("https://ghcr.io@evil.example/x"), Err(AddressError::User));
        assert_eq!(joined("ftp://ghcr.io/x"), Err(AddressError::Scheme));
        assert_eq!(joined("file:///etc/passwd"), Err(AddressError::Malformed));
        assert_eq!(joined(""), Err(AddressError::Malformed));
    }

    #[test]
    fn a_field_joins_the_query_that_is_there() {
        let here = Address::parse("http://localhost/u?s=1").expect("an address");
        assert_eq!(here.with("digest", "sha256:ab").target, "/u?s=1&digest=sha256%3Aab");
    }
}
