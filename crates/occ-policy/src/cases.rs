//! Cases: facts, and the verdicts that a policy must come to.

use std::io;

use jsonc_parser::ast::Value as Written;
use jsonc_parser::common::Ranged as _;
use serde::Serialize;

use crate::document::{DocumentError, Fields, Reader, read};
use crate::facts::Facts;
use crate::policy::Policy;
use crate::verdict::Verdict;

/// Brings a file of facts that a case names, by the name it has there.
pub type ReadFacts<'a> = &'a dyn Fn(&str) -> io::Result<String>;

/// Cases in the order of the file; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cases(pub Vec<Case>);

/// Facts, and what must be said of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// What it shows.
    pub name: String,
    /// The facts.
    pub facts: Facts,
    /// Environments with what is expected there; at least one.
    pub expect: Vec<(String, Expected)>,
}

/// What is expected in an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// It is approved.
    Approved,
    /// It is approved, and exactly these notes go with that.
    ApprovedWith(Vec<String>),
    /// It is prohibited, for whatever reasons.
    Prohibited,
    /// It is prohibited, and exactly these rules stand against it, in this order.
    ProhibitedBy(Vec<String>),
}

/// How one expectation came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tested {
    /// Name of the case.
    pub case: String,
    /// The environment.
    pub environment: String,
    /// Whether it came out as expected.
    pub passed: bool,
    /// What was expected.
    pub expected: String,
    /// What came out.
    pub got: String,
}

impl Cases {
    /// Reads cases; `file` is its name in messages, `facts` brings the files of facts that they name.
    ///
    /// # Errors
    /// All mistakes with their places; one in a file of facts stands where that is named.
    pub fn parse(file: &str, text: &str, facts: ReadFacts<'_>) -> Result<Self, DocumentError> {
        read(&format!("the file of cases {file}"), text, |fields| {
            let reader = fields.reader;
            let list = fields.need("cases")?;
            let elements = reader.elements(list)?;
            if elements.is_empty() {
                reader.blame(list.start(), "without a case nothing is tested");
            }
            Some(Self(elements.iter().filter_map(|it| Case::read(reader, it, facts)).collect()))
        })
    }

    /// Lets a policy judge every case.
    pub fn test(&self, policy: &Policy) -> Vec<Tested> {
        self.0.iter().flat_map(|case| case.test(policy)).collect()
    }
}

impl Case {
    fn test(&self, policy: &Policy) -> Vec<Tested> {
        let test = |(environment, expected): &(String, Expected)| {
            let (passed, got) = match policy.environment(environment) {
                Ok(found) => {
                    let verdict = policy.judge_for(found, &self.facts);
                    (expected.fits(&verdict), expected.kind_of(&verdict).describe())
                }
                Err(error) => (false, error.to_string()),
            };
            let (case, environment) = (self.name.clone(), environment.clone());
            Tested { case, environment, passed, expected: expected.describe(), got }
        };
        self.expect.iter().map(test).collect()
    }

    fn read(reader: &Reader<'_>, value: &Written<'_>, read: ReadFacts<'_>) -> Option<Self> {
        let mut fields = Fields::of(reader, value)?;
        let name = fields.need("name").and_then(|name| reader.text(name));
        let facts = match fields.first_of(&["facts", "file"]).as_slice() {
            [("facts", facts)] => Facts::read(reader, facts),
            [("file", file)] => from_file(reader, file, read),
            _ => {
                reader.blame(value.start(), "a case has either \"facts\" or a \"file\" of them");
                None
            }
        };
        let expect = fields.need("expect").and_then(|expect| expectations(reader, expect));
        fields.end();
        Some(Self { name: name?, facts: facts?, expect: expect? })
    }
}

fn from_file(reader: &Reader<'_>, value: &Written<'_>, read: ReadFacts<'_>) -> Option<Facts> {
    let name = reader.text(value)?;
    let text = match read(&name) {
        Ok(text) => text,
        Err(error) => {
            reader.blame(value.start(), format!("cannot read {name}: {error}"));
            return None;
        }
    };
    match Facts::parse(&name, &text) {
        Ok(facts) => Some(facts),
        Err(error) => {
            let first = error.problems.first();
            let place = first.map_or_else(String::new, |problem| {
                format!(": line {}, column {}: {}", problem.line, problem.column, problem.what)
            });
            reader.blame(value.start(), format!("{} is invalid{place}", error.file));
            None
        }
    }
}

fn expectations(reader: &Reader<'_>, value: &Written<'_>) -> Option<Vec<(String, Expected)>> {
    let entries = reader.entries(value)?;
    if entries.is_empty() {
        reader.blame(value.start(), "a case expects something of at least one environment");
    }
    let mut read = Vec::new();
    for (name, _, value) in entries {
        read.push((name.to_owned(), Expected::read(reader, value)?));
    }
    Some(read)
}

impl Expected {
    fn read(reader: &Reader<'_>, value: &Written<'_>) -> Option<Self> {
        if let Written::StringLit(literal) = value {
            return match &*literal.value {
                "approved" => Some(Self::Approved),
                "prohibited" => Some(Self::Prohibited),
                _ => reader.expected(value, "\"approved\" or \"prohibited\""),
            };
        }
        let mut fields = Fields::of(reader, value)?;
        let read = match fields.first_of(&["approved", "prohibited"]).as_slice() {
            [("approved", notes)] => reader.texts(notes).map(Self::ApprovedWith),
            [(_, rules)] => reader.texts(rules).map(Self::ProhibitedBy),
            _ => {
                let what =
                    "either \"approved\" with notes or \"prohibited\" with rules is expected";
                reader.blame(value.start(), what);
                None
            }
        };
        fields.end();
        read
    }

    fn fits(&self, verdict: &Verdict) -> bool {
        *self == self.kind_of(verdict)
    }

    /// Returns a verdict as closely as this expectation looks.
    fn kind_of(&self, verdict: &Verdict) -> Self {
        match (self, verdict.is_approved()) {
            (Self::ApprovedWith(_), true) => Self::ApprovedWith(verdict.notes.clone()),
            (_, true) => Self::Approved,
            (Self::Prohibited, false) => Self::Prohibited,
            (_, false) => {
                Self::ProhibitedBy(verdict.reasons().map(|ruled| ruled.rule.clone()).collect())
            }
        }
    }

    fn describe(&self) -> String {
        let with = |word: &str, list: &[String]| match list {
            [] => format!("{word} nothing"),
            some => format!("{word} {}", some.join("; ")),
        };
        match self {
            Self::Approved => "approved".to_owned(),
            Self::ApprovedWith(notes) => with("approved with", notes),
            Self::Prohibited => "prohibited".to_owned(),
            Self::ProhibitedBy(rules) => with("prohibited by", rules),
        }
    }
}
