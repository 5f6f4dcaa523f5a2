//! Tools: programs that come from somewhere else than Debian.

use std::collections::BTreeMap;

use occ_oci::Digest;
use serde::Deserialize;

use super::arch::{Architecture, PerArchitecture};
use crate::key::Encoding;

/// A tool; valid by construction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tool {
    /// Its name, also that of its layer.
    pub name: String,
    /// Where it comes from.
    pub source: Source,
    /// What becomes of members of its archive: path inside to member; a member that is a folder becomes a
    /// folder. `{version}` and `{arch}` are filled in. Empty for a tool that is a tree of npm packages.
    pub files: BTreeMap<String, String>,
    /// Commands of an npm package that are put on the path.
    pub commands: Vec<String>,
    /// What `{arch}` stands for.
    pub arch: PerArchitecture<String>,
    /// A command, with arguments, that prints the tool's version; empty when it has none.
    pub check: Vec<String>,
    /// Variables that images with this tool have in their environment.
    pub environment: BTreeMap<String, String>,
}

/// Where a tool comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The npm registry.
    Npm {
        /// Name of the package.
        package: PerArchitecture<String>,
        /// Which versions will do, in npm's words.
        version: String,
    },
    /// PyPI, as a wheel with ready programs.
    Pypi {
        /// Name of the project.
        package: String,
        /// Which version, exact or empty for the newest.
        version: String,
    },
    /// crates.io, compiled in the sandbox's own Debian.
    Crates {
        /// Name of the crate.
        package: String,
        /// Which version, exact or empty for the newest.
        version: String,
    },
    /// A file at an address, pinned here and not in the lock.
    Url {
        /// Its version.
        version: String,
        /// The address; `{version}` and `{arch}` are filled in.
        url: String,
        /// Digests of the file that its publisher or others published.
        sha256: PerArchitecture<Digest>,
    },
}

impl Source {
    /// Returns the word for it in recipes and locks.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Npm { .. } => "npm",
            Self::Pypi { .. } => "pypi",
            Self::Crates { .. } => "crates",
            Self::Url { .. } => "url",
        }
    }
}

impl Tool {
    /// Fills `{version}` and `{arch}` into a template.
    pub fn fill(&self, template: &str, version: &str, architecture: Architecture) -> String {
        let arch = self.arch.get(architecture).map_or(architecture.name(), String::as_str);
        template.replace("{version}", version).replace("{arch}", arch)
    }

    /// Adds what a lock answers; what is done with the files afterwards is no question to it.
    pub(super) fn encode_request(&self, encoding: Encoding) -> Encoding {
        let encoding = encoding.field("tool", &self.name).field("source", self.source.kind());
        match &self.source {
            Source::Npm { package, version } => both(encoding, package).field("version", version),
            Source::Pypi { package, version } | Source::Crates { package, version } => {
                encoding.field("package", package).field("version", version)
            }
            // Pinned by the recipe itself.
            Source::Url { .. } => encoding,
        }
    }
}

fn both(encoding: Encoding, value: &PerArchitecture<String>) -> Encoding {
    [Architecture::Amd64, Architecture::Arm64].into_iter().fold(encoding, |encoding, each| {
        encoding.field(each.name(), value.get(each).map(String::as_str).unwrap_or_default())
    })
}

/// A tool as the file has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    pub(super) source: toml::Spanned<String>,
    pub(super) package: Option<toml::Spanned<PerArchitecture<String>>>,
    pub(super) version: Option<toml::Spanned<String>>,
    pub(super) url: Option<toml::Spanned<String>>,
    pub(super) sha256: Option<toml::Spanned<PerArchitecture<String>>>,
    pub(super) arch: Option<PerArchitecture<String>>,
    #[serde(default)]
    pub(super) files: BTreeMap<String, toml::Spanned<String>>,
    #[serde(default)]
    pub(super) commands: Vec<String>,
    pub(super) check: Option<Vec<String>>,
    #[serde(default)]
    pub(super) environment: BTreeMap<String, toml::Spanned<String>>,
    /// For people: where a digest was read.
    #[serde(default, rename = "cite")]
    pub(super) _cite: String,
}
