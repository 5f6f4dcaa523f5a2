//! What an image is expected to be, and every difference.

use serde::Serialize;
use serde_json::Value;

use super::Identity;

/// What an image is expected to be.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expectation {
    /// Its id, or the digest of its manifest.
    Digest(String),
    /// What `occ identity --json` printed.
    Saved(Value),
}

/// Why an expectation cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is not what `occ identity --json` prints: {0}")]
pub(crate) struct ExpectationError(String);

/// One difference.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Difference {
    /// What differs, such as `layers/3` or `labels/org.opencontainers.image.version`.
    pub(crate) field: String,
    /// What was expected; `null` for nothing.
    pub(crate) expected: Value,
    /// What is.
    pub(crate) found: Value,
}

/// What says how and where it was asked for, not what it is. What is in the layers their digests decide.
const CIRCUMSTANCES: [&str; 3] = ["name", "sandbox", "layer_search"];

impl Expectation {
    /// Reads the text of a saved identity, with its envelope or without.
    pub(crate) fn saved(text: &str) -> Result<Self, ExpectationError> {
        let value: Value =
            serde_json::from_str(text).map_err(|error| ExpectationError(error.to_string()))?;
        let data = match value.get("schema").and_then(Value::as_str) {
            Some("occ/identity") => value["data"]["identity"].clone(),
            Some(other) => return Err(ExpectationError(format!("its schema is {other}"))),
            None => value,
        };
        for field in ["id", "layers", "environment"] {
            if data.get(field).is_none() {
                return Err(ExpectationError(format!("it has no {field:?}")));
            }
        }
        Ok(Self::Saved(data))
    }

    /// Returns every difference between this and an image.
    pub(crate) fn differences(&self, identity: &Identity) -> Vec<Difference> {
        match self {
            Self::Digest(digest) => {
                let known = identity.manifest_digests().chain([identity.id.as_str()]);
                let known: Vec<&str> = known.collect();
                if known.contains(&digest.as_str()) {
                    return Vec::new();
                }
                let (expected, found) = (digest.as_str().into(), known.into());
                vec![Difference { field: "digest".to_owned(), expected, found }]
            }
            Self::Saved(expected) => {
                let found = serde_json::to_value(identity).expect("an identity becomes JSON");
                let mut differences = Vec::new();
                compare("", &without(expected), &without(&found), &mut differences);
                differences
            }
        }
    }
}

fn without(identity: &Value) -> Value {
    let mut identity = identity.clone();
    if let Value::Object(fields) = &mut identity {
        fields.retain(|name, _| !CIRCUMSTANCES.contains(&name.as_str()));
    }
    identity
}

fn compare(path: &str, expected: &Value, found: &Value, differences: &mut Vec<Difference>) {
    let inner = |name: &str| match path {
        "" => name.to_owned(),
        path => format!("{path}/{name}"),
    };
    match (expected, found) {
        (Value::Object(one), Value::Object(other)) => {
            let more = other.keys().filter(|name| !one.contains_key(*name));
            for name in one.keys().chain(more) {
                compare(&inner(name), &expected[name], &found[name], differences);
            }
        }
        (Value::Array(one), Value::Array(other)) => {
            for index in 0..one.len().max(other.len()) {
                let at = |list: &[Value]| list.get(index).cloned().unwrap_or(Value::Null);
                compare(&inner(&(index + 1).to_string()), &at(one), &at(other), differences);
            }
        }
        _ if expected == found => {}
        _ => differences.push(Difference {
            field: path.to_owned(),
            expected: expected.clone(),
            found: found.clone(),
        }),
    }
}
