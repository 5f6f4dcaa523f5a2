//! One fact about an image: its name, its value, and who says so.

use std::fmt;

use serde::ser::{Serialize, SerializeMap as _, Serializer};

use crate::catalogue::FactName;

/// What is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Nothing.
    Unknown,
    /// Whether something is so.
    Bool(bool),
    /// How much; sizes are in bytes.
    Number(u64),
    /// A name, an address, a digest, a time (RFC 3339).
    Text(String),
    /// Several texts; none of them is known too.
    List(Vec<String>),
}

impl Value {
    /// Returns whether anything is known.
    pub fn is_known(&self) -> bool {
        *self != Self::Unknown
    }

    /// Returns the value as JSON has it: `null` for what is not known.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Unknown => serde_json::Value::Null,
            Self::Bool(value) => (*value).into(),
            Self::Number(value) => (*value).into(),
            Self::Text(value) => value.as_str().into(),
            Self::List(values) => values.clone().into(),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("not known"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(value) => write!(f, "{value}"),
            Self::Text(value) => f.write_str(value),
            Self::List(values) if values.is_empty() => f.write_str("none"),
            Self::List(values) => f.write_str(&values.join(", ")),
        }
    }
}

/// Who says so, the most trustworthy first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// A signature or signed provenance that the trust policy believes.
    Signed,
    /// The recipe and the lock that this program was built with, or was given.
    Lock,
    /// The program looked, or computed it.
    Observation,
    /// A label or an annotation of the image: whoever made the image wrote it.
    Label,
    /// A person, in a file.
    Declared,
    /// Nobody.
    Unknown,
}

impl Origin {
    /// Every origin.
    pub const ALL: [Self; 6] =
        [Self::Signed, Self::Lock, Self::Observation, Self::Label, Self::Declared, Self::Unknown];

    /// Returns its word in files.
    pub fn word(self) -> &'static str {
        match self {
            Self::Signed => "signed-provenance",
            Self::Lock => "lock",
            Self::Observation => "observation",
            Self::Label => "label",
            Self::Declared => "declared",
            Self::Unknown => "unknown",
        }
    }

    /// Returns the origin of a word.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|origin| origin.word() == word)
    }

    /// Returns its name in a sentence.
    pub fn name(self) -> &'static str {
        match self {
            Self::Signed => "signed provenance",
            other => other.word(),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

/// One fact about an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// Its name.
    pub name: FactName,
    /// What is known.
    pub value: Value,
    /// Who says so; [`Origin::Unknown`] exactly when nothing is known.
    pub origin: Origin,
    /// How it is known, or what is missing to know it.
    pub note: Option<String>,
}

impl Fact {
    /// Returns a fact of which nothing is known.
    pub fn unknown(name: FactName) -> Self {
        Self { name, value: Value::Unknown, origin: Origin::Unknown, note: None }
    }
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}", self.name, self.value)?;
        match (&self.note, self.origin) {
            (Some(note), Origin::Unknown) => write!(f, " ({note})"),
            (None, Origin::Unknown) => Ok(()),
            (Some(note), origin) => write!(f, " ({origin}: {note})"),
            (None, origin) => write!(f, " ({origin})"),
        }
    }
}

/// As it stands in a file of facts, without its name.
impl Serialize for Fact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("value", &self.value.to_json())?;
        map.serialize_entry("from", &self.origin)?;
        if let Some(note) = &self.note {
            map.serialize_entry("note", note)?;
        }
        map.end()
    }
}
