//! A login that the environment gives, for one host.

use occ_oci::Host;

use super::{Credentials, KeychainError};
use crate::secret::Secret;

/// Variable with the host that the login is for.
const HOST: &str = "OCC_REGISTRY_HOST";
/// Variable with the user's name.
const USERNAME: &str = "OCC_REGISTRY_USERNAME";
/// Variable with the password.
const PASSWORD: &str = "OCC_REGISTRY_PASSWORD";
/// Variable with a token, in place of name and password.
const TOKEN: &str = "OCC_REGISTRY_TOKEN";

/// A login and the one host that it is for: `OCC_REGISTRY_HOST` with `OCC_REGISTRY_USERNAME` and
/// `OCC_REGISTRY_PASSWORD`, or with `OCC_REGISTRY_TOKEN`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvironmentLogin {
    pub(super) host: Host,
    pub(super) credentials: Credentials,
}

impl EnvironmentLogin {
    /// Reads the variables; none when there is neither a name, a password nor a token.
    ///
    /// The host must be named. A login for "the registry", whichever it is, would be shown to every
    /// registry that an image's name leads to.
    ///
    /// # Errors
    /// [`KeychainError::Environment`] when the host is missing or none, or half of a login is.
    pub fn parse(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, KeychainError> {
        let set = |name| variable(name).filter(|value| !value.is_empty());
        let credentials = match (set(USERNAME), set(PASSWORD), set(TOKEN)) {
            (None, None, None) => return Ok(None),
            (None, None, Some(token)) => Credentials::Registry(Secret::new(token)),
            (Some(user), Some(password), None) => {
                Credentials::Password { user, password: Secret::new(password) }
            }
            (_, _, Some(_)) => {
                return Err(wrong("a token and a name or password are set: one is enough"));
            }
            (Some(_), None, None) => return Err(wrong("OCC_REGISTRY_PASSWORD is missing")),
            (None, Some(_), None) => return Err(wrong("OCC_REGISTRY_USERNAME is missing")),
        };
        let host = set(HOST).ok_or(wrong("OCC_REGISTRY_HOST must say whom the login is for"))?;
        let host = host.parse().map_err(|_| wrong("OCC_REGISTRY_HOST is not a host"))?;
        Ok(Some(Self { host, credentials }))
    }
}

fn wrong(problem: &'static str) -> KeychainError {
    KeychainError::Environment(problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(set: &[(&str, &str)]) -> Result<Option<EnvironmentLogin>, String> {
        let find = |name: &str| {
            set.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned())
        };
        EnvironmentLogin::parse(find).map_err(|error| error.to_string())
    }

    #[test]
    fn attack_21_a_login_is_for_the_host_that_it_names() {
        let given = login(&[(USERNAME, "me"), (PASSWORD, "p"), (HOST, "ghcr.io")]);
        let given = given.expect("a login").expect("one");
        assert_eq!(given.host.as_str(), "ghcr.io");
        assert!(login(&[(USERNAME, "me"), (PASSWORD, "p")]).is_err());
        assert!(login(&[(TOKEN, "t"), (HOST, "https://ghcr.io/")]).is_err());
        assert!(!format!("{given:?}").contains("\"p\""));
    }

    #[test]
    fn half_a_login_and_two_logins_are_mistakes_and_none_is_none() {
        assert_eq!(login(&[(HOST, "ghcr.io"), (TOKEN, "")]), Ok(None));
        assert!(login(&[(HOST, "ghcr.io"), (USERNAME, "me")]).is_err());
        assert!(login(&[(HOST, "ghcr.io"), (PASSWORD, "p")]).is_err());
        assert!(login(&[(HOST, "ghcr.io"), (PASSWORD, "p"), (TOKEN, "t")]).is_err());
        assert!(login(&[(HOST, "ghcr.io"), (TOKEN, "t")]).is_ok_and(|login| login.is_some()));
    }
}
