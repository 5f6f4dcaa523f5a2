//! Everything that keyless signing needs, on a loopback port: a certificate authority (Fulcio), a log of
//! certificates, two logs of signatures (Rekor, old and new kind), a timestamp authority, and the trust
//! root that vouches for them.
//!
//! Traps that are minded: Fulcio answers 200 and may find the token in `Authorization`; an answer of the
//! old log has `ETag` and `Location`; what it logs is the canonical entry, not the proposed one; the first
//! entry is nobody's, because readers take number 0 for a missing one; a timestamp embeds the leaf only.

mod certificate;
mod der;
mod draft;
mod key;
mod log;
mod server;
mod stamp;
mod updates;

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

pub use certificate::{San, Sct, Who};
pub use draft::{Draft, Logged, OldSignature};

use crate::fake_registry::Request;
use certificate::Authority;
use key::{Key, base64};
use log::Log;
use updates::Updates;

/// Seconds of ten years.
const LONG: i64 = 10 * 365 * 24 * 3600;

/// Returns the present moment in seconds since 1970.
pub(super) fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

fn decode(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// Keys and state of one instance.
#[derive(Debug)]
struct Instance {
    root: Authority,
    intermediate: Authority,
    certificates: Key,
    old_log: Log,
    new_log: Log,
    stamp_root: Authority,
    stamper: Authority,
    update_key: Key,
    updates: Option<Updates>,
    requests: Vec<Request>,
}

/// A running instance; dropped, it is gone.
#[derive(Debug)]
pub struct Keyless {
    address: SocketAddr,
    over: Arc<AtomicBool>,
    instance: Arc<Mutex<Instance>>,
    listening: Option<JoinHandle<()>>,
}

fn lock(instance: &Mutex<Instance>) -> MutexGuard<'_, Instance> {
    instance.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Keyless {
    /// Starts an instance with new keys.
    pub fn start() -> Self {
        Self::valid((-LONG, LONG))
    }

    /// Starts an instance whose authority below the root is valid in this time only, in seconds beside
    /// the present moment.
    pub fn valid(lifetime: (i64, i64)) -> Self {
        let now = now();
        let long = (now - LONG, now + LONG);
        let root = Authority::root("bench root", long);
        let intermediate = root.below("bench intermediate", (now + lifetime.0, now + lifetime.1));
        let stamp_root = Authority::root("bench timestamp root", long);
        let stamper = stamp_root.stamper("bench timestamps", long);
        let instance = Arc::new(Mutex::new(Instance {
            root,
            intermediate,
            certificates: Key::new(),
            old_log: Log::new("old.log.bench"),
            new_log: Log::new("new.log.bench"),
            stamp_root,
            stamper,
            update_key: Key::new(),
            updates: None,
            requests: Vec::new(),
        }));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let over = Arc::new(AtomicBool::new(false));
        let kept = (Arc::clone(&instance), Arc::clone(&over));
        let listening = thread::spawn(move || server::listen(&listener, &kept.0, &kept.1));
        Self { address, over, instance, listening: Some(listening) }
    }

    /// Returns the address that all services share.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the requests so far.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.instance).requests.clone()
    }

    /// Makes a bundle.
    pub fn bundle(&self, draft: &Draft) -> Value {
        lock(&self.instance).bundle(draft)
    }

    /// Signs bytes in the old form.
    pub fn old_signature(&self, who: &Who, payload: &[u8]) -> OldSignature {
        lock(&self.instance).old_signature(who, payload)
    }

    /// Signs a statement in the old form.
    pub fn old_attestation(&self, who: &Who, statement: &Value) -> (Value, OldSignature) {
        lock(&self.instance).old_attestation(who, statement)
    }

    /// Returns a token that the certificate authority takes for this workload's; nobody signed it.
    pub fn token(&self, who: &Who) -> String {
        server::token(who)
    }

    /// Lets a trust root be fetched below `/updates`, as this version, until a moment. Returns whom one
    /// begins with (`1.root.json`).
    pub fn offer_root(&self, trusted_root: &Value, version: u32, expires: &str) -> Vec<u8> {
        let mut instance = lock(&self.instance);
        let updates = Updates::of(trusted_root, version, &instance.update_key, expires);
        let first = updates.file("1.root.json").expect("it was just made");
        instance.updates = Some(updates);
        first
    }

    /// Returns the trust root (`trusted_root.json`).
    pub fn trusted_root(&self) -> Value {
        self.trusted_root_since(-LONG)
    }

    /// Returns the trust root, everything in it valid from a moment on, in seconds beside the present one.
    pub fn trusted_root_since(&self, since: i64) -> Value {
        let instance = lock(&self.instance);
        let start = jiff::Timestamp::from_second(now() + since).expect("a moment").to_string();
        let window = json!({ "start": start });
        let url = self.url();
        let chain = |authorities: &[&Authority]| {
            let raw =
                |authority: &&Authority| json!({ "rawBytes": base64(&authority.certificate) });
            json!({ "certificates": authorities.iter().map(raw).collect::<Vec<_>>() })
        };
        let log = |key: &Key, place: &str| {
            json!({
                "baseUrl": format!("{url}{place}"),
                "hashAlgorithm": "SHA2_256",
                "publicKey": {
                    "rawBytes": base64(&key.spki()),
                    "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                    "validFor": window,
                },
                "logId": { "keyId": base64(&key.id()) },
            })
        };
        json!({
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [log(&instance.old_log.key, ""), log(&instance.new_log.key, "/new")],
            "certificateAuthorities": [{
                "subject": { "organization": "bench", "commonName": "bench" },
                "uri": url,
                "certChain": chain(&[&instance.intermediate, &instance.root]),
                "validFor": window,
            }],
            "ctlogs": [log(&instance.certificates, "/certificates")],
            "timestampAuthorities": [{
                "subject": { "organization": "bench", "commonName": "bench" },
                "uri": format!("{url}/api/v1/timestamp"),
                "certChain": chain(&[&instance.stamper, &instance.stamp_root]),
                "validFor": window,
            }],
        })
    }
}

impl Drop for Keyless {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        // The one that listens wakes up by being connected to.
        drop(TcpStream::connect(self.address));
        if let Some(listening) = self.listening.take() {
            drop(listening.join());
        }
    }
}
