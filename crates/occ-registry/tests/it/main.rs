//! The client against a registry that does wrong what it is told, and one suite against that registry and
//! the distribution project's.

mod auth;
mod blobs;
mod conformance;
mod connections;
mod copying;
mod credentials;
mod errands;
mod failover;
mod lists;
mod manifests;
mod material;
mod retries;
mod tls;
mod uploads;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use occ_oci::{ManifestDigest, Repository, Tag};
use occ_registry::{Client, Error, Keychain, Patience, Registries, Settings};

/// The waits that a client would have made, none of which takes any time.
#[derive(Debug, Clone, Default)]
struct Waits(Arc<Mutex<Vec<Duration>>>);

impl Waits {
    /// Whole seconds of each.
    fn seconds(&self) -> Vec<u64> {
        self.0.lock().expect("no panic").iter().map(Duration::as_secs).collect()
    }
}

/// Settings whose waits are only written down.
fn settings() -> (Settings, Waits) {
    let waits = Waits::default();
    let kept = waits.clone();
    let pause = move |time| {
        kept.0.lock().expect("no panic").push(time);
        Box::pin(tokio::task::yield_now()) as std::pin::Pin<Box<dyn Future<Output = ()> + Send>>
    };
    let patience = Patience::new(5).pausing(Arc::new(pause));
    (Settings { patience, ..Settings::new(5) }, waits)
}

fn repository(host: &str, path: &str) -> Repository {
    format!("{host}/{path}").parse().expect("a repository")
}

fn tag(text: &str) -> Tag {
    text.parse().expect("a tag")
}

fn digest(text: &str) -> ManifestDigest {
    text.parse().expect("a digest")
}

fn client_with(settings: Settings, host: &str, path: &str) -> Client {
    Registries::new(settings).client(&repository(host, path)).expect("a client")
}

/// A client without credentials whose waits take no time.
fn client(host: &str, path: &str) -> Client {
    client_with(settings().0, host, path)
}

/// A keychain with a login in Docker's configuration, in a folder that lasts as long as what is returned
/// with it.
fn logged_in(host: &str, user: &str, password: &str) -> (Keychain, tempfile::TempDir) {
    let file = serde_json::json!({ "auths": { host: { "username": user, "password": password } } });
    keychain(&file)
}

/// A keychain with this configuration of Docker.
fn keychain(file: &serde_json::Value) -> (Keychain, tempfile::TempDir) {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("config.json"), file.to_string()).expect("a file");
    let keychain =
        Keychain { docker_config_dir: Some(dir.path().to_owned()), ..Keychain::default() };
    (keychain, dir)
}

/// Everything that an error says, causes and fields included.
fn told(error: &Error) -> String {
    let mut told = format!("{error:?} {error}");
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        told.push_str(&format!(": {error}"));
        cause = error.source();
    }
    told
}
