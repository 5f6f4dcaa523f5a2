//! Whom we believe: exact names, exact claims, keys.
//!
//! There are no patterns but one: what follows `@refs/tags/v` may be any version. Everything before it is
//! compared letter by letter, and nothing follows.

use std::fmt;
use std::str::FromStr;

use semver::Version;
use serde::{Deserialize, Serialize};
use sigstore_verify::types::DerPublicKey;

use crate::verdict::Signer;

/// How strict it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Only what is verified runs.
    Enforce,
    /// What is definitely not signed runs too, with a warning; everything else that is not verified does
    /// not.
    #[default]
    Warn,
    /// Nobody asks. That is somebody's choice, and it is shown.
    Off,
}

/// Whether a signature must say which name it is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Binding {
    /// It must: the repository at least.
    #[default]
    Required,
    /// It may leave that out, as cosign does since version 3. Where it says it, it must fit.
    WhereSigned,
}

/// Whom we believe.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Policy {
    /// How strict it is.
    #[serde(default)]
    pub mode: Mode,
    /// Whether a signature must say which name it is for.
    #[serde(default)]
    pub binding: Binding,
    /// Names in certificates.
    #[serde(default)]
    pub identities: Vec<Identity>,
    /// Keys.
    #[serde(default)]
    pub keys: Vec<PublicKey>,
}

impl Policy {
    /// Returns whether somebody is named.
    pub fn names(&self, signer: &Signer) -> bool {
        match signer {
            Signer::Certificate { issuer, subject, claims } => {
                self.identities.iter().any(|identity| identity.is(issuer, subject, claims))
            }
            Signer::Key { id } => self.keys.iter().any(|key| key.id() == *id),
        }
    }
}

/// A name in a certificate, and what else the certificate must say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Identity {
    /// Who vouches for the name (`https://token.actions.githubusercontent.com`).
    pub issuer: Text,
    /// The name: an address of a workflow, or an email address.
    pub subject: Rule,
    /// Repository that the workflow ran for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_repository: Option<Text>,
    /// Its number, which stays when it is renamed and does not come back when it is made again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_repository_id: Option<Text>,
    /// The number of its owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_owner_id: Option<Text>,
    /// Branch or tag that the workflow ran for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_ref: Option<Rule>,
    /// The workflow that asked for the certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_signer: Option<Rule>,
    /// Where it ran (`github-hosted`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runner_environment: Option<Text>,
    /// What made it run (`push`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_trigger: Option<Text>,
}

impl Identity {
    /// Names somebody without further claims.
    pub fn new(issuer: Text, subject: Rule) -> Self {
        Self {
            issuer,
            subject,
            source_repository: None,
            source_repository_id: None,
            source_owner_id: None,
            source_ref: None,
            build_signer: None,
            runner_environment: None,
            build_trigger: None,
        }
    }

    fn is(&self, issuer: &str, subject: &str, claims: &Claims) -> bool {
        let text = |wanted: &Option<Text>, got: &Option<String>| {
            wanted.as_ref().is_none_or(|wanted| got.as_deref() == Some(wanted.0.as_str()))
        };
        let rule = |wanted: &Option<Rule>, got: &Option<String>| {
            wanted.as_ref().is_none_or(|wanted| got.as_deref().is_some_and(|got| wanted.fits(got)))
        };
        self.issuer.0 == issuer
            && self.subject.fits(subject)
            && text(&self.source_repository, &claims.source_repository)
            && text(&self.source_repository_id, &claims.source_repository_id)
            && text(&self.source_owner_id, &claims.source_owner_id)
            && rule(&self.source_ref, &claims.source_ref)
            && rule(&self.build_signer, &claims.build_signer)
            && text(&self.runner_environment, &claims.runner_environment)
            && text(&self.build_trigger, &claims.build_trigger)
    }
}

