//! The recipe: what the images should contain, as people write it.

mod arch;
mod embedded;
mod tool;
mod validate;

use std::collections::{BTreeMap, BTreeSet};

use std::fs;
use std::io;
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

pub use arch::{Architecture, PerArchitecture};
pub use tool::{Source, Tool};

use crate::document::{DocumentError, parse};
use crate::key::Encoding;
use occ_oci::Digest;

const EMBEDDED: &str = include_str!("../../../../image/sandbox.toml");

/// What the images should contain; valid by construction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    /// The Debian base.
    pub base: BaseRecipe,
    /// Shell, language and clock of the user in the sandbox.
    pub system: SystemRecipe,
    /// Files of our own, by path inside, beside those of the guest contract.
    pub files: Vec<FileRecipe>,
    /// Tools by name.
    pub tools: BTreeMap<String, Tool>,
    /// Features: named sets of tools.
    pub features: BTreeMap<String, Vec<String>>,
    /// Variants: named sets of features.
    pub variants: BTreeMap<String, Vec<String>>,
}

/// The Debian part of a recipe.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaseRecipe {
    /// Distribution; `debian` is the one there is.
    pub distribution: Distribution,
    /// Its release, such as `trixie`.
    pub suite: String,
    /// Paths that packages may not bring, as dpkg's `path-exclude`.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// Paths that they may bring all the same, as dpkg's `path-include`.
    #[serde(default)]
    pub include: Vec<String>,
    /// Groups of packages, lowest layer first.
    pub group: Vec<GroupRecipe>,
}

/// A distribution that a base can be made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Distribution {
    /// Debian.
    Debian,
}

/// Packages that share a layer, with what they need that no earlier group has.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupRecipe {
    /// Name of the layer.
    pub name: String,
    /// Debian packages.
    pub packages: Vec<String>,
}

/// Shell, language and clock.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SystemRecipe {
    /// Login shell of the user, an absolute path inside.
    pub shell: String,
    /// Locale, such as `C.UTF-8`.
    pub lang: String,
    /// Time zone, such as `UTC`.
    pub timezone: String,
}

/// A file or link of our own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRecipe {
    /// Absolute path inside.
    pub path: String,
    /// What it is.
    pub content: FileContent,
    /// Whether it belongs to the user, and not to root.
    pub users: bool,
    /// The tool it is for; without that tool it is left out of an image.
    pub tool: Option<String>,
}

/// What a file of our own is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileContent {
    /// A file with these bytes.
    Bytes {
        /// The bytes.
        bytes: Vec<u8>,
        /// Whether it can be executed.
        executable: bool,
    },
    /// A symbolic link with this text.
    Link(String),
}

/// A file as the recipe has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenFile {
    path: String,
    source: Option<Spanned<String>>,
    link: Option<Spanned<String>>,
    #[serde(default)]
    executable: bool,
    #[serde(default)]
    users: bool,
    tool: Option<Spanned<String>>,
}

/// Brings a file that a recipe names, by the name it has there.
pub type ReadFile<'a> = &'a dyn Fn(&str) -> io::Result<Vec<u8>>;

/// The recipe as the file has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    version: Spanned<u32>,
    base: BaseRecipe,
    system: SystemRecipe,
    #[serde(default)]
    file: Vec<Spanned<WrittenFile>>,
    #[serde(default)]
    tool: BTreeMap<String, Spanned<tool::Written>>,
    #[serde(default)]
    feature: BTreeMap<String, Vec<Spanned<String>>>,
    variant: BTreeMap<String, Vec<Spanned<String>>>,
}

impl Recipe {
    /// Returns the recipe this program was built with.
    ///
    /// # Errors
    /// Where it is wrong; a test proves that it is not.
    pub fn embedded() -> Result<Self, DocumentError> {
        let known = |name: &str| embedded::FILES.iter().find(|(source, _)| *source == name);
        Self::parse("image/sandbox.toml", EMBEDDED, &|source| {
            known(source)
                .map(|(_, text)| text.as_bytes().to_vec())
                .ok_or(io::ErrorKind::NotFound.into())
        })
    }

    /// Reads a recipe; `file` is its name in messages, `read` brings the files it names.
    ///
    /// # Errors
    /// The first mistake with its place: an unknown field, a tool without a source, a feature that is not
    /// there, a file that cannot be read.
    pub fn parse(file: &str, text: &str, read: ReadFile<'_>) -> Result<Self, DocumentError> {
        let written: Written = parse(file, text)?;
        validate::validate(file, text, written, read)
    }

    /// Reads a recipe and the files it names from disk.
    ///
    /// # Errors
    /// As [`Self::parse`]; a recipe that cannot be read is a mistake in its first line.
    pub fn load(path: &Path) -> Result<Self, DocumentError> {
        let file = path.display().to_string();
        let text = fs::read_to_string(path)
            .map_err(|error| crate::document::place(&file, "", 0, error.to_string()))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::parse(&file, &text, &|source| fs::read(folder.join(source)))
    }

    /// Returns the tools of a variant and of more features, each once, in the order in which they are
    /// stacked: as the features name them.
    ///
    /// # Errors
    /// [`UnknownName`].
    pub fn tools_of(&self, variant: &str, with: &[String]) -> Result<Vec<&Tool>, UnknownName> {
        let features = self.variants.get(variant).ok_or_else(|| UnknownName {
            what: "variant",
            name: variant.to_owned(),
            known: self.variants.keys().cloned().collect(),
        })?;
        let mut tools: Vec<&Tool> = Vec::new();
        for feature in with.iter().chain(features) {
            for name in self.feature(feature)? {
                if !tools.iter().any(|tool| tool.name == *name) {
                    tools.push(&self.tools[name]);
                }
            }
        }
        Ok(tools)
    }

    /// Returns the tools that a lock holds: those of the variants and of the features in `with`, which come
    /// from a registry.
    ///
    /// # Errors
    /// [`UnknownName`].
    pub fn locked_tools(&self, with: &[String]) -> Result<Vec<&Tool>, UnknownName> {
        let mut names: BTreeSet<&String> = BTreeSet::new();
        for feature in self.variants.values().flatten().chain(with) {
            names.extend(self.feature(feature)?);
        }
        let tools = names.into_iter().map(|name| &self.tools[name]);
        Ok(tools.filter(|tool| !matches!(tool.source, Source::Url { .. })).collect())
    }

    fn feature(&self, name: &str) -> Result<&[String], UnknownName> {
        self.features.get(name).map(Vec::as_slice).ok_or_else(|| UnknownName {
            what: "feature",
            name: name.to_owned(),
            known: self.features.keys().cloned().collect(),
        })
    }

    /// Returns the digest of all that a lock answers: with another one, a lock is of another recipe.
    #[expect(clippy::missing_panics_doc, reason = "a recipe is valid by construction")]
    pub fn request(&self) -> Digest {
        let base = &self.base;
        let mut encoding = Encoding::new("opencode-cloud/request", 1)
            .field("suite", &base.suite)
            .number("groups", base.group.len() as u64);
        for group in &base.group {
            encoding = encoding.field("group", &group.name).list("packages", group.packages.iter());
        }
        let tools = self.locked_tools(&[]).expect("variants name features that there are");
        for tool in tools {
            encoding = tool.encode_request(encoding);
        }
        encoding.finish()
    }
}

/// A name that the recipe does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the recipe has no {what} {name:?}; it has {}", known.join(", "))]
pub struct UnknownName {
    /// What was asked for: `variant`, `feature` or `tool`.
    pub what: &'static str,
    /// The name.
    pub name: String,
    /// Names that there are.
    pub known: Vec<String>,
}
