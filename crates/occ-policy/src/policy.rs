//! The policy: which rules an environment asks of an image, as people write it.

use std::collections::{BTreeMap, BTreeSet};

use jsonc_parser::ast::Value as Written;
use jsonc_parser::common::Ranged as _;

use crate::condition::Condition;
use crate::document::{DocumentError, Fields, Reader, nearest, read};
use crate::facts::Facts;
use crate::truth::Truth;
use crate::verdict::{Ruled, Verdict};

/// A policy; valid by construction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Rules by name.
    pub rules: BTreeMap<String, Rule>,
    /// Environments in the order of the file; at least one.
    pub environments: Vec<Environment>,
}

/// What must hold of an image, and what is said where it does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What must hold.
    pub when: Condition,
    /// The reason that is given where it does not hold or is not known to.
    pub otherwise: String,
    /// What can be done about it.
    pub advice: Option<String>,
}

/// A use that an image is put to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// Name on the command line.
    pub name: String,
    /// What it is, for people.
    pub title: String,
    /// Names of the rules that must hold; with none of them everything is approved.
    pub requires: Vec<String>,
    /// What goes with an approval.
    pub notes: Vec<Note>,
}

/// An obligation or limit that goes with an approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// What it says.
    pub say: String,
    /// It is left out where this is known to hold.
    pub unless: Option<Condition>,
}

/// The policy has no environment of that name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the policy has no environment {name:?}; it has {}", known.join(", "))]
pub struct UnknownEnvironment {
    /// The name.
    pub name: String,
    /// Those that there are.
    pub known: Vec<String>,
}

impl Policy {
    /// Reads a policy; `file` is its name in messages.
    ///
    /// # Errors
    /// All mistakes with their places.
    pub fn parse(file: &str, text: &str) -> Result<Self, DocumentError> {
        read(&format!("the policy {file}"), text, |fields| {
            let (rules, environments) = (fields.need("rules"), fields.need("environments"));
            Self::read(fields.reader, rules?, environments?)
        })
    }

    fn read(reader: &Reader<'_>, rules: &Written<'_>, environments: &Written<'_>) -> Option<Self> {
        let (mut known, mut places) = (BTreeMap::new(), BTreeMap::new());
        for (name, at, value) in reader.entries(rules)? {
            check_word(reader, at, "a rule", name);
            places.insert(name.to_owned(), at);
            // One that cannot be read is still one that can be named.
            known.insert(name.to_owned(), Rule::read(reader, value));
        }
        let entries = reader.entries(environments)?;
        if entries.is_empty() {
            reader.blame(environments.start(), "at least one environment is expected");
        }
        let mut read = Vec::new();
        for (name, at, value) in entries {
            check_word(reader, at, "an environment", name);
            read.extend(Environment::read(reader, name, value, &places));
        }
        let required: BTreeSet<&String> = read.iter().flat_map(|it| &it.requires).collect();
        for (name, at) in places.iter().filter(|(name, _)| !required.contains(name)) {
            reader.blame(*at, format!("no environment requires {name:?}"));
        }
        let rules =
            known.into_iter().map(|(name, rule)| Some((name, rule?))).collect::<Option<_>>();
        Some(Self { rules: rules?, environments: read })
    }

    /// Returns an environment.
    ///
    /// # Errors
    /// [`UnknownEnvironment`].
    pub fn environment(&self, name: &str) -> Result<&Environment, UnknownEnvironment> {
        self.environments.iter().find(|it| it.name == name).ok_or_else(|| UnknownEnvironment {
            name: name.to_owned(),
            known: self.environments.iter().map(|it| it.name.clone()).collect(),
        })
    }

    /// Judges an image for every environment, in the order of the policy.
    pub fn judge(&self, facts: &Facts) -> Vec<Verdict> {
        self.environments.iter().map(|environment| self.judge_for(environment, facts)).collect()
    }

