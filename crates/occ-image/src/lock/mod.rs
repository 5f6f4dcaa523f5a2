//! The lock: which exact files of other people go into the images.
//!
//! It holds names, versions, sizes and digests, never the place they come from: that is for the
//! machine's package clients to know. Tools from an address are not in it; the recipe pins those itself.

mod change;
mod pin;
mod render;

use std::collections::BTreeMap;

use occ_oci::Digest;
use serde::Deserialize;

pub use change::{Change, lock_changes};
pub use pin::{DebianPin, PackagePin};

use crate::document::{DocumentError, parse};
use crate::recipe::{Architecture, Recipe};

const EMBEDDED: &str = include_str!("../../../../image/sandbox.lock");

/// The version of the grammar.
const VERSION: u32 = 1;

/// All pins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// [`Recipe::request`] of the recipe that it answers.
    pub recipe: Digest,
    /// Groups of Debian packages, as the recipe orders them, for every architecture.
    pub debian: Vec<DebianGroup>,
    /// Tools by name.
    pub tools: BTreeMap<String, ToolLock>,
}

/// The packages of one group for one architecture.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DebianGroup {
    /// For which architecture.
    pub architecture: Architecture,
    /// Name of the group.
    pub group: String,
    /// Packages by name.
    pub packages: Vec<DebianPin>,
}

/// The packages of one tool.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolLock {
    /// Name of the tool.
    pub name: String,
    /// Where it comes from: `npm`, `pypi` or `crates`.
    pub source: String,
    /// Its own package first (one for each architecture if they differ), then what that needs.
    pub packages: Vec<PackagePin>,
}

/// The lock as the file has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    version: toml::Spanned<u32>,
    recipe: Digest,
    checksum: toml::Spanned<Digest>,
    #[serde(default)]
    debian: Vec<DebianGroup>,
    #[serde(default)]
    tool: Vec<toml::Spanned<ToolLock>>,
}

/// The lock answers another recipe.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the lock was made for another recipe")]
pub struct StaleLock;

impl Lock {
    /// Returns the lock this program was built with.
    ///
    /// # Errors
    /// Where it is wrong; a test proves that it is not.
    pub fn embedded() -> Result<Self, DocumentError> {
        Self::parse("image/sandbox.lock", EMBEDDED)
    }

    /// Reads a lock; `file` is its name in messages.
    ///
    /// # Errors
    /// The first mistake with its place; a checksum that does not fit, because somebody edited the file by
    /// hand, is one.
    pub fn parse(file: &str, text: &str) -> Result<Self, DocumentError> {
        let written: Written = parse(file, text)?;
        let error = |at: usize, message: String| crate::document::place(file, text, at, message);
        if *written.version.get_ref() != VERSION {
            let message = format!("this is version {VERSION} of the grammar");
            return Err(error(written.version.span().start, message));
        }
        let mut tools = BTreeMap::new();
        for tool in written.tool {
            let at = tool.span().start;
            let tool = tool.into_inner();
            if let Some(twice) = tools.insert(tool.name.clone(), tool) {
                return Err(error(at, format!("the tool {:?} is there twice", twice.name)));
            }
        }
        let lock = Self { recipe: written.recipe, debian: written.debian, tools };
        if lock.checksum() != *written.checksum.get_ref() {
            let message = "the file was changed by hand or by a merge: `occ image lock` writes it";
            return Err(error(written.checksum.span().start, message.to_owned()));
        }
        Ok(lock)
    }

    /// Makes sure that this lock answers a recipe.
    ///
    /// # Errors
    /// [`StaleLock`].
    pub fn answers(&self, recipe: &Recipe) -> Result<(), StaleLock> {
        if self.recipe == recipe.request() { Ok(()) } else { Err(StaleLock) }
    }

    /// Returns the groups of an architecture, lowest layer first.
    pub fn groups(&self, architecture: Architecture) -> impl Iterator<Item = &DebianGroup> {
        self.debian.iter().filter(move |group| group.architecture == architecture)
    }

    /// Returns the text of the file.
    pub fn render(&self) -> String {
        render::render(self, VERSION)
    }

    /// Returns the number of files.
    pub fn file_count(&self) -> usize {
        self.sizes().count()
    }

    /// Returns the bytes of all files.
    pub fn total_size(&self) -> u64 {
        self.sizes().sum()
    }

    fn sizes(&self) -> impl Iterator<Item = u64> {
        let debian = self.debian.iter().flat_map(|group| &group.packages).map(|pin| pin.size);
        let tools = self.tools.values().flat_map(|tool| &tool.packages).map(|pin| pin.size);
        debian.chain(tools)
    }

    fn checksum(&self) -> Digest {
        Digest::sha256(render::body(self).as_bytes())
    }
}

impl ToolLock {
    /// Returns the packages for an architecture, the tool's own first.
    pub fn packages(&self, architecture: Architecture) -> impl Iterator<Item = &PackagePin> {
        self.packages
            .iter()
            .filter(move |pin| pin.architecture.is_none_or(|only| only == architecture))
    }

    /// Returns the version of the tool for an architecture; none if it is not to be had for it.
    pub fn version(&self, architecture: Architecture) -> Option<&str> {
        // The first: what it needs can be at the same depth of a tree.
        self.packages(architecture).next().map(|pin| pin.version.as_str())
    }
}
