//! A sandbox that runs an image: is it what was recorded, and what is locked. Pure.

use occ_engine::{ContainerState, FileChange, FileChangeKind};
use occ_image::guest;
use occ_oci::Digest;
use occ_sandbox::{Drift, Record};
use serde::Serialize;

use super::plain;

/// A sandbox and what was checked about it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Running {
    /// Name of the instance.
    pub(crate) instance: String,
    /// Name of the container.
    pub(crate) container: String,
    /// Its id.
    pub(crate) container_id: String,
    /// `running`, `paused`, `restarting` or `stopped`.
    pub(crate) state: &'static str,
    /// The checks, in order.
    pub(crate) checks: Vec<Check>,
}

/// One thing that was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Check {
    /// What.
    pub(crate) name: &'static str,
    /// How it came out.
    pub(crate) outcome: Outcome,
    /// What was seen.
    pub(crate) seen: String,
}

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Outcome {
    /// As it should be.
    Same,
    /// Not as it should be.
    Differs,
    /// It could not be found out.
    Unknown,
}

/// What was seen of a sandbox.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// The container.
    pub(crate) container: ContainerState,
    /// What was recorded when it proved healthy.
    pub(crate) record: Option<Record>,
    /// SHA-256 of the opencode binary inside, read out by the engine; nothing when it is not there.
    pub(crate) binary: Option<Digest>,
    /// SHA-256 that the lock gives it, or why that is not known.
    pub(crate) locked: Result<Digest, String>,
    /// SHA-256 that the image's label gives it.
    pub(crate) labelled: Option<Digest>,
    /// What became of the container's files.
    pub(crate) changes: Vec<FileChange>,
    /// What differs from the settings, or why that is not known.
    pub(crate) drift: Result<Vec<Drift>, String>,
}

/// Returns every check of a sandbox.
pub(crate) fn checks(seen: &Seen) -> Vec<Check> {
    vec![image(seen), container(seen), binary(seen), files(seen), settings(seen)]
}

fn check(name: &'static str, outcome: Outcome, seen: impl Into<String>) -> Check {
    Check { name, outcome, seen: seen.into() }
}

fn image(seen: &Seen) -> Check {
    const NAME: &str = "image";
    let runs = &seen.container.image;
    match &seen.record {
        Some(record) if record.image == *runs => {
            check(NAME, Outcome::Same, format!("it runs the recorded image {runs}"))
        }
        Some(record) => {
            let text = format!("it runs {runs}, and {} was recorded", record.image);
            check(NAME, Outcome::Differs, text)
        }
        None => check(NAME, Outcome::Unknown, "nothing was recorded: it never proved healthy"),
    }
}

fn container(seen: &Seen) -> Check {
    const NAME: &str = "container";
    match &seen.record {
        Some(record) if record.container == seen.container.id => {
            check(NAME, Outcome::Same, "it is the recorded container")
        }
        Some(record) => {
            let text =
                format!("it is {}, and {} was recorded", seen.container.id.0, record.container.0);
            check(NAME, Outcome::Differs, text)
        }
        None => check(NAME, Outcome::Unknown, "nothing was recorded: it never proved healthy"),
    }
}

fn binary(seen: &Seen) -> Check {
    const NAME: &str = "opencode";
    let label = seen.labelled.as_ref();
    let touched = seen.changes.iter().any(|change| change.path == guest::OPENCODE);
    match (&seen.binary, &seen.locked) {
        (None, _) => check(NAME, Outcome::Differs, format!("there is no {}", guest::OPENCODE)),
        (Some(found), Ok(locked)) if found == locked => {
            check(NAME, Outcome::Same, format!("the binary is the one of the lock, {found}"))
        }
        (Some(found), Ok(locked)) => check(
            NAME,
            Outcome::Differs,
            format!("the binary is {found}, and the lock gives {locked}"),
        ),
        (Some(found), Err(_)) if touched || label.is_some_and(|label| label != found) => {
            check(NAME, Outcome::Differs, format!("the binary {found} is not the one of the image"))
        }
        (Some(found), Err(_)) if label.is_some() => {
            let text = format!("the binary is the one that the image's label names, {found}");
            check(NAME, Outcome::Same, text)
        }
        (Some(found), Err(why)) => {
            let text = format!("the binary {found} is the one of the image; the lock's: {why}");
            check(NAME, Outcome::Unknown, text)
        }
    }
}

/// Folders that programs write to while they run; what is there is no drift.
const WRITTEN: [&str; 8] =
    ["/home/", "/root/", "/run/", "/tmp/", "/var/cache/", "/var/lib/", "/var/log/", "/var/tmp/"];

/// Files that the engine itself puts into every container.
const ENGINES: [&str; 5] =
    ["/.dockerenv", "/etc/hostname", "/etc/hosts", "/etc/mtab", "/etc/resolv.conf"];

fn files(seen: &Seen) -> Check {
    const NAME: &str = "files";
    // A folder is listed for what changed in it.
    let folder = |path: &str| {
        let below = format!("{path}/");
        seen.changes.iter().any(|other| other.path.starts_with(&below))
    };
    let counts = |change: &&FileChange| {
        let path = change.path.as_str();
        let folder = change.kind == FileChangeKind::Changed && folder(path);
        let below = format!("{path}/");
        let written = WRITTEN.iter().any(|start| below.starts_with(start));
        !folder && !written && !ENGINES.contains(&path)
    };
    let drifted: Vec<String> = seen.changes.iter().filter(counts).map(described).collect();
    match drifted.as_slice() {
        [] => check(NAME, Outcome::Same, "its own files are those of the image"),
        few if few.len() <= 10 => check(NAME, Outcome::Differs, few.join(", ")),
        many => {
            let text = format!("{}, and {} more", many[..10].join(", "), many.len() - 10);
            check(NAME, Outcome::Differs, text)
        }
    }
}

fn described(change: &FileChange) -> String {
    let word = match change.kind {
        FileChangeKind::Changed => "changed",
        FileChangeKind::Added => "added",
        FileChangeKind::Removed => "removed",
    };
    format!("{} ({word})", plain(&change.path))
}

fn settings(seen: &Seen) -> Check {
    const NAME: &str = "settings";
    match &seen.drift {
        Ok(drift) if drift.is_empty() => check(NAME, Outcome::Same, "it is as the settings say"),
        Ok(drift) => {
            let texts: Vec<String> = drift.iter().map(ToString::to_string).collect();
            check(NAME, Outcome::Differs, texts.join("; "))
        }
        Err(why) => check(NAME, Outcome::Unknown, why.clone()),
    }
}