    /// Judges an image for one environment of this policy: it is approved when every rule is known to hold.
    ///
    /// # Panics
    /// When the environment is of another policy.
    pub fn judge_for(&self, environment: &Environment, facts: &Facts) -> Verdict {
        let ruled = |name: &String| {
            let rule = self.rules.get(name).expect("an environment names rules that there are");
            let outcome = rule.when.judge(facts);
            Ruled {
                rule: name.clone(),
                truth: outcome.truth,
                otherwise: rule.otherwise.clone(),
                advice: rule.advice.clone(),
                because: outcome.because,
            }
        };
        let is_due = |note: &&Note| {
            let settled = note.unless.as_ref().map(|unless| unless.judge(facts).truth);
            settled != Some(Truth::Yes)
        };
        Verdict {
            environment: environment.name.clone(),
            title: environment.title.clone(),
            rules: environment.requires.iter().map(ruled).collect(),
            notes: environment.notes.iter().filter(is_due).map(|note| note.say.clone()).collect(),
        }
    }
}

impl Rule {
    fn read(reader: &Reader<'_>, value: &Written<'_>) -> Option<Self> {
        let mut fields = Fields::of(reader, value)?;
        let when = fields.need("when").and_then(|when| Condition::read(reader, when));
        let otherwise = fields.need("otherwise").and_then(|text| reader.text(text));
        let advice = fields.take("advice").map(|advice| reader.text(advice));
        fields.end();
        let advice = advice.map_or(Some(None), |advice| advice.map(Some));
        Some(Self { when: when?, otherwise: otherwise?, advice: advice? })
    }
}

impl Environment {
    fn read(
        reader: &Reader<'_>,
        name: &str,
        value: &Written<'_>,
        rules: &BTreeMap<String, usize>,
    ) -> Option<Self> {
        let mut fields = Fields::of(reader, value)?;
        let title = fields.need("title").and_then(|title| reader.text(title));
        let requires = fields.need("requires").and_then(|list| required(reader, list, rules));
        let notes = match fields.take("notes").map(|notes| reader.elements(notes)) {
            Some(notes) => {
                notes.map(|notes| notes.iter().filter_map(|it| Note::read(reader, it)).collect())
            }
            None => Some(Vec::new()),
        };
        fields.end();
        Some(Self { name: name.to_owned(), title: title?, requires: requires?, notes: notes? })
    }
}

fn required(
    reader: &Reader<'_>,
    value: &Written<'_>,
    rules: &BTreeMap<String, usize>,
) -> Option<Vec<String>> {
    let mut names: Vec<String> = Vec::new();
    for element in reader.elements(value)? {
        let Some(name) = reader.text(element) else { continue };
        if !rules.contains_key(&name) {
            let near = nearest(&name, rules.keys().map(String::as_str));
            let near = near.map_or_else(String::new, |near| format!("; did you mean {near:?}?"));
            reader.blame(element.start(), format!("there is no rule {name:?}{near}"));
        } else if names.contains(&name) {
            reader.blame(element.start(), format!("{name:?} is required twice"));
        }
        names.push(name);
    }
    Some(names)
}

impl Note {
    fn read(reader: &Reader<'_>, value: &Written<'_>) -> Option<Self> {
        if let Written::StringLit(_) = value {
            return Some(Self { say: reader.text(value)?, unless: None });
        }
        let mut fields = Fields::of(reader, value)?;
        let say = fields.need("say").and_then(|say| reader.text(say));
        let unless = fields.take("unless").map(|unless| Condition::read(reader, unless));
        fields.end();
        let unless = unless.map_or(Some(None), |unless| unless.map(Some));
        Some(Self { say: say?, unless: unless? })
    }
}

/// Names of rules and environments are words on command lines.
fn check_word(reader: &Reader<'_>, at: usize, what: &str, name: &str) {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_word = name.starts_with(plain) && name.chars().all(|c| plain(c) || c == '-');
    if !is_word {
        let what = format!("{name:?} is not a name of {what}: small letters, digits and hyphens");
        reader.blame(at, what);
    }
}
