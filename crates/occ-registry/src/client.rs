//! One repository on one registry.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hyper::header::LOCATION;
use hyper::{HeaderMap, Method};
use occ_oci::{Host, Repository};
use tokio::time::timeout;

use crate::address::{Address, Origin, Scheme};
use crate::auth::{Access, Door, shown};
use crate::error::{Error, Reason};
use crate::keychain::{Credentials, KeychainError};
use crate::patience::{Limit, Patience, Tries};
use crate::settings::Settings;
use crate::wire::{Answer, Letter, Load, Wire};

/// How many small things are asked of one registry, or given to it, at the same time; as many connections are kept.
pub const AT_ONCE: usize = 8;
/// Most redirects of one request that are followed.
const REDIRECTS: usize = 5;

/// The way to registries: settings, and what their clients share.
#[derive(Clone)]
pub struct Registries {
    shared: Arc<Shared>,
}

struct Shared {
    settings: Settings,
    wire: Wire,
    turns: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

impl Registries {
    /// Prepares the way; nothing is read or sent yet.
    pub fn new(settings: Settings) -> Self {
        let wire = Wire::new(settings.authorities.clone(), settings.proxies.clone());
        Self { shared: Arc::new(Shared { settings, wire, turns: Mutex::default() }) }
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    pub(crate) fn wire(&self) -> &Wire {
        &self.shared.wire
    }

    /// Returns who we are to a host, none when nobody knows it.
    ///
    /// # Errors
    /// [`KeychainError`].
    pub async fn credentials(&self, host: &Host) -> Result<Option<Credentials>, KeychainError> {
        self.shared.settings.keychain.credentials(host).await
    }

    /// Returns a client for one repository; nothing is sent yet.
    ///
    /// # Errors
    /// [`Reason::Address`] when the host cannot be an address.
    pub fn client(&self, repository: &Repository) -> Result<Client, Error> {
        let host = repository.host();
        let settings = &self.shared.settings;
        let chosen = settings.schemes.get(host).copied();
        let origin = Origin::of_registry(host, chosen).map_err(|error| Error {
            registry: host.to_string(),
            what: repository.path().to_owned(),
            reason: error.into(),
        })?;
        let path = repository.path().to_owned();
        let door = Arc::new(Door::new(host.clone(), origin.clone(), path));
        let patience = settings.patience.clone();
        let shared = Arc::clone(&self.shared);
        Ok(Client { shared, door, origin, repository: repository.clone(), patience })
    }
}

impl fmt::Debug for Registries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Registries").field(&self.shared.settings).finish()
    }
}

/// One repository on one registry (OCI distribution spec 1.1).
///
/// Clones share what the registry has let in already.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    door: Arc<Door>,
    origin: Origin,
    repository: Repository,
    pub(crate) patience: Patience,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({} at {})", self.repository, self.origin)
    }
}

/// One request as the specification has it.
pub(crate) struct Call {
    /// What it is about, for people.
    pub(crate) what: String,
    pub(crate) method: Method,
    pub(crate) to: Address,
    pub(crate) access: Access,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Load,
    /// The statuses that are a success.
    pub(crate) takes: &'static [u16],
}

/// An answer with its body.
pub(crate) struct Reply {
    pub(crate) answer: Answer,
    pub(crate) body: Bytes,
}

impl Client {
    /// Returns what it is for.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// Returns the registry's host.
    pub fn host(&self) -> &Host {
        self.repository.host()
    }

    /// Returns the same client, which tries everything once.
    #[must_use]
    pub fn once(&self) -> Self {
        Self { patience: self.patience.once(), ..self.clone() }
    }

    /// Returns the same client, which waits so long for other writers of a list (see [`Patience::settle`]).
    #[must_use]
    pub fn settling(&self, settle: Duration) -> Self {
        let mut client = self.clone();
        client.patience.settle = settle;
        client
    }

    /// Returns the size of one piece of an upload, in bytes.
    pub(crate) fn chunk(&self) -> usize {
        self.shared.settings.chunk.max(1)
    }

