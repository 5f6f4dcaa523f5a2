//! Statements (in-toto Statement v1): what is said about which bytes.

use std::collections::BTreeMap;

use occ_oci::{Annotations, Digest};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::json;
use crate::verdict::{Code, Reason};

/// What a statement calls itself.
pub(crate) const STATEMENT: &str = "https://in-toto.io/Statement/v1";
/// What an envelope with a statement says it holds.
pub(crate) const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// The one kind of statement that is a signature.
pub const SIGNATURE: &str = "https://sigstore.dev/cosign/sign/v1";
/// Provenance (SLSA, first version).
pub const PROVENANCE: &str = "https://slsa.dev/provenance/v1";
/// A bill of materials.
pub const CYCLONE_DX: &str = "https://cyclonedx.org/bom";
/// Kinds of statements that are understood beside a signature.
pub(crate) const UNDERSTOOD: [&str; 5] = [
    PROVENANCE,
    "https://slsa.dev/provenance/v0.2",
    "https://slsa.dev/verification_summary/v1",
    CYCLONE_DX,
    "https://spdx.dev/Document",
];

/// A statement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Statement {
    #[serde(rename = "_type")]
    pub(crate) kind: String,
    pub(crate) subject: Vec<Subject>,
    #[serde(rename = "predicateType")]
    pub(crate) predicate_type: String,
    #[serde(default)]
    pub(crate) predicate: Value,
}

/// What a statement is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Subject {
    #[serde(default)]
    pub(crate) name: String,
    pub(crate) digest: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) annotations: BTreeMap<String, Value>,
}

impl Statement {
    /// Reads a statement; `attested_before_v1` lets the older version of the old form pass.
    pub(crate) fn parse(payload: &[u8], is_old_form: bool) -> Result<Self, Reason> {
        let statement: Self = json::parse(payload)?;
        let is_old = is_old_form && statement.kind == "https://in-toto.io/Statement/v0.1";
        if statement.kind != STATEMENT && !is_old {
            return Err(Reason::new(Code::StatementType, statement.kind));
        }
        Ok(statement)
    }

    /// Returns what is signed about the bytes of this digest: the annotations of the subject that they
    /// are.
    pub(crate) fn about(&self, digest: &Digest) -> Result<Annotations, Reason> {
        let algorithm = digest.algorithm().name();
        let is_it = |subject: &&Subject| {
            subject.digest.get(algorithm).map(String::as_str) == Some(digest.hex())
        };
        let subject = self.subject.iter().find(is_it).ok_or_else(|| {
            let others: Vec<_> =
                self.subject.iter().filter_map(|subject| subject.digest.get(algorithm)).collect();
            let others = others.iter().take(3).map(|hex| format!("{hex:.12}")).collect::<Vec<_>>();
            Reason::new(Code::OtherSubject, format!("it is about {} instead", others.join(", ")))
        })?;
        let text = |(name, value): (&String, &Value)| {
            value.as_str().map(|value| (name.clone(), value.to_owned())).ok_or_else(|| {
                Reason::new(Code::Malformed, format!("the annotation {name} is no text"))
            })
        };
        subject.annotations.iter().map(text).collect()
    }
}
