//! What can be said about an image's signatures: one of five things, and never yes or no.

use std::fmt;

use jiff::Timestamp;
use occ_oci::{Annotations, ManifestDigest};
use serde::{Deserialize, Serialize};

use crate::policy::Claims;
use crate::root::RootVersion;

/// What was found out.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Verdict {
    /// Somebody whom the policy names signed these bytes under this name.
    Verified(Box<Proof>),
    /// It is signed, and by nobody whom the policy names.
    WrongIdentity {
        /// Who signed.
        found: Vec<Signer>,
    },
    /// There are signatures, and none is good.
    Invalid {
        /// What is wrong with the first; the findings have the others.
        reason: Reason,
    },
    /// Whoever was asked answered, and there is nothing.
    Unsigned,
    /// It could not be found out.
    Unknown {
        /// What could not be asked or read.
        missing: Vec<String>,
    },
}

impl Verdict {
    /// Returns the word for it, as in the JSON form.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Verified(_) => "verified",
            Self::WrongIdentity { .. } => "wrong-identity",
            Self::Invalid { .. } => "invalid",
            Self::Unsigned => "unsigned",
            Self::Unknown { .. } => "unknown",
        }
    }
}

/// What was proved.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Proof {
    /// Who signed.
    pub signer: Signer,
    /// Kinds of statements that the policy's signers made about the image, sorted.
    pub predicates: Vec<String>,
    /// When it was signed, by logs and timestamp authorities; none for a key without a log.
    pub times: Vec<Timestamp>,
    /// With which trust root.
    pub trust_root: RootVersion,
    /// Of what.
    pub subject: ManifestDigest,
    /// What was signed about it: `ref`, `version`, `seq` and whatever else.
    pub annotations: Annotations,
    /// What was stated about it besides the signature.
    #[serde(skip)]
    pub attestations: Vec<Attestation>,
}

/// Annotation with the repository, or repository and tag, that a signature is for.
pub const ANNOTATION_REF: &str = "ref";
/// Annotation with the version, which is the tag without the `v`.
pub const ANNOTATION_VERSION: &str = "version";
/// Annotation with a number that grows with every release.
pub const ANNOTATION_SEQ: &str = "seq";

impl Proof {
    /// Returns the signed release number.
    pub fn seq(&self) -> Option<u64> {
        self.annotations.get(ANNOTATION_SEQ)?.parse().ok()
    }

    /// Returns the signed version.
    pub fn version(&self) -> Option<&str> {
        self.annotations.get(ANNOTATION_VERSION).map(String::as_str)
    }
}

/// A verified statement beside the signature, such as provenance.
#[derive(Debug, Clone, PartialEq)]
pub struct Attestation {
    /// Kind.
    pub predicate_type: String,
    /// Who made it.
    pub signer: Signer,
    /// What it says.
    pub predicate: serde_json::Value,
}

/// Who signed something.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "kebab-case")]
pub enum Signer {
    /// Somebody whom a certificate names.
    Certificate {
        /// Who vouched for the name.
        issuer: String,
        /// The name.
        subject: String,
        /// What else the certificate says.
        #[serde(default, skip_serializing_if = "Claims::is_empty")]
        claims: Box<Claims>,
    },
    /// The owner of a key.
    Key {
        /// SHA-256 of the public key, in hexadecimal digits.
        id: String,
    },
}

impl Signer {
    /// Returns whether it is the same somebody; further claims may differ from time to time.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Certificate { issuer, subject, .. },
                Self::Certificate { issuer: other_issuer, subject: other_subject, .. },
            ) => issuer == other_issuer && subject == other_subject,
            (Self::Key { id }, Self::Key { id: other }) => id == other,
            _ => false,
        }
    }
}

impl fmt::Display for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate { issuer, subject, .. } => write!(f, "{subject} (by {issuer})"),
            Self::Key { id } => write!(f, "key {}", id.get(..12).unwrap_or(id)),
        }
    }
}

