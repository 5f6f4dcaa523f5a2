//! The recipe: what the image should contain, as people write it.

use serde::Deserialize;

use crate::document::{DocumentError, parse};

const EMBEDDED: &str = include_str!("../../../image/sandbox.toml");

/// What the image should contain.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The Debian base.
    pub base: BaseRecipe,
}

/// The Debian part of a recipe.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaseRecipe {
    /// Debian release, such as `trixie`.
    pub suite: String,
    /// Which packages every base has, in mmdebstrap's words, such as `minbase`.
    pub variant: String,
    /// Packages beyond those.
    pub packages: Vec<String>,
    /// Paths that packages may not bring, as dpkg's `path-exclude`.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// Paths that they may bring all the same, as dpkg's `path-include`.
    #[serde(default)]
    pub include: Vec<String>,
}

impl Recipe {
    /// Returns the recipe this program was built with.
    ///
    /// # Errors
    /// Where it is wrong; a test proves that it is not.
    pub fn embedded() -> Result<Self, DocumentError> {
        Self::parse("image/sandbox.toml", EMBEDDED)
    }

    /// Reads a recipe; `file` is its name in messages.
    ///
    /// # Errors
    /// The first mistake with its place; an unknown field is one.
    pub fn parse(file: &str, text: &str) -> Result<Self, DocumentError> {
        parse(file, text)
    }
}
