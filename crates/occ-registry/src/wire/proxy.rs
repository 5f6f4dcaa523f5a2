//! Proxies on the way to registries, in the words of the usual environment variables.

use std::fmt;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::HeaderValue;

use crate::address::{Address, AddressError, Origin, Scheme};
use crate::secret::Secret;

/// Why a value names no proxy. The value itself is left out, because it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// It cannot be read.
    #[error("the proxy's address is wrong")]
    Address(#[source] AddressError),
    /// It would have to be reached encrypted itself.
    #[error("a proxy is reached over http:// only")]
    Scheme,
}

/// A proxy that is spoken to over plain HTTP.
#[derive(Clone)]
pub(super) struct Proxy {
    pub(super) origin: Origin,
    login: Option<Secret>,
}

impl Proxy {
    fn parse(text: &str) -> Result<Self, ProxyError> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let (login, rest) = match rest.rsplit_once('@') {
            Some((login, rest)) => (Some(Secret::new(unescape(login))), rest),
            None => (None, rest),
        };
        let origin =
            Address::parse(&format!("{scheme}://{rest}")).map_err(ProxyError::Address)?.origin;
        if origin.scheme == Scheme::Https {
            return Err(ProxyError::Scheme);
        }
        Ok(Self { origin, login })
    }

    /// Returns the value of `Proxy-Authorization`.
    pub(super) fn authorization(&self) -> Option<HeaderValue> {
        let login = STANDARD.encode(self.login.as_ref()?.expose());
        let mut value = HeaderValue::try_from(format!("Basic {login}")).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

/// Which requests go through which proxy.
#[derive(Clone, Default)]
pub struct Proxies {
    pub(super) http: Option<Proxy>,
    https: Option<Proxy>,
    except: Vec<String>,
}

impl Proxies {
    /// Returns no proxies.
    pub fn none() -> Self {
        Self::default()
    }

    /// Reads the values of `http_proxy`, `https_proxy` and `no_proxy`, empty ones being none.
    ///
    /// # Errors
    /// [`ProxyError`] when an address cannot be read, or is not of `http`.
    pub fn parse(
        http: Option<&str>,
        https: Option<&str>,
        no_proxy: Option<&str>,
    ) -> Result<Self, ProxyError> {
        let proxy = |value: Option<&str>| {
            value.filter(|value| !value.is_empty()).map(Proxy::parse).transpose()
        };
        let names = no_proxy.unwrap_or_default().split(',');
        let except = names.map(|name| name.trim().to_ascii_lowercase());
        Ok(Self {
            http: proxy(http)?,
            https: proxy(https)?,
            except: except.filter(|name| !name.is_empty()).collect(),
        })
    }

    /// Returns the proxy for an origin. This machine itself is never reached through one.
    pub(super) fn for_origin(&self, origin: &Origin) -> Option<&Proxy> {
        if origin.is_loopback() || self.except.iter().any(|name| excludes(name, origin)) {
            return None;
        }
        match origin.scheme {
            Scheme::Http => self.http.as_ref(),
            Scheme::Https => self.https.as_ref(),
        }
    }
}

impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |proxy: &Option<Proxy>| proxy.as_ref().map(|proxy| proxy.origin.to_string());
        write!(f, "Proxies({:?}, {:?}, {:?})", shown(&self.http), shown(&self.https), self.except)
    }
}

/// Whether a name in the list of exceptions covers an origin, as curl reads it: itself and everything
/// below it.
fn excludes(name: &str, origin: &Origin) -> bool {
    let (name, port) = match name.rsplit_once(':') {
        Some((name, port)) if name.parse::<IpAddr>().is_ok() || !name.contains(':') => {
            (name, port.parse::<u16>().ok())
        }
        _ => (name, None),
    };
    let name = name.trim_start_matches('.');
    let is_below = || {
        origin.name.strip_suffix(name).is_some_and(|before| before.ends_with('.'))
            && origin.name.parse::<IpAddr>().is_err()
    };
    port.is_none_or(|port| port == origin.port)
        && (name == "*" || (!name.is_empty() && (origin.name == name || is_below())))
}

/// Takes `%41` for what it stands for; anything else stays as it is.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let pair = tail.get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
        match pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &str) -> Origin {
        Address::parse(text).expect("an address").origin
    }

    fn through(proxies: &Proxies, text: &str) -> Option<String> {
        proxies.for_origin(&origin(text)).map(|proxy| proxy.origin.to_string())
    }

    #[test]
    fn each_scheme_has_its_proxy_and_loopback_has_none() {
        let proxies = Proxies::parse(Some("http://one:3128"), Some("two:3129/"), None);
        let proxies = proxies.expect("proxies");
        assert_eq!(through(&proxies, "http://a.example/"), Some("http://one:3128".to_owned()));
        assert_eq!(through(&proxies, "https://a.example/"), Some("http://two:3129".to_owned()));
        assert_eq!(through(&proxies, "http://localhost:5000/"), None);
        assert_eq!(through(&proxies, "http://127.0.0.1:5000/"), None);
    }

    #[test]
    fn exceptions_cover_a_name_and_everything_below_it() {
        let except = Some("corp.example, .lan,10.0.0.1,host.example:444");
        let proxies = Proxies::parse(None, Some("http://p:1"), except).expect("proxies");
        for direct in [
            "https://corp.example/",
            "https://r.corp.example/",
            "https://x.lan/",
            "https://10.0.0.1/",
            "https://host.example:444/",
        ] {
            assert_eq!(through(&proxies, direct), None, "{direct}");
        }
        for other in ["https://evilcorp.example/", "https://host.example/", "https://210.0.0.1/"] {
            assert!(through(&proxies, other).is_some(), "{other}");
        }
        let all = Proxies::parse(None, Some("http://p:1"), Some("*")).expect("proxies");
        assert_eq!(through(&all, "https://a.example/"), None);
    }

    #[test]
    fn attack_21_a_proxys_password_is_shown_nowhere() {
        let proxies = Proxies::parse(Some("http://me:p%40ss@one:3128"), None, None);
        let proxies = proxies.expect("proxies");
        let proxy = proxies.http.as_ref().expect("a proxy");
        let value = proxy.authorization().expect("a value");
        assert_eq!(
            value.to_str().ok(),
            Some(format!("Basic {}", STANDARD.encode("me:p@ss")).as_str())
        );
        assert!(!format!("{proxies:?} {value:?}").contains("ss"), "{proxies:?} {value:?}");
        let error = Proxies::parse(Some("https://me:secret@one"), None, None).expect_err("https");
        assert_eq!(error, ProxyError::Scheme);
    }
}