/// Why something is no good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{}", if detail.is_empty() { code.meaning() } else { detail })]
pub struct Reason {
    /// What kind of thing it is; it does not change between versions.
    pub code: Code,
    /// The same for people.
    pub detail: String,
}

impl Reason {
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }
}

/// Kinds of findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// It is not the document that it should be.
    Malformed,
    /// A field is there twice.
    DuplicateKey,
    /// Something follows the document.
    TrailingData,
    /// Base64 that is not the one way to write these bytes.
    Base64,
    /// The envelope has not exactly one signature.
    SignatureCount,
    /// The envelope has something else than a statement in it.
    PayloadType,
    /// The statement is none of in-toto's, first version.
    StatementType,
    /// It states something else than a signature.
    PredicateType,
    /// It is about other bytes.
    OtherSubject,
    /// It was signed for another repository.
    OtherRepository,
    /// It was signed for another tag or version.
    OtherVersion,
    /// What name it is for was not signed.
    Unbound,
    /// The signature does not fit.
    Signature,
    /// The certificate is none of a known authority, or malformed.
    Certificate,
    /// The certificate was not valid when it was used.
    CertificateTime,
    /// The log of certificates did not see the certificate.
    Sct,
    /// The log did not take the signature, or is not a known one.
    Log,
    /// The log entry is of something else.
    LogEntry,
    /// The signed time does not fit.
    Timestamp,
    /// No time was signed.
    NoTime,
    /// It was signed later than the present moment.
    Future,
    /// The bundle lacks something.
    Bundle,
    /// It is too large.
    TooLarge,
    /// It was listed with this image, and is about another.
    NotAbout,
    /// Nobody whom the policy names signed it.
    WrongIdentity,
    /// It is no signature.
    NotASignature,
    /// It could not be fetched.
    Unfetched,
    /// One of the places could not be asked.
    Unasked,
    /// There is more than is looked at.
    TooMany,
    /// One registry lists what another does not.
    RegistriesDiffer,
}

impl Code {
    /// Returns the word for it, as in the JSON form.
    pub fn name(self) -> String {
        serde_json::to_value(self)
            .ok()
            .and_then(|value| value.as_str().map(str::to_owned))
            .unwrap_or_default()
    }

    /// Returns what it means.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Malformed => "it is not the document that it should be",
            Self::DuplicateKey => "a field is there twice",
            Self::TrailingData => "something follows the document",
            Self::Base64 => "its base64 is not canonical",
            Self::SignatureCount => "it does not have exactly one signature",
            Self::PayloadType => "it holds no statement",
            Self::StatementType => "it is no in-toto statement of version 1",
            Self::PredicateType => "it states something else than a signature",
            Self::OtherSubject => "it is about other bytes",
            Self::OtherRepository => "it was signed for another repository",
            Self::OtherVersion => "it was signed for another version",
            Self::Unbound => "the name that it is for was not signed",
            Self::Signature => "the signature does not fit",
            Self::Certificate => "the trust root knows no authority of its certificate",
            Self::CertificateTime => "its certificate was not valid when it was used",
            Self::Sct => "the log of certificates does not know its certificate",
            Self::Log => "the log did not take it",
            Self::LogEntry => "its log entry is of something else",
            Self::Timestamp => "its signed time does not fit",
            Self::NoTime => "no time was signed with it",
            Self::Future => "it was signed in the future of this machine's clock",
            Self::Bundle => "it lacks something",
            Self::TooLarge => "it is too large",
            Self::NotAbout => "it is about another image",
            Self::WrongIdentity => "it was signed by somebody else",
            Self::NotASignature => "it is no signature",
            Self::Unfetched => "it could not be fetched",
            Self::Unasked => "a place could not be asked",
            Self::TooMany => "there is more than is looked at",
            Self::RegistriesDiffer => "one registry lists what another does not",
        }
    }
}

/// Something that was looked at and did not count, or that somebody should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Where.
    pub registry: String,
    /// What: a digest, or the place of a list.
    pub of: String,
    /// Why.
    #[serde(flatten)]
    pub reason: Reason,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}: {}", self.of, self.registry, self.reason)
    }
}