/// What a certificate says besides the name (Fulcio's `oid-info.md`).
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "they are called as in Identity")]
pub struct Claims {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_repository: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_repository_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_owner_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_ref: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_digest: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_signer: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runner_environment: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_trigger: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
}

impl Claims {
    /// Returns whether nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Why a policy cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// A name is empty, or has a letter that no such name has: it was meant as a pattern.
    #[error("{0:?} is not an exact name; the one pattern is ...@refs/tags/v<semver>")]
    Pattern(String),
    /// A key cannot be read.
    #[error("this is not a public key in PEM form")]
    Key,
}

/// A text that is compared letter by letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Text(String);

impl FromStr for Text {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_meant_as_pattern = text.contains(['*', '^', '$', '<', '>', '\\', '|', '[', '(']);
        let is_odd =
            text.is_empty() || text.contains(|c: char| c.is_whitespace() || c.is_control());
        if is_meant_as_pattern || is_odd {
            return Err(PolicyError::Pattern(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

/// A text that is compared letter by letter, or up to the version in a tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Rule {
    /// Exactly this.
    Exact(Text),
    /// This, then `refs/tags/v`, then a version, then nothing.
    VersionTag(String),
}

/// How the one pattern is written.
const VERSION_TAG: &str = "refs/tags/v<semver>";

impl Rule {
    /// Returns whether a text is what was meant.
    pub fn fits(&self, text: &str) -> bool {
        match self {
            Self::Exact(exact) => exact.0 == text,
            Self::VersionTag(before) => text
                .strip_prefix(before.as_str())
                .and_then(|rest| rest.strip_prefix("refs/tags/v"))
                .is_some_and(|version| Version::parse(version).is_ok()),
        }
    }
}

impl FromStr for Rule {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some(before) = text.strip_suffix(VERSION_TAG) else {
            return text.parse().map(Self::Exact);
        };
        // Anchored: the whole name, up to the `@`, or only the ref itself.
        match before.strip_suffix('@') {
            Some(name) => name.parse().map(|Text(name)| Self::VersionTag(format!("{name}@"))),
            None if before.is_empty() => Ok(Self::VersionTag(String::new())),
            None => Err(PolicyError::Pattern(text.to_owned())),
        }
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(text) => fmt::Display::fmt(text, f),
            Self::VersionTag(before) => write!(f, "{before}{VERSION_TAG}"),
        }
    }
}

/// A public key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct PublicKey(DerPublicKey);

impl PublicKey {
    pub(crate) fn new(der: DerPublicKey) -> Self {
        Self(der)
    }

    pub(crate) fn der(&self) -> &DerPublicKey {
        &self.0
    }

    /// Returns the SHA-256 of the key, in hexadecimal digits.
    pub fn id(&self) -> String {
        occ_oci::Digest::sha256(self.0.as_bytes()).hex().to_owned()
    }

    /// Returns how bundles refer to the key: base64 of its SHA-256.
    pub fn hint(&self) -> String {
        use base64::Engine as _;
        let digest = ring::digest::digest(&ring::digest::SHA256, self.0.as_bytes());
        base64::engine::general_purpose::STANDARD.encode(digest)
    }

    /// Returns the key in PEM form.
    pub fn pem(&self) -> String {
        self.0.to_pem()
    }
}

impl FromStr for PublicKey {
    type Err = PolicyError;

    fn from_str(pem: &str) -> Result<Self, Self::Err> {
        let der = DerPublicKey::from_pem(pem).map_err(|_| PolicyError::Key)?;
        sigstore_verify::crypto::KeyAlgorithm::from_spki(&der).map_err(|_| PolicyError::Key)?;
        Ok(Self(der))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.id())
    }
}

/// Reads and writes as text.
macro_rules! as_text {
    ($($name:ident by $write:ident),*) => { $(
        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.$write()
            }
        }

        impl TryFrom<String> for $name {
            type Error = PolicyError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }
    )* };
}

as_text!(Text by to_string, Rule by to_string, PublicKey by pem);
