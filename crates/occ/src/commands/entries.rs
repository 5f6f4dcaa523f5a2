//! Lists in the config file, one entry at a time, with what a sandbox remembers of earlier flags.

use occ_sandbox::Record;
use serde::Serialize;
use serde_json::{Value, json};

use super::start::{LISTS, texts};
use crate::config::{ConfigFile, Key, check_entry, find, subject};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Who gave an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Giver {
    /// The config file, or a variable in its place.
    Config,
    /// A flag of a start; the sandbox remembers it.
    Cli,
}

impl Giver {
    /// Returns the word for it.
    pub(super) fn word(self) -> &'static str {
        if self == Self::Config { "config" } else { "cli" }
    }
}

fn key(name: &str) -> &'static Key {
    find(name).filter(|key| LISTS.contains(&key.name)).expect("a list in the table")
}

/// Returns every entry with who gave it, as the next start will see them.
pub(super) fn all(name: &str, context: &Context) -> Result<Vec<(String, Giver)>, Failure> {
    let kind = key(name).kind;
    let own = texts(context.home().record().0.as_ref().and_then(|record| record.said.get(name)));
    let is_own = |entry: &String| own.iter().any(|o| subject(kind, o) == subject(kind, entry));
    let config = context.layers()?.list(name);
    let mut all: Vec<(String, Giver)> = Vec::new();
    for entry in config.into_iter().filter(|entry| !is_own(entry)) {
        // The last of several for one thing holds.
        all.retain(|(other, _)| subject(kind, other) != subject(kind, &entry));
        all.push((entry, Giver::Config));
    }
    all.extend(own.into_iter().map(|entry| (entry, Giver::Cli)));
    Ok(all)
}

/// Writes entries to the config file, each in the place of an earlier one for the same thing; comments stay.
pub(super) fn set(name: &str, entries: &[String], context: &Context) -> Result<Exit, Failure> {
    let key = key(name);
    for entry in entries {
        check_entry(key.kind, entry).map_err(Failure::usage)?;
    }
    let path = context.env.config_file();
    let mut file = ConfigFile::read(&path)?;
    for entry in entries {
        let about = subject(key.kind, entry);
        file = file.with_entry(key.name, entry, |other| subject(key.kind, other) == about);
    }
    super::config::write(file.text(), context)?;
    changed(name, &json!({ "set": entries, "path": path }), context)
}

/// Takes entries out of the config file and out of what the sandbox remembers.
pub(super) fn remove(
    name: &str,
    what: &str,
    is: impl Fn(&str) -> bool,
    context: &Context,
) -> Result<Exit, Failure> {
    let key = key(name);
    let path = context.env.config_file();
    let file = ConfigFile::read(&path)?;
    let written = texts(file.values.get(key.name)).into_iter().filter(|entry| is(entry));
    let mut removed: Vec<String> = written.collect();
    if !removed.is_empty() {
        super::config::write(file.without_entries(key.name, &is).text(), context)?;
    }
    let remembered = |record: &Record| texts(record.said.get(name));
    let known = context.home().record().0;
    if known.is_some_and(|record| remembered(&record).iter().any(|entry| is(entry))) {
        removed.extend(context.block_on(forget(name, &is, context))?);
    }
    if removed.is_empty() {
        let noun = NOUNS.iter().find(|(list, _)| *list == name).map_or(name, |(_, noun)| *noun);
        return Err(Failure::new(Exit::Failed, format!("there is no {noun}: {what}"))
            .hint(format!("see which there are: occ {noun} list")));
    }
    changed(name, &json!({ "removed": removed, "path": path }), context)
}

/// The words by which the commands call the lists.
const NOUNS: [(&str, &str); 3] =
    [("container_env", "env"), ("mounts", "mount"), ("secrets", "secret")];

/// Takes entries out of what the sandbox remembers, while nobody else works on it.
async fn forget(
    name: &str,
    is: &impl Fn(&str) -> bool,
    context: &Context,
) -> Result<Vec<String>, Failure> {
    let lock = context.lock().await?;
    let home = context.home();
    let Some(mut record) = home.record().0 else { return Ok(Vec::new()) };
    let (gone, kept): (Vec<String>, Vec<String>) =
        texts(record.said.get(name)).into_iter().partition(|entry| is(entry));
    if kept.is_empty() {
        record.said.remove(name);
    } else {
        record.said.insert(name.to_owned(), json!(kept));
    }
    home.save_record(&record, &lock)?;
    Ok(gone)
}

fn changed(name: &str, data: &Value, context: &Context) -> Result<Exit, Failure> {
    context.terminal.result(&format!("occ/{name}"), data, "")?;
    context.terminal.say("Restart required for changes to take effect: occ restart");
    Ok(Exit::Done)
}
