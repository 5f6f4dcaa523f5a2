//! Settings of containers that are different.

use std::collections::{BTreeMap, BTreeSet};

use occ_oci::RunConfig;
use serde::Serialize;

/// A setting that is not the same in two images.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SettingChange {
    /// Its name, such as `user`, `env.PATH` or `label.org.opencontainers.image.version`.
    pub name: String,
    /// What it was; none if it was not set.
    pub before: Option<String>,
    /// What it is; none if it is not set.
    pub after: Option<String>,
}

pub(super) fn compare(before: &RunConfig, after: &RunConfig) -> Vec<SettingChange> {
    let (mut before, mut after) = (settings(before), settings(after));
    let names: BTreeSet<String> = before.keys().chain(after.keys()).cloned().collect();
    names
        .into_iter()
        .map(|name| {
            let (before, after) = (before.remove(&name), after.remove(&name));
            SettingChange { name, before, after }
        })
        .filter(|change| change.before != change.after)
        .collect()
}

fn settings(run: &RunConfig) -> BTreeMap<String, String> {
    let set = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(" ");
    let mut settings: BTreeMap<String, String> = [
        ("user", run.user.clone()),
        ("folder", run.working_dir.clone()),
        ("entrypoint", words(&run.entrypoint)),
        ("command", words(&run.cmd)),
        ("ports", set(&run.exposed_ports)),
        ("volumes", set(&run.volumes)),
        ("stop-signal", run.stop_signal.clone()),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    for line in &run.env {
        let (name, value) = line.split_once('=').unwrap_or((line, ""));
        settings.insert(format!("env.{name}"), value.to_owned());
    }
    for (name, value) in &run.labels {
        settings.insert(format!("label.{name}"), value.clone());
    }
    settings
}

/// `a b` as one word is not `a` and `b`.
fn words(words: &[String]) -> String {
    let is_plain = |word: &String| !word.is_empty() && !word.contains(char::is_whitespace);
    let quoted = |word: &String| if is_plain(word) { word.clone() } else { format!("{word:?}") };
    words.iter().map(quoted).collect::<Vec<_>>().join(" ")
}
