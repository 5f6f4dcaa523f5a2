//! How registries are reached: who we are, whom we trust, how long we wait.

use std::collections::BTreeMap;

use occ_oci::Host;

use crate::address::Scheme;
use crate::keychain::Keychain;
use crate::patience::Patience;
use crate::wire::{Authorities, Proxies};

/// How registries are reached. Everything of the environment and of the machine comes in here.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where credentials are looked for.
    pub keychain: Keychain,
    /// Who may vouch for a registry.
    pub authorities: Authorities,
    /// What lies between.
    pub proxies: Proxies,
    /// Hosts of which somebody said whether they are encrypted. Of the others only those on loopback
    /// are spoken to without encryption.
    pub schemes: BTreeMap<Host, Scheme>,
    /// Token services that may be shown the credentials for a registry on another host, as pairs of
    /// registry and service. The service of Docker Hub is known.
    pub realms: Vec<(Host, Host)>,
    /// How long we wait.
    pub patience: Patience,
    /// Size of one piece of an upload, in bytes: what is sent again at most where a connection breaks. A blob
    /// that is no larger travels whole. It is read while it is sent, and never held.
    pub chunk: usize,
}

impl Settings {
    /// Returns settings with the system's authorities, and without credentials, proxies or exceptions;
    /// `seed` decides the jitter of waits.
    pub fn new(seed: u64) -> Self {
        Self {
            keychain: Keychain::default(),
            authorities: Authorities::of_system(),
            proxies: Proxies::none(),
            schemes: BTreeMap::new(),
            realms: Vec::new(),
            patience: Patience::new(seed),
            chunk: 256 * 1024 * 1024,
        }
    }
}
