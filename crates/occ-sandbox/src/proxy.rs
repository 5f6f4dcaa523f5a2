//! A proxy that the host's environment names, for what runs in the sandbox.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::{Value, json};

use crate::secret::SecretValue;
use crate::variable::has_password;

/// Variables that name a proxy; programs read one case or the other.
pub(crate) const PROXIES: [(&str, &str); 2] =
    [("HTTP_PROXY", "http_proxy"), ("HTTPS_PROXY", "https_proxy")];

/// Variables that name what is reached without one.
pub(crate) const EXCEPT: (&str, &str) = ("NO_PROXY", "no_proxy");

/// What is never reached through a proxy: the server's own health check asks it at this address.
const INSIDE: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// A proxy of the host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxy {
    /// Variables that everybody may see.
    pub(crate) open: BTreeMap<String, String>,
    /// Variables with a password in them.
    pub(crate) hidden: BTreeMap<String, SecretValue>,
}

/// What the environment says about proxies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProxyLook {
    /// The proxy, when there is one that can be reached from inside.
    pub proxy: Option<Proxy>,
    /// Variables that name a proxy on the host's own loopback, which is another one inside.
    pub out_of_reach: Vec<String>,
}

impl Proxy {
    /// Looks at the environment.
    pub fn find(variable: impl Fn(&str) -> Option<String>) -> ProxyLook {
        let mut look = ProxyLook::default();
        let mut proxy = Self::default();
        let both = |upper: &str, lower: &str| {
            let (one, other) = (variable(upper), variable(lower));
            [(upper.to_owned(), one.clone().or(other.clone())), (lower.to_owned(), other.or(one))]
        };
        for (name, value) in PROXIES.iter().flat_map(|(upper, lower)| both(upper, lower)) {
            match value {
                Some(address) if is_loopback(&address) => look.out_of_reach.push(name),
                Some(address) if has_password(&address) => {
                    proxy.hidden.insert(name, SecretValue::from(address));
                }
                Some(address) => drop(proxy.open.insert(name, address)),
                None => {}
            }
        }
        if proxy == Self::default() {
            return look;
        }
        for (name, value) in both(EXCEPT.0, EXCEPT.1) {
            proxy.open.insert(name, except_inside(&value.unwrap_or_default()));
        }
        ProxyLook { proxy: Some(proxy), ..look }
    }

    /// Returns what may be seen of it.
    pub(crate) fn shown(&self) -> Value {
        let hidden = self.hidden.iter().map(|(name, value)| (name, masked(value.expose())));
        let open = self.open.iter().map(|(name, value)| (name, value.clone()));
        let all: BTreeMap<_, _> = open.chain(hidden).collect();
        json!(all)
    }
}

/// Adds what is inside to a list of what is reached without a proxy.
pub(crate) fn except_inside(list: &str) -> String {
    let mut names: Vec<&str> =
        list.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    let missing: Vec<&str> = INSIDE.into_iter().filter(|inside| !names.contains(inside)).collect();
    names.extend(missing);
    names.join(",")
}

/// Returns an address without the name and the password in it.
fn masked(address: &str) -> String {
    match address.split_once("://") {
        Some((scheme, rest)) => {
            let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            let place = rest[..end].rsplit('@').next().unwrap_or_default();
            format!("{scheme}://***@{place}{}", &rest[end..])
        }
        None => "***".to_owned(),
    }
}

fn is_loopback(address: &str) -> bool {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let place = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let place = place.rsplit('@').next().unwrap_or(place);
    let host = match place.strip_prefix('[') {
        Some(six) => six.split(']').next().unwrap_or(six),
        None => place.split(':').next().unwrap_or(place),
    };
    let host = host.to_ascii_lowercase();
    host == "localhost"
        || host.ends_with(".localhost")
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback() || address.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(variables: &[(&str, &str)]) -> ProxyLook {
        Proxy::find(|name| {
            variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_proxy_is_passed_on_in_both_cases_and_never_used_for_the_inside() {
        let proxy = find(&[("https_proxy", "http://proxy:3128"), ("NO_PROXY", "example.com, ::1")]);
        let open = proxy.proxy.expect("a proxy").open;
        let expected = [
            ("HTTPS_PROXY", "http://proxy:3128"),
            ("NO_PROXY", "example.com,::1,localhost,127.0.0.1"),
            ("https_proxy", "http://proxy:3128"),
            ("no_proxy", "example.com,::1,localhost,127.0.0.1"),
        ];
        assert_eq!(open, expected.map(|(name, value)| (name.into(), value.into())).into());
    }

    #[test]
    fn without_a_proxy_there_is_nothing_to_pass_on() {
        assert_eq!(find(&[]), ProxyLook::default());
        assert_eq!(find(&[("NO_PROXY", "example.com")]), ProxyLook::default());
    }

    #[test]
    fn a_password_in_a_proxys_address_is_hidden_wherever_it_is_shown() {
        for address in ["http://ann:hunter2@proxy:3128/", "http://ann:hunter2@evil@proxy:3128/"] {
            let proxy = find(&[("HTTP_PROXY", address)]).proxy.expect("a proxy");
            assert_eq!(proxy.hidden["http_proxy"].expose(), address);
            assert_eq!(proxy.open.keys().collect::<Vec<_>>(), ["NO_PROXY", "no_proxy"]);
            let shown = format!("{proxy:?} {}", proxy.shown());
            assert!(!shown.contains("hunter2"), "{shown}");
            assert_eq!(proxy.shown()["HTTP_PROXY"], "http://***@proxy:3128/");
        }
    }

    #[test]
    fn a_proxy_on_the_hosts_loopback_is_out_of_reach() {
        for address in [
            "http://localhost:3128",
            "127.0.0.1:3128",
            "http://u:p@127.3.2.1:3128/",
            "http://[::1]:3128",
            "socks5://LOCALHOST",
        ] {
            let look = find(&[("HTTP_PROXY", address)]);
            assert_eq!(look.proxy, None, "{address}");
            assert_eq!(look.out_of_reach, ["HTTP_PROXY", "http_proxy"], "{address}");
        }
        for address in
            ["http://localhost.example.com", "http://10.0.0.1:3128", "http://[fd00::1]:1"]
        {
            assert!(find(&[("HTTP_PROXY", address)]).proxy.is_some(), "{address}");
        }
    }
}