    /// Describes a request below this repository.
    pub(crate) fn call(&self, method: Method, place: &str, what: impl Into<String>) -> Call {
        let target = format!("/v2/{}/{place}", self.repository.path());
        Call {
            what: what.into(),
            method,
            to: Address { origin: self.origin.clone(), target },
            access: Access::Pull,
            headers: HeaderMap::new(),
            body: Load::none(),
            takes: &[200],
        }
    }

    pub(crate) fn error(&self, what: &str, reason: impl Into<Reason>) -> Error {
        Error {
            registry: self.host().to_string(),
            what: format!("{what} in {}", self.repository.path()),
            reason: reason.into(),
        }
    }

    /// Returns whether an address is on the registry itself.
    pub(crate) fn is_own(&self, address: &Address) -> bool {
        address.origin == self.origin
    }

    /// Waits until no other writer of this process works on the same thing.
    pub(crate) async fn turn(&self, thing: &str) -> tokio::sync::OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.shared.turns.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(turns.entry(format!("{} {thing}", self.repository)).or_default())
        };
        turn.lock_owned().await
    }

    /// Asks until there is an answer with its body, or no try is left.
    pub(crate) async fn fetch(&self, call: &Call, limit: usize) -> Result<Reply, Error> {
        let mut tries = Tries::new(&self.patience, call.body.len());
        loop {
            let asked = async {
                let mut answer = self.ask(call).await?;
                answer.is_plain()?;
                // What it states there is the length of what it would have sent.
                let limit = if call.method == Method::HEAD { usize::MAX } else { limit };
                let body = answer.body(limit).await?;
                Ok(Reply { answer, body })
            };
            match self.within(tries.limit(), asked).await {
                Ok(reply) => return Ok(reply),
                Err(reason) => tries.again(self.error(&call.what, reason)).await?,
            }
        }
    }

    /// Lets work go on for as long as there is time.
    pub(crate) async fn within<T>(
        &self,
        limit: Limit,
        work: impl Future<Output = Result<T, Reason>>,
    ) -> Result<T, Reason> {
        match timeout(limit.left, work).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Reason::Deadline { after: limit.total }),
        }
    }

    /// Asks once, and a second time where the registry wants to know who asks.
    pub(crate) async fn ask(&self, call: &Call) -> Result<Answer, Reason> {
        let mut answer = self.follow(call, self.door.known(&call.access)).await?;
        if answer.status == 401 && self.is_own(&answer.from) {
            let with = (&self.shared.settings, &self.shared.wire);
            let shown = self.door.answer(&answer.headers, &call.access, with).await?;
            answer = self.follow(call, Some(shown)).await?;
        }
        if call.takes.contains(&answer.status.as_u16()) {
            Ok(answer)
        } else {
            Err(answer.refusal().await)
        }
    }

    /// Sends a request and follows where it is led, without credentials anywhere else.
    async fn follow(
        &self,
        call: &Call,
        authorization: Option<hyper::header::HeaderValue>,
    ) -> Result<Answer, Reason> {
        let mut to = call.to.clone();
        for _ in 0..=REDIRECTS {
            let shows = authorization.clone().filter(|_| self.is_own(&to));
            let headers = shown(shows, call.headers.clone());
            let method = call.method.clone();
            let letter = Letter { method, to: &to, headers, body: call.body.clone() };
            let answer = self.shared.wire.send(letter, &self.patience).await?;
            let leads = matches!(answer.status.as_u16(), 301 | 302 | 303 | 307 | 308);
            let is_reading = matches!(call.method, Method::GET | Method::HEAD);
            // A redirect that the specification does not have is an answer like any other.
            if !(leads && is_reading && answer.headers.contains_key(LOCATION)) {
                return Ok(answer);
            }
            let next = answer.location()?;
            if next.origin.scheme == Scheme::Http && next.origin != self.origin {
                let both_here = self.origin.is_loopback() && next.origin.is_loopback();
                if self.origin.scheme == Scheme::Https || !both_here {
                    return Err(Reason::Downgrade { to: next.origin.to_string() });
                }
            }
            to = next;
        }
        Err(Reason::RedirectLoop)
    }
}
