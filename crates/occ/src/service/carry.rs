//! Variables that a service needs and its manager would not give it.

use crate::config::{KEYS, Key};

/// Variables beside our own settings: which engine, where our files are, how the network is reached.
const CARRIED: [&str; 19] = [
    "DOCKER_CERT_PATH",
    "DOCKER_CONFIG",
    "DOCKER_CONTEXT",
    "DOCKER_HOST",
    "DOCKER_TLS_VERIFY",
    "HOME",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "OCC_HOST",
    "PATH",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];

/// What is carried over, and the names of what is not because it holds credentials: a service's variables
/// can be read by more than its user.
pub(crate) fn carried(
    variable: impl Fn(&str) -> Option<String>,
) -> (Vec<(String, String)>, Vec<String>) {
    let names = CARRIED.iter().map(|name| (*name).to_owned()).chain(KEYS.iter().map(Key::env));
    let set = names.filter_map(|name| variable(&name).map(|value| (name, value)));
    let (secret, mut plain): (Vec<_>, Vec<_>) = set.partition(|(_, value)| has_credentials(value));
    plain.sort();
    (plain, secret.into_iter().map(|(name, _)| name).collect())
}

/// Returns whether a text is an address with a user's password, RFC 3986 3.2.1.
fn has_credentials(text: &str) -> bool {
    text.split_once("://").is_some_and(|(_, rest)| {
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engine_places_and_settings_are_carried_and_nothing_else() {
        let variables = [
            ("DOCKER_HOST", "ssh://ann@host"),
            ("OCC_PORT", "3005"),
            ("OCC_INSTANCE", "blue"),
            ("AWS_SECRET_ACCESS_KEY", "x"),
            ("XDG_DATA_HOME", "/data"),
        ];
        let (plain, secret) = carried(|name| {
            variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
        });
        let names: Vec<&str> = plain.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["DOCKER_HOST", "OCC_PORT", "XDG_DATA_HOME"]);
        assert_eq!(secret, Vec::<String>::new());
    }

    #[test]
    fn a_proxy_with_a_password_is_named_and_not_carried() {
        let (plain, secret) =
            carried(|name| (name == "https_proxy").then(|| "http://ann:pw@proxy:8080".to_owned()));
        assert_eq!((plain.len(), secret), (0, vec!["https_proxy".to_owned()]));
    }
}
