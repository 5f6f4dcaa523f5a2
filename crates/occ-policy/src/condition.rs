//! Conditions over facts: tests of single facts, and how they are put together.

use std::fmt;

use jsonc_parser::ast::Value as Written;
use jsonc_parser::common::Ranged as _;
use serde::Serialize;

use crate::catalogue::{FactName, Kind};
use crate::document::{Fields, Reader};
use crate::fact::{Fact, Origin, Value};
use crate::facts::{Facts, read_origin, read_value};
use crate::truth::Truth;

/// What must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// All of these; all of nothing holds.
    All(Vec<Self>),
    /// At least one of these; any of nothing does not hold.
    Any(Vec<Self>),
    /// Not one of these; none of nothing holds.
    None(Vec<Self>),
    /// Not this. What is not known is not known the other way round either.
    Not(Box<Self>),
    /// A test of one fact.
    Fact(Test),
}

/// A test of one fact. It is neither passed nor failed while the fact is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Test {
    /// The fact.
    pub fact: FactName,
    /// What its value must be.
    pub wanted: Wanted,
    /// Whose word counts; said by anybody else the fact is not known. Empty for everybody's.
    pub from: Vec<Origin>,
}

/// What a fact's value must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// Anything, as long as it is known.
    Known,
    /// Exactly this.
    Is(Value),
    /// One of these texts.
    In(Vec<String>),
    /// A number that is not less.
    AtLeast(u64),
    /// A number that is not more.
    AtMost(u64),
    /// A list that has this text.
    Contains(String),
    /// A list that has something, or nothing.
    Empty(bool),
}

/// Whether a condition holds, and what decided that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Whether it holds.
    pub truth: Truth,
    /// The tests that decided it: the others could have come out in any way.
    pub because: Vec<Decider>,
}

/// A test that decided something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decider {
    /// The fact as it is.
    pub fact: Fact,
    /// What it was tested for, in words.
    pub wanted: String,
    /// How the test came out.
    pub truth: Truth,
    /// Whether the fact is known, but by somebody whose word does not count here.
    pub hearsay: bool,
}

impl Condition {
    /// Returns whether it holds, and what decided that.
    pub fn judge(&self, facts: &Facts) -> Outcome {
        let each = |parts: &[Self]| -> Vec<Outcome> {
            parts.iter().map(|part| part.judge(facts)).collect()
        };
        match self {
            Self::All(parts) => together(Truth::all, each(parts)),
            Self::Any(parts) => together(Truth::any, each(parts)),
            Self::None(parts) => opposite(together(Truth::any, each(parts))),
            Self::Not(part) => opposite(part.judge(facts)),
            Self::Fact(test) => test.judge(facts),
        }
    }

    /// Returns every fact it asks for.
    pub fn facts(&self) -> Vec<FactName> {
        match self {
            Self::All(parts) | Self::Any(parts) | Self::None(parts) => {
                parts.iter().flat_map(Self::facts).collect()
            }
            Self::Not(part) => part.facts(),
            Self::Fact(test) => vec![test.fact],
        }
    }

    /// Reads a condition.
    pub(crate) fn read(reader: &Reader<'_>, value: &Written<'_>) -> Option<Self> {
        let mut fields = Fields::of(reader, value)?;
        let chosen = fields.first_of(&["all", "any", "none", "not", "fact"]);
        let [(name, inner)] = chosen.as_slice() else {
            let what = "a condition has exactly one of: all, any, none, not, fact";
            reader.blame(value.start(), what);
            return None;
        };
        let read = match *name {
            "all" => conditions(reader, inner).map(Self::All),
            "any" => conditions(reader, inner).map(Self::Any),
            "none" => conditions(reader, inner).map(Self::None),
            "not" => Self::read(reader, inner).map(|part| Self::Not(Box::new(part))),
            _ => Test::read(&mut fields, inner, value.start()).map(Self::Fact),
        };
        fields.end();
        read
    }
}

fn conditions(reader: &Reader<'_>, value: &Written<'_>) -> Option<Vec<Condition>> {
    let read: Vec<_> =
        reader.elements(value)?.iter().map(|part| Condition::read(reader, part)).collect();
    read.into_iter().collect()
}

/// Puts outcomes together; those that came out as the whole did decided it.
fn together(put: impl Fn(Vec<Truth>) -> Truth, parts: Vec<Outcome>) -> Outcome {
    let truth = put(parts.iter().map(|part| part.truth).collect());
    let deciding = parts.into_iter().filter(|part| part.truth == truth);
    Outcome { truth, because: deciding.flat_map(|part| part.because).collect() }
}

fn opposite(outcome: Outcome) -> Outcome {
    Outcome { truth: !outcome.truth, ..outcome }
}

impl Test {
    fn judge(&self, facts: &Facts) -> Outcome {
        let fact = facts.get(self.fact);
        let counts = self.from.is_empty() || self.from.contains(&fact.origin);
        let truth = if counts { self.wanted.fits(&fact.value) } else { Truth::Unknown };
        let hearsay = !counts && fact.value.is_known();
        let wanted = self.to_string();
        Outcome { truth, because: vec![Decider { fact, wanted, truth, hearsay }] }
    }

