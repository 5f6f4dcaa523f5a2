//! The page of a repository on Docker Hub, through its own interface (`/v2/auth/token`,
//! `/v2/repositories/NAMESPACE/NAME/`).

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use occ_oci::Repository;
use occ_registry::{Credentials, Errand, Error, KeychainError, Reason, Registries, Secret, Verb};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Description, Part};

/// Largest answer that is read, in bytes.
const LIMIT: usize = 1024 * 1024;
const JSON: &str = "application/json";

/// A repository on Docker Hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubRepository(Repository);

/// Why a text names no repository on Docker Hub.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no repository on Docker Hub: NAMESPACE/NAME")]
pub struct ParseHubRepositoryError {
    /// The text.
    pub text: String,
}

impl HubRepository {
    /// Returns namespace and name.
    pub fn path(&self) -> &str {
        self.0.path()
    }
}

impl FromStr for HubRepository {
    type Err = ParseHubRepositoryError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseHubRepositoryError { text: text.to_owned() };
        let path = text.strip_prefix("docker.io/").unwrap_or(text);
        let repository: Repository = path.parse().map_err(|_| wrong())?;
        // Without a namespace it would be one of Docker's own.
        let is_named = path.matches('/').count() == 1 && repository.host().is_default();
        if is_named { Ok(Self(repository)) } else { Err(wrong()) }
    }
}

impl fmt::Display for HubRepository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "docker.io/{}", self.path())
    }
}

