//! What a request shows to prove who sends it: nothing, a name and password, or a token for one
//! repository (distribution project, token authentication).
//!
//! INVARIANT: what is shown goes to the registry's own origin, and credentials to a token service only
//! when that is on the registry's host or is known to belong to it.

mod challenge;
mod token;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use occ_oci::Host;
use tokio::sync::OnceCell;

pub use challenge::ChallengeError;

use challenge::Challenge;
use token::Realm;

use crate::address::{Address, Origin, Scheme};
use crate::error::Reason;
use crate::keychain::Credentials;
use crate::secret::Secret;
use crate::settings::Settings;
use crate::wire::Wire;

/// Token services on another host than their registry's, which are known to belong to it.
const KNOWN_REALMS: [(&str, &str); 1] = [("docker.io", "auth.docker.io")];

/// What a request needs to be allowed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Access {
    /// Reading a repository.
    Pull,
    /// Writing to it.
    Push,
    /// Removing from it.
    Delete,
    /// Writing to it and reading another one on the same host.
    Mount(String),
}

impl Access {
    /// Returns the scopes of a repository. They are ours and not those of the challenge, so that nobody
    /// gets a token for more than what is being done.
    fn scopes(&self, path: &str) -> Vec<String> {
        match self {
            Self::Pull => vec![format!("repository:{path}:pull")],
            Self::Push => vec![format!("repository:{path}:pull,push")],
            Self::Delete => vec![format!("repository:{path}:pull,delete")],
            Self::Mount(from) => {
                let from = format!("repository:{from}:pull");
                vec![format!("repository:{path}:pull,push"), from]
            }
        }
    }
}

/// What one repository of one registry is shown.
pub(crate) struct Door {
    host: Host,
    origin: Origin,
    path: String,
    credentials: OnceCell<Option<Credentials>>,
    shown: Mutex<Shown>,
}

#[derive(Default)]
struct Shown {
    basic: Option<Secret>,
    tokens: BTreeMap<Access, Secret>,
}

impl Door {
    pub(crate) fn new(host: Host, origin: Origin, path: String) -> Self {
        Self { host, origin, path, credentials: OnceCell::new(), shown: Mutex::default() }
    }

    /// Returns what was taken the last time, for a request that needs this.
    pub(crate) fn known(&self, access: &Access) -> Option<HeaderValue> {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let wider = || shown.tokens.get(&Access::Push).filter(|_| *access == Access::Pull);
        match (&shown.basic, shown.tokens.get(access).or_else(wider)) {
            (Some(basic), _) => header("Basic", basic),
            (None, Some(token)) => header("Bearer", token),
            (None, None) => None,
        }
    }

    /// Answers a challenge of the registry: returns what to show it now.
    pub(crate) async fn answer(
        &self,
        challenge: &HeaderMap,
        access: &Access,
        (settings, wire): (&Settings, &Wire),
    ) -> Result<HeaderValue, Reason> {
        let challenges: Vec<_> = challenge.get_all(WWW_AUTHENTICATE).iter().collect();
        let credentials = self.credentials(settings).await?;
        let challenge = Challenge::choose(&challenges)?;
        let secret = match (&challenge, credentials) {
            // What cannot be shown in this way, or is not there.
            (Challenge::Basic, Some(Credentials::Password { user, password })) => {
                Secret::new(STANDARD.encode(format!("{user}:{}", password.expose())))
            }
            (Challenge::Basic, _) => return Err(Reason::Unauthorized),
            (Challenge::Bearer { .. }, Some(Credentials::Registry(token))) => token.clone(),
            (Challenge::Bearer { realm, service }, credentials) => {
                let to = self.realm(realm, credentials.is_some(), settings)?;
                let realm = Realm { to, service: service.as_deref() };
                let scopes = access.scopes(&self.path);
                realm.token(&scopes, credentials, (wire, &settings.patience)).await?
            }
        };
        self.remember(&challenge, access, secret).ok_or(Reason::Unauthorized)
    }

    fn remember(
        &self,
        challenge: &Challenge,
        access: &Access,
        secret: Secret,
    ) -> Option<HeaderValue> {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        match challenge {
            Challenge::Basic => {
                let value = header("Basic", &secret);
                shown.basic = Some(secret);
                value
            }
            Challenge::Bearer { .. } => {
                let value = header("Bearer", &secret);
                shown.tokens.insert(access.clone(), secret);
                value
            }
        }
    }

    async fn credentials(&self, settings: &Settings) -> Result<Option<&Credentials>, Reason> {
        let find = || settings.keychain.credentials(&self.host);
        Ok(self.credentials.get_or_try_init(find).await?.as_ref())
    }

    /// Decides whether a token service may be asked.
    ///
    /// It must be encrypted unless the registry itself is not. Anybody is asked for an anonymous token,
    /// which only the registry will see. Credentials go to the registry's own host, to a service that is
    /// known to be its own, and to one that the settings name; to any other the call fails, because a
    /// registry could otherwise name a collector of passwords.
    fn realm(&self, realm: &str, is_login: bool, settings: &Settings) -> Result<Address, Reason> {
        let to = Address::parse(realm)?;
        let is_own = to.origin == self.origin;
        if to.origin.scheme == Scheme::Http && !is_own {
            let both_here = self.origin.is_loopback() && to.origin.is_loopback();
            if self.origin.scheme == Scheme::Https || !both_here {
                return Err(Reason::Downgrade { to: to.origin.to_string() });
            }
        }
        let is_known = || {
            let names = |(host, realm): &(&str, &str)| {
                self.host.as_str() == *host && to.origin.name == *realm && to.origin.port == 443
            };
            let listed = |(host, realm): &(Host, Host)| {
                *host == self.host && realm.as_str() == to.origin.authority()
            };
            KNOWN_REALMS.iter().any(names) || settings.realms.iter().any(listed)
        };
        if is_login && !is_own && !is_known() {
            return Err(Reason::ForeignRealm { realm: to.origin.to_string() });
        }
        Ok(to)
    }
}

/// Returns the value of `Authorization`, marked so that nothing prints it.
fn header(kind: &str, secret: &Secret) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(format!("{kind} {}", secret.expose())).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Returns headers with this authorization.
pub(crate) fn shown(authorization: Option<HeaderValue>, mut headers: HeaderMap) -> HeaderMap {
    if let Some(value) = authorization {
        headers.insert(AUTHORIZATION, value);
    }
    headers
}
