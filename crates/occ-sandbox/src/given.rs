//! What a sandbox is given of its host beside the workspace: folders, environment, secrets, a proxy,
//! certificates, an SSH agent, a name for commits.

use std::collections::BTreeMap;
use std::path::PathBuf;

use occ_engine::Mount;
use occ_image::guest;
use serde_json::{Value, json};

use crate::certificates::{self, Certificates};
use crate::mount::{Access, FolderMount};
use crate::proxy::{EXCEPT, PROXIES, Proxy, except_inside};
use crate::secret::{SecretRef, SecretValue};
use crate::spec::Owner;

/// What a sandbox is given of its host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Given {
    /// Folders, each at a place of its own.
    pub mounts: Vec<FolderMount>,
    /// Variables that everybody may see who may ask the engine.
    pub env: BTreeMap<String, String>,
    /// Variables whose values only the server sees, by name.
    pub secrets: BTreeMap<String, SecretRef>,
    /// The host's proxy.
    pub proxy: Found<Proxy>,
    /// Certificates of authorities that the host trusts.
    pub certificates: Found<Certificates>,
    /// The socket of the person's SSH agent.
    pub ssh_agent: Found<SshAgent>,
    /// The person's name and address for commits.
    pub git_identity: Found<GitIdentity>,
}

/// Something that is passed on when it is wanted and the host has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Found<T> {
    /// It is not wanted.
    #[default]
    Unwanted,
    /// The host has none.
    Missing,
    /// This is it.
    There(T),
}

/// The socket of an SSH agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshAgent {
    /// The socket.
    pub socket: PathBuf,
    /// Whose it is.
    pub owner: Owner,
}

/// A name and an address for commits, as the host's git knows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitIdentity {
    /// `user.name`.
    pub name: Option<String>,
    /// `user.email`.
    pub email: Option<String>,
}

impl<T> Found<T> {
    /// Returns it, when it is there.
    pub fn there(&self) -> Option<&T> {
        if let Self::There(found) = self { Some(found) } else { None }
    }

    /// Returns what a container remembers of it.
    fn shown(&self, show: impl Fn(&T) -> Value) -> Value {
        match self {
            Self::Unwanted => json!("none"),
            Self::Missing => json!({ "found": null }),
            Self::There(found) => json!({ "found": show(found) }),
        }
    }
}

/// Returns whether two values of a setting differ only in what was found on the host. It may be another
/// place or login from which `occ` is called; what runs is not replaced for that.
pub(crate) fn only_found(one: &Value, other: &Value) -> bool {
    let is_found = |value: &Value| value.as_object().is_some_and(|map| map.contains_key("found"));
    is_found(one) && is_found(other)
}

impl Given {
    /// Returns whose files the sandbox can write in its mounts, when there is one with write access.
    pub(crate) fn owner(&self) -> Option<Owner> {
        let writable = self.mounts.iter().find(|mount| mount.access == Access::ReadWrite);
        writable.map(|mount| mount.owner)
    }