/// Why a page could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// Nobody said who we are.
    #[error("there are no credentials for docker.io")]
    NoCredentials,
    /// What is known is a token for registries, with which nobody can log in.
    #[error("the credentials for docker.io are no user name with a password")]
    NoPassword,
    /// Credentials could not be found out.
    #[error("the credentials for docker.io cannot be read")]
    Keychain(#[from] KeychainError),
    /// Nobody is let in.
    #[error("cannot log in to Docker Hub")]
    Login(#[source] Box<Error>),
    /// The page cannot be read.
    #[error("cannot read the description of {repository}")]
    Read {
        /// Whose page.
        repository: HubRepository,
        /// Why.
        #[source]
        source: Box<Error>,
    },
    /// The page cannot be changed.
    #[error("cannot change the description of {repository}")]
    Write {
        /// Whose page.
        repository: HubRepository,
        /// Why.
        #[source]
        source: Box<Error>,
    },
    /// What came is not what the interface has.
    #[error("the answer is not {0}")]
    Answer(&'static str),
    /// The page was changed, and is not what was sent.
    #[error("{repository} keeps {kept} bytes of the {}, and {sent} were sent", part.name())]
    NotKept {
        /// Whose page.
        repository: HubRepository,
        /// Which part of it.
        part: Part,
        /// What was sent, in bytes.
        sent: usize,
        /// What was kept, in bytes.
        kept: usize,
    },
}

/// The page of one repository on Docker Hub, with somebody logged in.
pub struct Hub<'a> {
    way: &'a Registries,
    api: &'a str,
    repository: &'a HubRepository,
    user: String,
    password: Secret,
    token: Secret,
}

#[derive(Deserialize)]
struct Entered {
    access_token: String,
}

/// A repository as the interface shows it; one that was never described has no texts.
#[derive(Deserialize)]
struct Shown {
    #[serde(rename = "name")]
    _name: String,
    description: Option<String>,
    full_description: Option<String>,
}

impl<'a> Hub<'a> {
    /// Where Docker Hub is.
    pub const API: &'static str = "https://hub.docker.com";

    /// Logs in at an address with the credentials for docker.io.
    ///
    /// # Errors
    /// [`HubError`].
    pub async fn enter(
        way: &'a Registries,
        api: &'a str,
        repository: &'a HubRepository,
    ) -> Result<Self, HubError> {
        let (user, password) = match way.credentials(repository.0.host()).await? {
            Some(Credentials::Password { user, password }) => (user, password),
            Some(Credentials::Identity(_) | Credentials::Registry(_)) => {
                return Err(HubError::NoPassword);
            }
            None => return Err(HubError::NoCredentials),
        };
        let api = api.trim_end_matches('/');
        let mut hub = Self { way, api, repository, user, password, token: Secret::new("") };
        hub.log_in().await?;
        Ok(hub)
    }

    async fn log_in(&mut self) -> Result<(), HubError> {
        let body = json!({ "identifier": self.user, "secret": self.password.expose() });
        let errand = Errand {
            url: Secret::new(format!("{}/v2/auth/token", self.api)),
            verb: Verb::Post(JSON, Bytes::from(body.to_string())),
            accept: JSON,
            bearer: None,
            limit: LIMIT,
        };
        let answer =
            self.way.errand_again(&errand).await.map_err(|error| HubError::Login(error.into()))?;
        let entered: Entered =
            serde_json::from_slice(&answer).map_err(|_| HubError::Answer("a token"))?;
        self.token = Secret::new(entered.access_token);
        Ok(())
    }

    /// Returns what the page says now.
    ///
    /// # Errors
    /// [`HubError`].
    pub async fn read(&mut self) -> Result<Description, HubError> {
        let repository = self.repository.clone();
        let wrong = |source: Error| HubError::Read { repository, source: source.into() };
        parse(&self.ask(Verb::Get).await?.map_err(wrong)?)
    }

    /// Changes some parts of the page, and looks at what was made of them.
    ///
    /// # Errors
    /// [`HubError`], [`HubError::NotKept`] among them.
    pub async fn write(
        &mut self,
        description: &Description,
        parts: &[Part],
    ) -> Result<(), HubError> {
        let field = |part: &Part| {
            let name = match part {
                Part::Short => "description",
                Part::Full => "full_description",
            };
            (name.to_owned(), Value::from(description.part(*part)))
        };
        let body = Value::Object(parts.iter().map(field).collect::<Map<_, _>>());
        let verb = Verb::Patch(JSON, Bytes::from(body.to_string()));
        let repository = self.repository.clone();
        let wrong = |source: Error| HubError::Write { repository, source: source.into() };
        let kept = parse(&self.ask(verb).await?.map_err(wrong)?)?;
        match description.other_parts(&kept).into_iter().find(|part| parts.contains(part)) {
            None => Ok(()),
            Some(part) => Err(HubError::NotKept {
                repository: self.repository.clone(),
                part,
                sent: description.part(part).len(),
                kept: kept.part(part).len(),
            }),
        }
    }

    /// Makes a request about the repository. A token that has expired meanwhile is replaced, once; that this
    /// fails is another failure than that of the request.
    async fn ask(&mut self, verb: Verb) -> Result<Result<Bytes, Error>, HubError> {
        let mut errand = Errand {
            url: Secret::new(format!("{}/v2/repositories/{}/", self.api, self.repository.path())),
            verb,
            accept: JSON,
            bearer: Some(self.token.clone()),
            limit: LIMIT,
        };
        let answer = self.way.errand_again(&errand).await;
        if !answer.as_ref().is_err_and(|error| matches!(error.reason, Reason::Unauthorized)) {
            return Ok(answer);
        }
        self.log_in().await?;
        errand.bearer = Some(self.token.clone());
        Ok(self.way.errand_again(&errand).await)
    }
}

impl fmt::Debug for Hub<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("api", &self.api).finish_non_exhaustive()
    }
}

fn parse(answer: &[u8]) -> Result<Description, HubError> {
    let shown: Shown =
        serde_json::from_slice(answer).map_err(|_| HubError::Answer("a repository"))?;
    Ok(Description {
        short: shown.description.unwrap_or_default(),
        full: shown.full_description.unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_has_a_namespace_and_a_name_and_no_other_host() {
        for text in ["prizz/sandbox", "docker.io/prizz/sandbox"] {
            let repository: HubRepository = text.parse().expect(text);
            assert_eq!(repository.to_string(), "docker.io/prizz/sandbox");
        }
        for text in ["sandbox", "ghcr.io/prizz/sandbox", "ghcr.io/x", "a/b/c", "A/b", "../b", ""] {
            assert!(text.parse::<HubRepository>().is_err(), "{text}");
        }
    }
}
