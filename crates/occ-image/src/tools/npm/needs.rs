//! A package with everything it needs, as npm decides it.

use std::collections::BTreeMap;
use std::fs;

use semver::Version;

use super::client::Client;
use super::fetch::Wish;
use super::lockfile::Lockfile;
use super::published;
use super::reviewed::{Review, UNREAD};
use crate::error::BuildError;
use crate::event::{Event, Observer};
use crate::recipe::Architecture;

/// The Node.js that packages run on in the sandbox; a test compares it with the recipe's.
pub(super) const NODE: Version = Version::new(24, 21, 0);

/// A package that was chosen and is still to be fetched.
pub(super) struct Chosen {
    pub(super) wish: Wish,
    pub(super) architecture: Option<Architecture>,
    pub(super) path: Option<String>,
    pub(super) license: Option<String>,
}

/// What is asked for.
pub(super) struct Asked<'a> {
    /// Name of the tool.
    pub(super) tool: &'a str,
    /// Name of its package.
    pub(super) name: &'a str,
    /// Which versions will do; empty for the newest.
    pub(super) range: &'a str,
    /// For which architectures.
    pub(super) architectures: &'a [Architecture],
}

impl Asked<'_> {
    /// Chooses a package with all it needs, itself first.
    pub(super) fn choose(
        &self,
        client: &Client<'_>,
        observer: Observer<'_>,
    ) -> Result<Vec<Chosen>, BuildError> {
        let (name, architectures) = (self.name, self.architectures);
        let lockfile = self.lockfile(client)?;
        let mut places: BTreeMap<&str, Vec<Architecture>> = BTreeMap::new();
        for architecture in architectures {
            let picked =
                lockfile.pick(*architecture, &NODE).ok_or_else(|| BuildError::Unsuitable {
                    name: name.to_owned(),
                    reason: format!("it needs a package that is not for Linux on {architecture}"),
                })?;
            for package in lockfile.lacking(&picked, *architecture) {
                let (tool, architecture) = (self.tool.to_owned(), *architecture);
                observer(Event::Lacking { tool, package, architecture });
            }
            for path in picked {
                places.entry(path).or_default().push(*architecture);
            }
        }
        let mut chosen = Vec::new();
        for (path, on) in places {
            let architecture = if on == architectures { only(architectures) } else { only(&on) };
            chosen.extend(choose(&lockfile, path, architecture)?);
        }
        let own = folder(name);
        chosen.sort_by_key(|chosen| chosen.path.as_deref() != Some(&own));
        Ok(chosen)
    }

    /// Lets npm decide what a package needs.
    fn lockfile(&self, client: &Client<'_>) -> Result<Lockfile, BuildError> {
        let spec = published::spec(self.name, self.range)?;
        let range = if self.range.is_empty() { "latest" } else { self.range };
        let project = serde_json::json!({ "private": true, "dependencies": { self.name: range } });
        let manifest = client.folder().join("package.json");
        fs::write(&manifest, project.to_string()).map_err(BuildError::at(&manifest))?;
        let path = client.folder().join("package-lock.json");
        // That of another name of the package would be built upon.
        fs::write(&path, "{}").map_err(BuildError::at(&path))?;
        let arguments =
            ["install", "--package-lock-only", "--package-lock=true", "--lockfile-version=3"];
        client.run(&arguments).map_err(|failure| failure.of_tree(&spec))?;
        let text = fs::read_to_string(&path).map_err(BuildError::at(&path))?;
        Lockfile::parse(&text, &spec)
    }
}

/// Chooses the package at a path of npm's lock; none where it comes inside the file of another.
fn choose(
    lockfile: &Lockfile,
    path: &str,
    architecture: Option<Architecture>,
) -> Result<Option<Chosen>, BuildError> {
    let Some(package) = lockfile.get(path) else { return Ok(None) };
    let name = package.name(path).to_owned();
    let unsuitable = |reason: &str| {
        Err(BuildError::Unsuitable { name: name.clone(), reason: reason.to_owned() })
    };
    if package.has_install_script && Review::of(&name).is_none() {
        return unsuitable(UNREAD);
    }
    if package.in_bundle {
        return Ok(None);
    }
    // Links to folders and packages from repositories have no digest, and often no version.
    let (Some(version), Some(integrity)) = (&package.version, &package.integrity) else {
        return unsuitable("it does not come from the registry");
    };
    let digest = published::digest(&name, Some(integrity))?;
    let wish = Wish { name: name.clone(), version: version.clone(), digest, size: None };
    let license = package.license.as_str().map(str::to_owned);
    Ok(Some(Chosen { wish, architecture, path: Some(path.to_owned()), license }))
}

/// Returns where a package is that is asked for by the project itself.
pub(super) fn folder(name: &str) -> String {
    format!("node_modules/{name}")
}

/// Returns the one architecture; none where it is for all.
pub(super) fn only(architectures: &[Architecture]) -> Option<Architecture> {
    match architectures {
        [one] => Some(*one),
        _ => None,
    }
}
