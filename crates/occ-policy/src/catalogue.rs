//! The facts that there are: a closed list, so that a mistyped name is an error and not a silent "unknown".

use std::fmt;

use serde::{Serialize, Serializer};

use crate::fact::Value;

/// What a fact's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// True or false.
    Bool,
    /// A whole number.
    Number,
    /// A text.
    Text,
    /// A list of texts.
    List,
}

impl Kind {
    /// Returns whether a value is of this kind; what is not known is of every one.
    pub fn has(self, value: &Value) -> bool {
        matches!(
            (self, value),
            (_, Value::Unknown)
                | (Self::Bool, Value::Bool(_))
                | (Self::Number, Value::Number(_))
                | (Self::Text, Value::Text(_))
                | (Self::List, Value::List(_))
        )
    }

    /// Returns its name in a sentence.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bool => "true or false",
            Self::Number => "a whole number",
            Self::Text => "a text",
            Self::List => "a list of texts",
        }
    }
}

/// A fact that there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Its name.
    pub name: &'static str,
    /// What its value is.
    pub kind: Kind,
    /// What it says.
    pub meaning: &'static str,
}

const fn known(name: &'static str, kind: Kind, meaning: &'static str) -> Known {
    Known { name, kind, meaning }
}

/// Every fact, in the order in which documents have them.
pub const CATALOGUE: &[Known] = &[
    known("image.name", Kind::Text, "Name that the image was asked for by."),
    known("image.tags", Kind::List, "Names that its engine knows it by."),
    known("image.digest", Kind::Text, "Digest of its manifest, as registries know it."),
    known("image.id", Kind::Text, "Digest of its configuration, as engines know it."),
    known("image.pinned", Kind::Bool, "Whether it was asked for by a digest, which cannot move."),
    known("image.size", Kind::Number, "Bytes on disk, as the engine counts them."),
    known("image.created", Kind::Text, "When it says that it was made (RFC 3339)."),
    known("image.platform", Kind::Text, "Operating system and architecture."),
    known("image.registries", Kind::List, "Registries that are known to have it."),
    known("image.purpose", Kind::List, "What it saves its users from doing."),
    known("build.place", Kind::Text, "Where it was built."),
    known("build.builder", Kind::Text, "Who or what built it."),
    known(
        "build.recorded",
        Kind::Bool,
        "Whether a recipe or script is recorded that it was built with.",
    ),
    known("build.reproducible", Kind::Bool, "Whether building it again gives the same bytes."),
    known("build.key", Kind::Text, "Digest of everything that decided its bytes."),
    known("build.steps", Kind::List, "How it was built, step by step."),
    known("base.name", Kind::Text, "What its lowest layers are."),
    known("base.digest", Kind::Text, "Digest or key of its base."),
    known("base.revision", Kind::Text, "Commit that its base was made from."),
    known("base.source", Kind::Text, "Where the source of its base is."),
    known("base.created", Kind::Text, "When its base was made (RFC 3339)."),
    known("source.repository", Kind::Text, "Where the source is that it was built from."),
    known("source.commit", Kind::Text, "Commit of that source."),
    known("opencode.version", Kind::Text, "Version of opencode in it."),
    known("opencode.digest", Kind::Text, "Digest of the package or file that opencode comes from."),
    known("opencode.source", Kind::Text, "Where opencode comes from."),
    known("contents.entrypoint", Kind::List, "Program that a container of it starts with."),
    known("contents.command", Kind::List, "Arguments of that program."),
    known("contents.ports", Kind::List, "Ports that it says it listens on."),
    known("contents.endpoints", Kind::List, "Requests that its server answers."),
    known("contents.environment", Kind::List, "Variables it sets; secrets are taken out."),
    known("contents.user", Kind::Text, "User that its program runs as."),
    known("contents.folder", Kind::Text, "Folder that its program starts in."),
    known("contents.layers", Kind::List, "Digests of its layers, the lowest first."),
    known("contents.tools", Kind::List, "Tools in it with their versions."),
    known("contents.packages", Kind::Number, "Packages of others that it is made of."),
    known("contents.locked", Kind::Bool, "Whether each of these is pinned by a digest."),
    known(
        "credentials.inside",
        Kind::Bool,
        "Whether credentials are in its environment, its history or, where they were searched, its layers.",
    ),
    known("credentials.found", Kind::List, "Where they were found, without their values."),
    known(
        "credentials.audited",
        Kind::Bool,
        "Whether somebody vouches that those may be given to others.",
    ),
    known(
        "signature.verdict",
        Kind::Text,
        "What was found out about who signed it: verified, unsigned, wrong-identity, invalid, unknown or not-asked.",
    ),
    known("signature.signer", Kind::Text, "Who signed it."),
    known(
        "provenance.level",
        Kind::Number,
        "SLSA build level that its signed provenance is worth.",
    ),
    known("provenance.builder", Kind::Text, "Builder that its signed provenance names."),
    known("sbom.signed", Kind::Bool, "Whether a signed bill of materials belongs to it."),
    known(
        "document.changes",
        Kind::List,
        "What happened to it and to its record, the newest first.",
    ),
];

/// The name of a fact that there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FactName(usize);

/// There is no fact of this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no fact {name:?}{}", near.map_or_else(String::new, |near| format!("; did you mean {near:?}?")))]
pub struct UnknownFact {
    /// The name.
    pub name: String,
    /// A fact of nearly that name.
    pub near: Option<&'static str>,
}

impl FactName {
    /// Reads a name.
    ///
    /// # Errors
    /// [`UnknownFact`], with the nearest name there is.
    pub fn parse(name: &str) -> Result<Self, UnknownFact> {
        let found = CATALOGUE.iter().position(|known| known.name == name);
        found.map(Self).ok_or_else(|| UnknownFact {
            name: name.to_owned(),
            near: crate::document::nearest(name, CATALOGUE.iter().map(|known| known.name)),
        })
    }

    /// Returns every name, in the order of [`CATALOGUE`].
    pub fn all() -> impl Iterator<Item = Self> {
        (0..CATALOGUE.len()).map(Self)
    }

    /// Returns what the value of the fact is, and what it says.
    pub fn known(self) -> &'static Known {
        &CATALOGUE[self.0]
    }

    /// Returns the text of the name.
    pub fn as_str(self) -> &'static str {
        self.known().name
    }
}

impl fmt::Display for FactName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for FactName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
