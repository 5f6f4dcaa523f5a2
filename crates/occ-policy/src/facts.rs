//! All that is known about one image.

use std::collections::BTreeMap;

use jsonc_parser::ast;
use jsonc_parser::common::Ranged as _;
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::json;

use crate::catalogue::{FactName, Kind};
use crate::document::{DocumentError, Fields, Reader, VERSION, nearest, read};
use crate::fact::{Fact, Origin, Value};

/// What is known about one image. Of a fact that is not among them nothing is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts(BTreeMap<FactName, Fact>);

impl Facts {
    /// Reads a file of facts; `file` is its name in messages.
    ///
    /// # Errors
    /// All mistakes with their places.
    pub fn parse(file: &str, text: &str) -> Result<Self, DocumentError> {
        read(&format!("the file of facts {file}"), text, |fields| {
            let facts = fields.need("facts")?;
            Self::read(fields.reader, facts)
        })
    }

    /// Reads the entries of an object.
    pub(crate) fn read(reader: &Reader<'_>, value: &ast::Value<'_>) -> Option<Self> {
        let mut facts = Self::default();
        for (name, at, value) in reader.entries(value)? {
            match FactName::parse(name) {
                Ok(name) => facts.0.extend(read_fact(reader, name, value).map(|fact| (name, fact))),
                Err(error) => reader.blame(at, error.to_string()),
            }
        }
        Some(facts)
    }

    /// Returns a fact.
    pub fn get(&self, name: FactName) -> Fact {
        self.0.get(&name).cloned().unwrap_or_else(|| Fact::unknown(name))
    }

    /// Adds a fact, in the place of one of the same name.
    pub fn put(&mut self, fact: Fact) {
        self.0.insert(fact.name, fact);
    }

    /// Adds what is known under a name.
    ///
    /// # Panics
    /// When there is no fact of that name or its value is of another kind: the name is one in the code.
    pub fn learn(&mut self, name: &str, value: Value, origin: Origin) -> &mut Fact {
        let name = FactName::parse(name).expect("a name in the code is in the catalogue");
        assert!(name.known().kind.has(&value) && value.is_known(), "{name}: {value:?}");
        self.0.insert(name, Fact { name, value, origin, note: None });
        self.0.get_mut(&name).expect("it was just put there")
    }

    /// Adds that something is not known, and what is missing to know it.
    ///
    /// # Panics
    /// When there is no fact of that name: the name is one in the code.
    pub fn miss(&mut self, name: &str, missing: impl Into<String>) {
        let name = FactName::parse(name).expect("a name in the code is in the catalogue");
        self.put(Fact { note: Some(missing.into()), ..Fact::unknown(name) });
    }

    /// Takes a fact away.
    pub fn forget(&mut self, name: FactName) {
        self.0.remove(&name);
    }

    /// Returns every fact that was put in, in the order of [`CATALOGUE`](crate::CATALOGUE).
    pub fn iter(&self) -> impl Iterator<Item = &Fact> {
        self.0.values()
    }

    /// Returns the file that [`Self::parse`] reads.
    pub fn to_json(&self) -> serde_json::Value {
        json!({ "version": VERSION, "facts": self })
    }
}

/// As it stands in a file: every fact by its name.
impl Serialize for Facts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for fact in self.iter() {
            map.serialize_entry(fact.name.as_str(), fact)?;
        }
        map.end()
    }
}

fn read_fact(reader: &Reader<'_>, name: FactName, value: &ast::Value<'_>) -> Option<Fact> {
    let mut fields = Fields::of(reader, value)?;
    let (given, from) = (fields.need("value"), fields.need("from"));
    let note = fields.take("note").map(|note| reader.text(note));
    fields.end();
    let given = given?;
    let origin = read_origin(reader, from?)?;
    let value = read_value(reader, name.known().kind, given)?;
    // Nobody knows a thing and says it, and nothing is known by somebody's word.
    if value.is_known() == (origin == Origin::Unknown) {
        let what = match origin {
            Origin::Unknown => "a value that nobody says is null".to_owned(),
            other => format!("what is not known is from \"unknown\", not {:?}", other.word()),
        };
        reader.blame(given.start(), what);
        return None;
    }
    let note = match note {
        Some(note) => Some(note?),
        None => None,
    };
    Some(Fact { name, value, origin, note })
}

/// Reads the word of an origin.
pub(crate) fn read_origin(reader: &Reader<'_>, value: &ast::Value<'_>) -> Option<Origin> {
    let word = reader.text(value)?;
    let origin = Origin::of(&word);
    if origin.is_none() {
        let words = Origin::ALL.map(Origin::word);
        let near = nearest(&word, words).map_or_else(
            || format!("there are {}", words.join(", ")),
            |near| format!("did you mean {near:?}?"),
        );
        reader.blame(value.start(), format!("there is no origin {word:?}; {near}"));
    }
    origin
}

/// Reads a value of a kind; `null` is what is not known.
pub(crate) fn read_value(reader: &Reader<'_>, kind: Kind, value: &ast::Value<'_>) -> Option<Value> {
    match (kind, value) {
        (_, ast::Value::NullKeyword(_)) => Some(Value::Unknown),
        (Kind::Bool, _) => reader.flag(value).map(Value::Bool),
        (Kind::Number, _) => reader.number(value).map(Value::Number),
        (Kind::Text, _) => reader.text(value).map(Value::Text),
        (Kind::List, _) => reader.texts(value).map(Value::List),
    }
}
