//! Docker's `config.json`, as far as it is about credentials.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use occ_oci::Host;
use serde::Deserialize;

use super::{Credentials, KeychainError};
use crate::secret::Secret;

/// How Docker calls its default registry in this file and to helpers.
const DEFAULT_KEY: &str = "https://index.docker.io/v1/";

/// Returns how a host is called in the file and to helpers.
pub(super) fn key(host: &Host) -> String {
    if host.is_default() { DEFAULT_KEY.to_owned() } else { host.to_string() }
}

/// Docker's configuration.
pub(super) struct DockerConfig {
    path: PathBuf,
    file: File,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct File {
    auths: BTreeMap<String, Entry>,
    creds_store: String,
    cred_helpers: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
    registrytoken: String,
}

impl DockerConfig {
    /// Reads the file; none when there is none.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, KeychainError> {
        let text = match std::fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(KeychainError::Read { path: path.to_owned(), source }),
        };
        // The parser's own words may repeat a value of the file.
        let file = serde_json::from_slice(&text).map_err(|error| KeychainError::Shape {
            path: path.to_owned(),
            line: error.line(),
            column: error.column(),
        })?;
        Ok(Some(Self { path: path.to_owned(), file }))
    }

    /// Returns what the file itself has for a host. An entry without a secret only says that a helper
    /// has it.
    pub(super) fn entry(&self, host: &Host) -> Result<Option<Credentials>, KeychainError> {
        let exact = self.file.auths.get(&key(host));
        let entry = exact.or_else(|| {
            let mut auths = self.file.auths.iter();
            auths.find(|(key, _)| host_of(key).as_ref() == Some(host)).map(|(_, entry)| entry)
        });
        let Some(entry) = entry else { return Ok(None) };
        let wrong = || KeychainError::Entry { path: self.path.clone(), host: host.to_string() };
        entry.credentials().map_err(|Contradiction| wrong())
    }

    /// Returns the name of the helper for a host.
    pub(super) fn helper(&self, host: &Host) -> Option<&str> {
        let own = self.file.cred_helpers.iter();
        let mut own = own.filter(|(key, _)| host_of(key).as_ref() == Some(host));
        let name = own.next().map_or(self.file.creds_store.as_str(), |(_, name)| name);
        Some(name).filter(|name| !name.is_empty())
    }
}

/// An entry says two things at once, or nothing that can be read.
struct Contradiction;

impl Entry {
    fn credentials(&self) -> Result<Option<Credentials>, Contradiction> {
        let stated = (!self.username.is_empty() || !self.password.is_empty())
            .then(|| (self.username.clone(), self.password.clone()));
        let packed = if self.auth.is_empty() { None } else { Some(unpack(&self.auth)?) };
        if let (Some(stated), Some(packed)) = (&stated, &packed)
            && stated != packed
        {
            return Err(Contradiction);
        }
        if !self.identitytoken.is_empty() {
            return Ok(Some(Credentials::Identity(Secret::new(&self.identitytoken))));
        }
        if !self.registrytoken.is_empty() {
            return Ok(Some(Credentials::Registry(Secret::new(&self.registrytoken))));
        }
        Ok(packed.or(stated).map(|(user, password)| Credentials::Password {
            user,
            password: Secret::new(password),
        }))
    }
}

/// Reads `auth`: base64 of name, colon and password; Docker itself pads it with zero bytes at times.
fn unpack(auth: &str) -> Result<(String, String), Contradiction> {
    let bytes = STANDARD.decode(auth).map_err(|_| Contradiction)?;
    let text = String::from_utf8(bytes).map_err(|_| Contradiction)?;
    let (user, password) = text.split_once(':').ok_or(Contradiction)?;
    if user.is_empty() {
        return Err(Contradiction);
    }
    Ok((user.to_owned(), password.trim_end_matches('\0').to_owned()))
}

/// Returns the host that a key of the file means: old versions wrote whole addresses.
fn host_of(key: &str) -> Option<Host> {
    let rest = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    rest.split('/').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(file: &str, host: &str) -> Result<Option<Credentials>, KeychainError> {
        let file = serde_json::from_str(file).expect("a file");
        let config = DockerConfig { path: "config.json".into(), file };
        config.entry(&host.parse().expect("a host"))
    }

    fn password(user: &str, password: &str) -> Credentials {
        Credentials::Password { user: user.to_owned(), password: Secret::new(password) }
    }

    #[test]
    fn every_spelling_of_a_host_is_the_same_host_and_no_other() {
        let auth = STANDARD.encode("me:pass:word");
        for key in ["ghcr.io", "https://ghcr.io", "https://ghcr.io/v2/"] {
            let file = format!(r#"{{"auths": {{"{key}": {{"auth": "{auth}"}}}}}}"#);
            assert_eq!(entry(&file, "ghcr.io").ok().flatten(), Some(password("me", "pass:word")));
            for other in ["evil.ghcr.io", "ghcr.io:8443", "ghcr.io.evil.example", "docker.io"] {
                assert_eq!(entry(&file, other).ok(), Some(None), "{key} {other}");
            }
        }
        let file = format!(r#"{{"auths": {{"{DEFAULT_KEY}": {{"auth": "{auth}"}}}}}}"#);
        assert_eq!(entry(&file, "docker.io").ok().flatten(), Some(password("me", "pass:word")));
    }

    #[test]
    fn attack_21_an_entry_that_says_two_things_is_believed_in_neither() {
        let auth = STANDARD.encode("me:one");
        let file = format!(
            r#"{{"auths": {{"a.example": {{"auth": "{auth}", "username": "me", "password": "two"}}}}}}"#
        );
        let error = entry(&file, "a.example").expect_err("a contradiction");
        assert!(matches!(error, KeychainError::Entry { .. }));
        let same = file.replace("two", "one");
        assert_eq!(entry(&same, "a.example").ok().flatten(), Some(password("me", "one")));
        for broken in ["!!!", &STANDARD.encode("nobody"), &STANDARD.encode(":nameless")] {
            let file = format!(r#"{{"auths": {{"a.example": {{"auth": "{broken}"}}}}}}"#);
            assert!(entry(&file, "a.example").is_err(), "{broken}");
        }
    }

    #[test]
    fn tokens_are_told_apart_and_an_empty_entry_says_nothing() {
        let file = r#"{"auths": {
            "a.example": {"identitytoken": "i"}, "b.example": {"registrytoken": "r"}, "c.example": {}
        }}"#;
        let found = |host| entry(file, host).ok().flatten();
        assert_eq!(found("a.example"), Some(Credentials::Identity(Secret::new("i"))));
        assert_eq!(found("b.example"), Some(Credentials::Registry(Secret::new("r"))));
        assert_eq!(found("c.example"), None);
    }

    #[test]
    fn a_hosts_own_helper_comes_before_the_one_for_all() {
        let file = r#"{"credsStore": "all", "credHelpers": {"a.example": "own"}}"#;
        let config =
            DockerConfig { path: "x".into(), file: serde_json::from_str(file).expect("a file") };
        let helper = |host: &str| config.helper(&host.parse().expect("a host"));
        assert_eq!(helper("a.example"), Some("own"));
        assert_eq!(helper("b.example"), Some("all"));
    }
}