    fn read(fields: &mut Fields<'_, '_>, fact: &Written<'_>, at: usize) -> Option<Self> {
        let reader = fields.reader;
        let wanted =
            fields.first_of(&["known", "is", "in", "atLeast", "atMost", "contains", "empty"]);
        let from = fields.take("from").map(|from| origins(reader, from));
        let name = reader.text(fact)?;
        let name = match FactName::parse(&name) {
            Ok(name) => name,
            Err(error) => {
                reader.blame(fact.start(), error.to_string());
                return None;
            }
        };
        let [(test, value)] = wanted.as_slice() else {
            let tests = "known, is, in, atLeast, atMost, contains, empty";
            reader.blame(at, format!("{name} is tested by exactly one of: {tests}"));
            return None;
        };
        let wanted = Wanted::read(reader, name, test, value)?;
        let from = match from {
            Some(from) => from?,
            None => Vec::new(),
        };
        Some(Self { fact: name, wanted, from })
    }
}

/// Reads whose word counts: at least somebody's.
fn origins(reader: &Reader<'_>, value: &Written<'_>) -> Option<Vec<Origin>> {
    let elements = reader.elements(value)?;
    if elements.is_empty() {
        reader
            .blame(value.start(), "nobody's word would count; leave \"from\" out for everybody's");
        return None;
    }
    let read: Vec<_> = elements
        .iter()
        .map(|element| match read_origin(reader, element)? {
            Origin::Unknown => {
                reader.blame(element.start(), "\"unknown\" is nobody, whose word cannot count");
                None
            }
            origin => Some(origin),
        })
        .collect();
    read.into_iter().collect()
}

impl Wanted {
    /// Returns whether a value is what is wanted.
    fn fits(&self, value: &Value) -> Truth {
        let fits = match (self, value) {
            (_, Value::Unknown) => return Truth::Unknown,
            (Self::Known, _) => true,
            (Self::Is(wanted), value) => wanted == value,
            (Self::In(wanted), Value::Text(text)) => wanted.contains(text),
            (Self::AtLeast(least), Value::Number(number)) => number >= least,
            (Self::AtMost(most), Value::Number(number)) => number <= most,
            (Self::Contains(text), Value::List(list)) => list.contains(text),
            (Self::Empty(empty), Value::List(list)) => list.is_empty() == *empty,
            // Both sides were read by the kind of the fact.
            _ => return Truth::Unknown,
        };
        fits.into()
    }

    fn read(reader: &Reader<'_>, name: FactName, test: &str, value: &Written<'_>) -> Option<Self> {
        let kind = name.known().kind;
        let only = |of: Kind| {
            let fits = kind == of;
            if !fits {
                let what = format!("{test:?} tests {}, and {name} is {}", of.name(), kind.name());
                reader.blame(value.start(), what);
            }
            fits.then_some(())
        };
        match test {
            "known" if reader.flag(value)? => Some(Self::Known),
            "known" => {
                let what = "only true can be asked for: what is not known approves nothing";
                reader.blame(value.start(), what);
                None
            }
            "is" if kind == Kind::List => {
                let what = format!("{name} is a list; test it with \"contains\" or \"empty\"");
                reader.blame(value.start(), what);
                None
            }
            "is" => match read_value(reader, kind, value)? {
                Value::Unknown => reader.expected(value, kind.name()),
                wanted => Some(Self::Is(wanted)),
            },
            "in" => {
                only(Kind::Text)?;
                reader.texts(value).map(Self::In)
            }
            "atLeast" => {
                only(Kind::Number)?;
                reader.number(value).map(Self::AtLeast)
            }
            "atMost" => {
                only(Kind::Number)?;
                reader.number(value).map(Self::AtMost)
            }
            "contains" => {
                only(Kind::List)?;
                reader.text(value).map(Self::Contains)
            }
            _ => {
                only(Kind::List)?;
                reader.flag(value).map(Self::Empty)
            }
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.fact, self.wanted)?;
        let words: Vec<&str> = self.from.iter().map(|origin| origin.name()).collect();
        if words.is_empty() { Ok(()) } else { write!(f, ", from {}", words.join(" or ")) }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known => f.write_str("is known"),
            Self::Is(value) => write!(f, "is {value}"),
            Self::In(texts) if texts.is_empty() => f.write_str("is one of nothing"),
            Self::In(texts) => write!(f, "is one of {}", texts.join(", ")),
            Self::AtLeast(least) => write!(f, "is at least {least}"),
            Self::AtMost(most) => write!(f, "is at most {most}"),
            Self::Contains(text) => write!(f, "has {text}"),
            Self::Empty(true) => f.write_str("is empty"),
            Self::Empty(false) => f.write_str("is not empty"),
        }
    }
}

impl fmt::Display for Decider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.fact, f)?;
        if self.hearsay { write!(f, "; it counts only where {}", self.wanted) } else { Ok(()) }
    }
}

/// The fact with its name, and what it was tested for.
impl Serialize for Decider {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("fact", &self.fact.name)?;
        map.serialize_entry("value", &self.fact.value.to_json())?;
        map.serialize_entry("from", &self.fact.origin)?;
        map.serialize_entry("note", &self.fact.note)?;
        map.serialize_entry("wanted", &self.wanted)?;
        map.serialize_entry("outcome", &self.truth)?;
        map.end()
    }
}
