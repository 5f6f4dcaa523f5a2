//! Whether an image may be used somewhere, and what decided that.

use serde::ser::{Serialize, SerializeMap as _, Serializer};

use crate::condition::Decider;
use crate::truth::Truth;

/// Whether an image may be used in an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Name of the environment.
    pub environment: String,
    /// What it is, for people.
    pub title: String,
    /// Every rule of it, with how it came out.
    pub rules: Vec<Ruled>,
    /// What goes with an approval.
    pub notes: Vec<String>,
}

/// How one rule came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruled {
    /// Name of the rule.
    pub rule: String,
    /// Whether it holds.
    pub truth: Truth,
    /// The reason that is given where it does not hold or is not known to.
    pub otherwise: String,
    /// What can be done about it.
    pub advice: Option<String>,
    /// What decided it.
    pub because: Vec<Decider>,
}

impl Verdict {
    /// Returns whether it may: every rule is known to hold.
    pub fn is_approved(&self) -> bool {
        Truth::all(self.rules.iter().map(|ruled| ruled.truth)) == Truth::Yes
    }

    /// Returns the rules that stand against it, in the order of the policy.
    pub fn reasons(&self) -> impl Iterator<Item = &Ruled> {
        self.rules.iter().filter(|ruled| ruled.truth != Truth::Yes)
    }

    /// Returns the verdict in a word.
    pub fn word(&self) -> &'static str {
        if self.is_approved() { "approved" } else { "prohibited" }
    }
}

impl Ruled {
    /// Returns what is said of it: the reason, and where that is so, that it is not known.
    pub fn reason(&self) -> String {
        match self.truth {
            Truth::Unknown => format!("{} (not known)", self.otherwise),
            _ => self.otherwise.clone(),
        }
    }
}

impl Serialize for Verdict {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let approved = self.is_approved();
        let notes: &[String] = if approved { &self.notes } else { &[] };
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("environment", &self.environment)?;
        map.serialize_entry("title", &self.title)?;
        map.serialize_entry("verdict", self.word())?;
        map.serialize_entry("reasons", &self.reasons().collect::<Vec<_>>())?;
        map.serialize_entry("notes", notes)?;
        map.serialize_entry("rules", &self.rules)?;
        map.end()
    }
}

impl Serialize for Ruled {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("rule", &self.rule)?;
        map.serialize_entry("holds", &self.truth)?;
        if self.truth != Truth::Yes {
            map.serialize_entry("reason", &self.otherwise)?;
            map.serialize_entry("advice", &self.advice)?;
        }
        map.serialize_entry("because", &self.because)?;
        map.end()
    }
}
