//! The hosts that sandboxes may run on, as a person named them.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use occ_engine::{DEFAULT_SOCKET, Endpoint};
use occ_sandbox::{private_dir, replace};
use serde::{Deserialize, Serialize};

use crate::exit::Exit;
use crate::failure::Failure;

/// A validated name of a host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct HostName(String);

impl HostName {
    /// Returns the name as typed.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for HostName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let inner = text.chars().all(|c| letter(c) || c == '-');
        if (1..=32).contains(&text.len()) && inner && text.starts_with(letter) {
            return Ok(Self(text.to_owned()));
        }
        Err("a host's name has 1 to 32 of a-z, 0-9 and -, and starts with a letter or digit")
    }
}

impl TryFrom<String> for HostName {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<HostName> for String {
    fn from(name: HostName) -> Self {
        name.0
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where `ssh` leads: `ssh://[USER@]HOST[:PORT]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct SshUrl {
    /// User, the one `ssh` would choose when `None`.
    pub(crate) user: Option<String>,
    /// Name as `ssh` takes it, an alias of its configuration too.
    pub(crate) host: String,
    /// Port, the one `ssh` would choose when `None`.
    pub(crate) port: Option<u16>,
}

impl FromStr for SshUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match Endpoint::parse(text, None)? {
            Endpoint::Ssh { user, host, port } => Ok(Self { user, host, port }),
            _ => Err("it must be ssh://[USER@]HOST[:PORT]".to_owned()),
        }
    }
}

impl TryFrom<String> for SshUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<SshUrl> for String {
    fn from(url: SshUrl) -> Self {
        url.to_string()
    }
}

impl fmt::Display for SshUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user, host, port } = self.clone();
        Endpoint::Ssh { user, host, port }.fmt(f)
    }
}

/// One host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Host {
    /// What a person calls it.
    pub(crate) name: HostName,
    /// Where it is.
    pub(crate) url: SshUrl,
    /// Where its engine listens there.
    pub(crate) socket: PathBuf,
}

/// All hosts, in one file.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hosts {
    hosts: BTreeMap<HostName, Entry>,
}

/// What the file says of one host.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    url: SshUrl,
    #[serde(skip_serializing_if = "Option::is_none")]
    socket: Option<PathBuf>,
}

impl Hosts {
    /// Reads the file; none is no hosts.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let broken = |why: String| {
            let message = format!("the file of hosts cannot be read: {}", path.display());
            let mut failure = Failure::new(Exit::Config, message);
            failure.causes.push(why);
            failure.hint(format!("mend it, or begin anew: rm {}", path.display()))
        };
        match std::fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| broken(error.to_string())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(broken(error.to_string())),
        }
    }

    /// Writes the file.
    pub(crate) fn write(&self, path: &Path) -> Result<(), Failure> {
        if let Some(folder) = path.parent() {
            private_dir(folder)?;
        }
        let text = serde_json::to_string_pretty(self).expect("names and addresses become JSON");
        Ok(replace(path, format!("{text}\n").as_bytes(), 0o600)?)
    }

    /// Returns the host of this name.
    pub(crate) fn get(&self, name: &HostName) -> Result<Host, Failure> {
        let entry = self.hosts.get(name).ok_or_else(|| self.unknown(name))?;
        Ok(host(name, entry))
    }

    /// Returns every host, sorted by name.
    pub(crate) fn all(&self) -> Vec<Host> {
        self.hosts.iter().map(|(name, entry)| host(name, entry)).collect()
    }

    /// Adds a host; returns whether anything is different now.
    pub(crate) fn add(
        &mut self,
        name: HostName,
        url: SshUrl,
        socket: Option<PathBuf>,
    ) -> Result<bool, Failure> {
        if let Some(there) = self.hosts.get(&name) {
            if there.url == url && there.socket == socket {
                return Ok(false);
            }
            let message = format!("there is a host of that name already: {name} ({})", there.url);
            return Err(Failure::new(Exit::Failed, message)
                .hint(format!("take it away first: occ host remove {name}")));
        }
        self.hosts.insert(name, Entry { url, socket });
        Ok(true)
    }

    /// Takes a host away.
    pub(crate) fn remove(&mut self, name: &HostName) -> Result<(), Failure> {
        self.hosts.remove(name).map(drop).ok_or_else(|| self.unknown(name))
    }

    fn unknown(&self, name: &HostName) -> Failure {
        let failure = Failure::new(Exit::Usage, format!("there is no host of that name: {name}"));
        let known: Vec<_> = self.hosts.keys().map(HostName::as_str).collect();
        let failure = failure.hint(format!("add it: occ host add {name} ssh://USER@HOST"));
        if known.is_empty() {
            failure
        } else {
            failure.hint(format!("known: {}", known.join(", ")))
        }
    }
}

fn host(name: &HostName, entry: &Entry) -> Host {
    let socket = entry.socket.clone().unwrap_or_else(|| DEFAULT_SOCKET.into());
    Host { name: name.clone(), url: entry.url.clone(), socket }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> SshUrl {
        text.parse().expect("an address")
    }

    #[test]
    fn a_name_is_safe_as_the_name_of_a_folder_and_an_argument() {
        for name in ["", ".", "..", "a/b", "-a", "A", "a b", "ä"] {
            assert!(name.parse::<HostName>().is_err(), "{name}");
        }
        assert_eq!("build-2".parse::<HostName>().expect("valid").as_str(), "build-2");
    }

    #[test]
    fn only_addresses_of_ssh_are_taken_and_none_that_ssh_could_take_for_an_option() {
        assert_eq!(url("ssh://me@far.lan:2222").to_string(), "ssh://me@far.lan:2222");
        for text in ["tcp://far.lan:1", "far.lan", "ssh://-oProxyCommand=x", "ssh://"] {
            assert!(text.parse::<SshUrl>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_host_is_kept_as_it_was_added_and_never_replaced_in_silence() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("a/hosts.json");
        let name: HostName = "far".parse().expect("valid");
        let mut hosts = Hosts::read(&file).expect("none yet");
        assert!(hosts.add(name.clone(), url("ssh://far.lan"), None).expect("new"));
        hosts.write(&file).expect("written");
        let mut hosts = Hosts::read(&file).expect("one");
        let found = hosts.get(&name).expect("there");
        assert_eq!((found.url, found.socket), (url("ssh://far.lan"), DEFAULT_SOCKET.into()));
        assert!(!hosts.add(name.clone(), url("ssh://far.lan"), None).expect("the same"));
        assert!(hosts.add(name.clone(), url("ssh://near.lan"), None).is_err());
        hosts.remove(&name).expect("it was there");
        assert!(hosts.get(&name).is_err());
    }
}