    /// Returns what a container keeps of it for life, by the names of the settings.
    pub(crate) fn fixed(&self) -> [(&'static str, Value); 7] {
        let mounts: Vec<String> = self.mounts.iter().map(ToString::to_string).collect();
        let secrets: BTreeMap<_, _> =
            self.secrets.iter().map(|(name, from)| (name, from.shown())).collect();
        let identity = |found: &GitIdentity| json!([found.name, found.email]);
        [
            ("ca_certificates", self.certificates.shown(|found| json!(found.sources))),
            ("container_env", json!(self.env)),
            ("git_identity", self.git_identity.shown(identity)),
            ("mounts", json!(mounts)),
            ("proxy", self.proxy.shown(Proxy::shown)),
            ("secrets", json!(secrets)),
            ("ssh_agent", self.ssh_agent.shown(|found| json!(found.socket))),
        ]
    }

    /// Returns the container's further environment; what a person set wins over what was found.
    pub(crate) fn environment(&self) -> BTreeMap<String, String> {
        let mut env = BTreeMap::new();
        if let Some(proxy) = self.proxy.there() {
            env.extend(proxy.open.clone());
        }
        if self.certificates.there().is_some() {
            let file = guest::CERTIFICATES_FILE;
            env.extend(certificates::VARIABLES.map(|name| (name.to_owned(), file.to_owned())));
        }
        if self.ssh_agent.there().is_some() {
            env.insert("SSH_AUTH_SOCK".to_owned(), guest::SSH_AGENT.to_owned());
        }
        env.extend(self.env.clone());
        let named = |name: &str| env.contains_key(name) || self.secrets.contains_key(name);
        if PROXIES.iter().any(|(upper, lower)| named(upper) || named(lower)) {
            for name in [EXCEPT.0, EXCEPT.1] {
                let list = except_inside(env.get(name).map_or("", String::as_str));
                env.insert(name.to_owned(), list);
            }
        }
        env
    }

    /// Returns the variables that only the server is to see.
    pub(crate) fn hidden(
        &self,
        secrets: &BTreeMap<String, SecretValue>,
    ) -> BTreeMap<String, SecretValue> {
        let proxy = self.proxy.there().map(|proxy| &proxy.hidden).into_iter().flatten();
        let mut hidden: BTreeMap<String, SecretValue> = proxy
            .filter(|(name, _)| !self.env.contains_key(*name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        hidden.extend(secrets.clone());
        hidden
    }

    /// Returns the container's further mounts.
    pub(crate) fn mounts(&self) -> Vec<Mount> {
        let folders = self.mounts.iter().map(|mount| Mount::Bind {
            source: mount.source.clone(),
            target: mount.target.clone(),
            read_only: mount.access == Access::ReadOnly,
        });
        let agent = self.ssh_agent.there().map(|agent| Mount::Bind {
            source: agent.socket.clone(),
            target: guest::SSH_AGENT.to_owned(),
            read_only: false,
        });
        folders.chain(agent).collect()
    }
}

impl GitIdentity {
    /// Returns it as git's configuration, git-config(1).
    pub(crate) fn config(&self) -> String {
        let line = |key: &str, value: &Option<String>| {
            let value = value.as_ref()?.replace('\\', r"\\").replace('"', "\\\"");
            let value = value.replace(|c: char| c.is_control(), " ");
            Some(format!("\t{key} = \"{value}\"\n"))
        };
        let lines = [line("name", &self.name), line("email", &self.email)];
        format!("[user]\n{}", lines.into_iter().flatten().collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(address: &str) -> Found<Proxy> {
        let look = Proxy::find(|name| (name == "HTTP_PROXY").then(|| address.to_owned()));
        Found::There(look.proxy.expect("a proxy"))
    }

    #[test]
    fn what_a_person_set_wins_over_what_was_found() {
        let env = BTreeMap::from([
            ("HTTP_PROXY".to_owned(), "http://other:1".to_owned()),
            ("NO_PROXY".to_owned(), "example.com".to_owned()),
        ]);
        let given = Given { env, proxy: proxy("http://proxy:3128"), ..Given::default() };
        let env = given.environment();
        assert_eq!(env["HTTP_PROXY"], "http://other:1");
        assert_eq!(env["http_proxy"], "http://proxy:3128");
        assert_eq!(env["NO_PROXY"], "example.com,localhost,127.0.0.1,::1");
    }

    #[test]
    fn a_proxy_with_a_password_is_only_for_the_server_and_never_in_what_the_container_remembers() {
        let given = Given { proxy: proxy("http://ann:hunter2@proxy:1"), ..Given::default() };
        let shown = format!("{:?} {:?} {given:?}", given.environment(), given.fixed());
        assert!(!shown.contains("hunter2"), "{shown}");
        let hidden = given.hidden(&BTreeMap::new());
        assert_eq!(hidden["HTTP_PROXY"].expose(), "http://ann:hunter2@proxy:1");
        let env = BTreeMap::from([("HTTP_PROXY".to_owned(), "http://mine:1".to_owned())]);
        let hidden = Given { env, ..given }.hidden(&BTreeMap::new());
        assert_eq!(hidden.keys().collect::<Vec<_>>(), ["http_proxy"]);
    }

    #[test]
    fn a_proxy_set_by_hand_is_not_used_for_the_inside_either() {
        let env = BTreeMap::from([("https_proxy".to_owned(), "http://proxy:1".to_owned())]);
        let env = Given { env, ..Given::default() }.environment();
        assert_eq!(env["no_proxy"], "localhost,127.0.0.1,::1");
        assert_eq!(Given::default().environment(), BTreeMap::new());
    }

    #[test]
    fn a_name_for_commits_cannot_write_other_settings() {
        let name = Some("Ann \"A\\\" \n[core]\n\teditor = rm".to_owned());
        let text = GitIdentity { name, email: Some("ann@example.com".into()) }.config();
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.contains("\temail = \"ann@example.com\"\n"), "{text}");
        assert!(text.contains(r#"name = "Ann \"A\\\"  [core]"#), "{text}");
    }

    #[test]
    fn what_is_found_elsewhere_is_no_difference_but_what_is_wanted_is() {
        let value =
            |found: Found<Proxy>| Given { proxy: found, ..Given::default() }.fixed()[4].1.clone();
        let (there, missing) = (value(proxy("http://a:1")), value(Found::Missing));
        assert!(only_found(&there, &missing) && there != missing);
        assert!(!only_found(&there, &value(Found::Unwanted)));
        assert!(!only_found(&json!({}), &json!({})));
    }
}
