//! Flags that give a sandbox something of this host, and what of them holds for later starts.

use std::collections::BTreeMap;

use clap::Args;
use occ_sandbox::looks_secret;
use serde_json::{Value, json};

use crate::commands::env::better_secret;
use crate::config::{Layers, check_entry, find, overlay};
use crate::failure::Failure;

/// Flags of a start. Folders, variables and secrets are added to those of the config, and the sandbox keeps them.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct GivenArgs {
    /// Folder of this host that this sandbox sees too, at a place inside (by itself in the workspace)
    #[arg(long = "mount", value_name = "HOST:CONTAINER[:ro|rw]")]
    mounts: Vec<String>,
    /// See none of the folders, those of the config included, until --config-mounts
    #[arg(long)]
    no_mounts: bool,
    /// See the folders of the config again
    #[arg(long, conflicts_with = "no_mounts")]
    config_mounts: bool,
    /// Variable of this sandbox; anybody who may ask the container engine sees it
    #[arg(long = "env", value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// Secret variable of this sandbox: NAME=file:PATH, NAME=env:VARIABLE or NAME=cmd:COMMAND
    #[arg(long = "secret", value_name = "NAME=WHERE")]
    secrets: Vec<String>,
    /// Let the sandbox use your SSH agent
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    ssh_agent: Option<bool>,
    /// Let the sandbox commit under your name
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    git_identity: Option<bool>,
}

/// Settings that are added to, not replaced.
pub(in crate::commands) const LISTS: [&str; 3] = ["container_env", "mounts", "secrets"];

/// What a sandbox remembers when it sees none of the config's folders.
const NO_MOUNTS: &str = "no_mounts";

impl GivenArgs {
    /// Checks the entries; a secret that was written out is not repeated.
    pub(super) fn check(&self) -> Result<(), Failure> {
        for name in LISTS {
            let kind = find(name).expect("in the table").kind;
            for entry in self.entries(name) {
                check_entry(kind, entry).map_err(Failure::usage)?;
            }
        }
        Ok(())
    }

    /// Lays the flags that are settings of their own over the others.
    pub(super) fn lay(&self, layers: &mut Layers) {
        layers.flag("ssh_agent", self.ssh_agent.map(Value::Bool));
        layers.flag("git_identity", self.git_identity.map(Value::Bool));
    }

    /// Returns what to say about variables that everybody would see.
    pub(super) fn warnings(&self) -> Vec<String> {
        let pairs = self.env.iter().filter_map(|entry| entry.split_once('='));
        let secret = pairs.filter(|(name, value)| looks_secret(name, value));
        secret.map(|(name, _)| better_secret(name)).collect()
    }

    fn entries(&self, name: &str) -> &[String] {
        match name {
            "mounts" => &self.mounts,
            "container_env" => &self.env,
            _ => &self.secrets,
        }
    }

    /// Adds what flags give, now and before, to the lists, and returns what later starts have to know.
    pub(super) fn remember(
        &self,
        layers: &mut Layers,
        before: &BTreeMap<String, Value>,
    ) -> BTreeMap<String, Value> {
        let mut said = BTreeMap::new();
        let was_without = before.get(NO_MOUNTS) == Some(&Value::Bool(true));
        let without = self.no_mounts || (was_without && !self.config_mounts);
        for name in LISTS {
            let kind = find(name).expect("in the table").kind;
            let kept = if name == "mounts" && self.no_mounts {
                Vec::new()
            } else {
                texts(before.get(name))
            };
            let own = overlay(kind, &kept, self.entries(name));
            let config = if name == "mounts" && without { Vec::new() } else { layers.list(name) };
            layers.flag(name, Some(json!(overlay(kind, &config, &own))));
            if !own.is_empty() {
                said.insert(name.to_owned(), json!(own));
            }
        }
        if without {
            said.insert(NO_MOUNTS.to_owned(), Value::Bool(true));
        }
        said
    }
}

/// Returns the texts of a list.
pub(in crate::commands) fn texts(list: Option<&Value>) -> Vec<String> {
    let items = list.and_then(Value::as_array).into_iter().flatten();
    items.filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ConfigFile;

    fn layers(mounts: &[&str]) -> Layers {
        let file = ConfigFile::read(std::path::Path::new("/nonexistent/config.json"));
        let mut layers = Layers::new(&file.expect("it says nothing"), |_| None).expect("valid");
        layers.flag("mounts", Some(json!(mounts)));
        layers
    }

    fn mounting(mounts: &[&str]) -> GivenArgs {
        let mounts = mounts.iter().map(|mount| (*mount).to_owned()).collect();
        GivenArgs { mounts, ..GivenArgs::default() }
    }

    #[test]
    fn pm_001_a_mount_of_a_flag_is_added_to_those_of_the_config_and_kept_for_later_starts() {
        let mut first = layers(&["/a:/x"]);
        let said = mounting(&["/b:/y"]).remember(&mut first, &BTreeMap::new());
        assert_eq!(first.list("mounts"), ["/a:/x", "/b:/y"]);
        let mut second = layers(&["/a:/x"]);
        let said = mounting(&["/c:/y"]).remember(&mut second, &said);
        assert_eq!(second.list("mounts"), ["/a:/x", "/c:/y"]);
        assert_eq!(said, BTreeMap::from([("mounts".to_owned(), json!(["/c:/y"]))]));
    }

    #[test]
    fn pm_001_no_mounts_holds_until_the_configs_are_wanted_again() {
        let none = GivenArgs { no_mounts: true, ..mounting(&["/only:/this"]) };
        let before = BTreeMap::from([("mounts".to_owned(), json!(["/b:/y"]))]);
        let mut layered = layers(&["/a:/x"]);
        let said = none.remember(&mut layered, &before);
        assert_eq!(layered.list("mounts"), ["/only:/this"]);

        let mut later = layers(&["/a:/x"]);
        let said = GivenArgs::default().remember(&mut later, &said);
        assert_eq!(later.list("mounts"), ["/only:/this"]);

        let again = GivenArgs { config_mounts: true, ..GivenArgs::default() };
        let mut last = layers(&["/a:/x"]);
        let said = again.remember(&mut last, &said);
        assert_eq!(last.list("mounts"), ["/a:/x", "/only:/this"]);
        assert!(!said.contains_key(NO_MOUNTS));
    }

    #[test]
    fn a_secret_that_was_written_out_is_refused_and_not_repeated() {
        let secrets = vec!["TOKEN=hunter2".to_owned()];
        let failure = GivenArgs { secrets, ..GivenArgs::default() }.check().expect_err("a value");
        assert!(!failure.render().contains("hunter2"), "{}", failure.render());
    }
}
