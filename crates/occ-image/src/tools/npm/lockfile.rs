//! npm's own lock of one package with all it needs (npm, package-lock.json, version 3): for all platforms
//! at once, of which those packages are picked that npm would install on one.

use std::collections::{BTreeMap, BTreeSet};

use semver::Version;
use serde::Deserialize;

use super::engines;
use super::published::no_answer;
use crate::error::BuildError;
use crate::recipe::Architecture;

/// The lock; its first package, under the empty path, stands for the project that asks.
#[derive(Deserialize)]
pub(super) struct Lockfile {
    packages: BTreeMap<String, Package>,
}

/// A package at a place.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Package {
    name: Option<String>,
    pub(super) version: Option<String>,
    pub(super) integrity: Option<String>,
    #[serde(default)]
    pub(super) license: serde_json::Value,
    #[serde(default)]
    pub(super) has_install_script: bool,
    /// It comes inside the file of the package that needs it.
    #[serde(default)]
    pub(super) in_bundle: bool,
    #[serde(default)]
    optional: bool,
    #[serde(default)]
    engines: serde_json::Value,
    os: Option<Words>,
    cpu: Option<Words>,
    libc: Option<Words>,
    #[serde(default)]
    dependencies: BTreeMap<String, String>,
    #[serde(default)]
    optional_dependencies: BTreeMap<String, String>,
    #[serde(default)]
    peer_dependencies: BTreeMap<String, String>,
    #[serde(default)]
    peer_dependencies_meta: BTreeMap<String, Peer>,
}

#[derive(Deserialize)]
struct Peer {
    #[serde(default)]
    optional: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Words {
    One(String),
    Several(Vec<String>),
}

/// Returns how npm calls an architecture.
pub(super) fn cpu(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::Amd64 => "x64",
        Architecture::Arm64 => "arm64",
    }
}

impl Lockfile {
    /// Reads the file; `name` is the package that it is about.
    pub(super) fn parse(text: &str, name: &str) -> Result<Self, BuildError> {
        serde_json::from_str(text).map_err(|error| no_answer(name, &error.to_string()))
    }

    /// Returns the package at a path.
    pub(super) fn get(&self, path: &str) -> Option<&Package> {
        self.packages.get(path)
    }

    /// Returns the paths of all packages that Linux with glibc on an architecture gets, as `npm ci` would
    /// install them under a version of Node.js; none if one that cannot be done without is not for it.
    pub(super) fn pick(
        &self,
        architecture: Architecture,
        node: &Version,
    ) -> Option<BTreeSet<&str>> {
        let out = self.out(architecture, node);
        if out.contains("") {
            return None;
        }
        let mut picked = BTreeSet::new();
        let mut next = vec![""];
        while let Some(path) = next.pop() {
            if !out.contains(path) && picked.insert(path) {
                let package = &self.packages[path];
                next.extend(package.edges().filter_map(|edge| self.found(path, edge.name)));
            }
        }
        picked.remove("");
        Some(picked)
    }

    /// Returns the paths of packages that are not for a platform, and of those that cannot do without them.
    fn out(&self, architecture: Architecture, node: &Version) -> BTreeSet<&str> {
        let not_for_it = |(_, package): &(&String, &Package)| {
            !package.is_for(architecture) || package.optional && !package.runs_on(node)
        };
        let mut out: BTreeSet<&str> =
            self.packages.iter().filter(not_for_it).map(|(path, _)| path.as_str()).collect();
        loop {
            let before = out.len();
            for (path, package) in &self.packages {
                let mut needed = package.edges().filter(|edge| edge.needed);
                if needed.any(|edge| self.found(path, edge.name).is_some_and(|it| out.contains(it)))
                {
                    out.insert(path);
                }
            }
            if out.len() == before {
                return out;
            }
        }
    }

    /// Returns optional packages of the picked ones that npm left out because the registry does not have
    /// them, where their names say that they are the part for the platform: what they say themselves is not
    /// to be had with them.
    pub(super) fn lacking(
        &self,
        picked: &BTreeSet<&str>,
        architecture: Architecture,
    ) -> BTreeSet<String> {
        let is_for_it = |name: &str| {
            name.contains("linux") && !name.contains("musl") && has_word(name, cpu(architecture))
        };
        let mut lacking = BTreeSet::new();
        let packages = self.packages.iter().filter(|(path, _)| picked.contains(path.as_str()));
        for (path, package) in packages {
            for (name, version) in &package.optional_dependencies {
                if is_for_it(name) && self.found(path, name).is_none() {
                    lacking.insert(format!("{name}@{version}"));
                }
            }
        }
        lacking
    }

    /// Finds a package as Node.js would: beside the one that asks, then further up.
    fn found(&self, from: &str, name: &str) -> Option<&str> {
        let mut folder = from;
        loop {
            let slash = if folder.is_empty() { "" } else { "/" };
            let path = format!("{folder}{slash}node_modules/{name}");
            if let Some((path, _)) = self.packages.get_key_value(&path) {
                return Some(path);
            }
            let (above, _) = folder.rsplit_once("node_modules/")?;
            folder = above.trim_end_matches('/');
        }
    }
}

/// Returns whether a word stands in a name by itself: `arm64` does not in `charm64`.
fn has_word(name: &str, word: &str) -> bool {
    name.split(|c: char| !c.is_ascii_alphanumeric()).any(|part| part == word)
}

/// One package asks for another.
struct Edge<'a> {
    name: &'a str,
    /// Whether it cannot do without it.
    needed: bool,
}

impl Package {
    /// Returns the name; under another one than its own it stands in the folder of that.
    pub(super) fn name<'a>(&'a self, path: &'a str) -> &'a str {
        let folder = path.rsplit_once("node_modules/").map_or(path, |(_, folder)| folder);
        self.name.as_deref().unwrap_or(folder)
    }

    fn edges(&self) -> impl Iterator<Item = Edge<'_>> {
        let optional_peer =
            |name: &String| self.peer_dependencies_meta.get(name).is_some_and(|peer| peer.optional);
        let needed = self.dependencies.keys().map(|name| (name, true));
        let optional = self.optional_dependencies.keys().map(|name| (name, false));
        let peers = self.peer_dependencies.keys().map(move |name| (name, !optional_peer(name)));
        needed.chain(optional).chain(peers).map(|(name, needed)| Edge { name, needed })
    }

    /// npm leaves out optional packages that say otherwise, and only warns of others.
    fn runs_on(&self, node: &Version) -> bool {
        let range = self.engines.get("node").and_then(serde_json::Value::as_str);
        range.is_none_or(|range| engines::allows(range, node))
    }

    fn is_for(&self, architecture: Architecture) -> bool {
        let allows = |words: &Option<Words>, word| words.as_ref().is_none_or(|it| it.allow(word));
        self.in_bundle
            || allows(&self.os, "linux")
                && allows(&self.cpu, cpu(architecture))
                && allows(&self.libc, "glibc")
    }
}

impl Words {
    /// SPEC: npm, package.json, "os": words that are meant, or words with `!` that are not.
    fn allow(&self, word: &str) -> bool {
        let words = match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Several(several) => several.as_slice(),
        };
        let refused = |listed: &String| listed.strip_prefix('!') == Some(word);
        words == ["any"]
            || !words.iter().any(refused)
                && (words.iter().all(|listed| listed.starts_with('!'))
                    || words.iter().any(|listed| listed == word))
    }
}

#[cfg(test)]
mod tests;
