//! What changed from one lock to another.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::Lock;
use crate::recipe::Architecture;

/// One file of somebody else that came, went or moved.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Change {
    /// The tool or the group of packages it belongs to.
    pub part: String,
    /// Name of the package.
    pub name: String,
    /// For which architectures.
    pub architectures: Vec<Architecture>,
    /// Version before; none for one that came.
    pub before: Option<String>,
    /// Version after; none for one that went.
    pub after: Option<String>,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.architectures.iter().map(|it| it.name()).collect();
        write!(f, "{}: {} ", self.part, self.name)?;
        match (&self.before, &self.after) {
            (Some(before), Some(after)) if before == after => write!(f, "{after}, other bytes")?,
            (Some(before), Some(after)) => write!(f, "{before} -> {after}")?,
            (None, Some(after)) => write!(f, "{after} added")?,
            (Some(before), None) => write!(f, "{before} removed")?,
            (None, None) => write!(f, "unchanged")?,
        }
        if names.len() == 1 { write!(f, " ({})", names[0]) } else { Ok(()) }
    }
}

/// Part, package, path in a tree: what a file is, whatever its version.
type Place = (String, String, Option<String>);
/// Version and digest on an architecture.
type Files = BTreeMap<Place, BTreeMap<Architecture, (String, String)>>;

fn files(lock: &Lock) -> Files {
    let mut files = Files::new();
    for group in &lock.debian {
        for pin in &group.packages {
            let place = (group.group.clone(), pin.name.clone(), None);
            let file = (pin.version.clone(), pin.digest.to_string());
            files.entry(place).or_default().insert(group.architecture, file);
        }
    }
    for tool in lock.tools.values() {
        for pin in &tool.packages {
            let place = (tool.name.clone(), pin.name.clone(), pin.path.clone());
            let of = files.entry(place).or_default();
            for architecture in [Architecture::Amd64, Architecture::Arm64] {
                if pin.architecture.is_none_or(|only| only == architecture) {
                    of.insert(architecture, (pin.version.clone(), pin.digest.to_string()));
                }
            }
        }
    }
    files
}

/// Returns what changed, in the order of parts and names; without a lock before, everything is new.
pub fn lock_changes(before: Option<&Lock>, after: &Lock) -> Vec<Change> {
    let (old, new) = (before.map(files).unwrap_or_default(), files(after));
    let mut changes: BTreeMap<(String, String, Option<String>, Option<String>), Change> =
        BTreeMap::new();
    for place in old.keys().chain(new.keys()) {
        for architecture in [Architecture::Amd64, Architecture::Arm64] {
            let before = old.get(place).and_then(|files| files.get(&architecture));
            let after = new.get(place).and_then(|files| files.get(&architecture));
            if before == after {
                continue;
            }
            let version =
                |file: Option<&(String, String)>| file.map(|(version, _)| version.clone());
            let (before, after) = (version(before), version(after));
            let (part, name, _) = place.clone();
            let change = changes
                .entry((part.clone(), name.clone(), before.clone(), after.clone()))
                .or_insert(Change { part, name, architectures: Vec::new(), before, after });
            if !change.architectures.contains(&architecture) {
                change.architectures.push(architecture);
            }
        }
    }
    changes.into_values().collect()
}
