//! One signature: whether it is one, whose, when, and what it says. Names are not compared here.

use jiff::Timestamp;
use occ_oci::{Algorithm, Digest};
use serde::Deserialize;
use serde_json::Value;
use sigstore_verify::crypto::{FulcioCiClaims, KeyAlgorithm, verify_signature};
use sigstore_verify::types::{
    Artifact, ArtifactDigest, Bundle, HashAlgorithm, SignatureBytes, pae,
};
use sigstore_verify::{
    CertificateError, Error, PublicKeyVerificationPolicy, SubjectAltName, TimestampError,
    TransparencyLogError, VerificationPolicy, VerificationResult,
};

use crate::crypto;
use crate::envelope::{Envelope, Opened, decode};
use crate::evidence::Content;
use crate::json;
use crate::legacy;
use crate::policy::{Claims, Policy, PublicKey};
use crate::root::TrustRoot;
use crate::statement::{PAYLOAD_TYPE, Statement};
use crate::verdict::{Code, Reason, Signer};

/// What verifies.
pub(crate) struct Bench<'a> {
    pub(crate) root: &'a TrustRoot,
    pub(crate) policy: &'a Policy,
    /// The digest of the bytes that are to be signed, which we hashed.
    pub(crate) of: &'a Digest,
}

/// A signature that is one.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) signer: Signer,
    pub(crate) times: Vec<Timestamp>,
    pub(crate) says: Says,
}

/// What was signed.
#[derive(Debug)]
pub(crate) enum Says {
    Statement(Statement),
    /// The old form, which is always a signature.
    Named(legacy::Named),
}

/// What came of looking at something.
#[derive(Debug)]
pub(crate) enum Outcome {
    Checked(Box<Checked>),
    /// It is signed by a key that nobody named, so that nothing could be verified.
    Stranger(Signer),
    Rejected(Reason),
    /// It is no signature and does not look like one.
    Irrelevant(String),
    Unfetched(String),
}

impl Bench<'_> {
    /// Looks at something.
    pub(crate) fn look(&self, content: &Content) -> Outcome {
        let looked = match content {
            Content::Bundle(bytes) => self.bundle(bytes),
            Content::SimpleSigning(payload, beside) => legacy::signature(self, payload, beside),
            Content::Envelope(bytes, beside) => legacy::attestation(self, bytes, beside),
            Content::Other(kind) => return Outcome::Irrelevant(kind.clone()),
            Content::Refused(reason) => Err(reason.clone().into()),
            Content::Unfetched(why) => return Outcome::Unfetched(why.clone()),
        };
        match looked {
            Ok(checked) => Outcome::Checked(Box::new(checked)),
            Err(Failure::Stranger(signer)) => Outcome::Stranger(signer),
            Err(Failure::Reason(reason)) => Outcome::Rejected(reason),
        }
    }

    fn bundle(&self, bytes: &[u8]) -> Result<Checked, Failure> {
        let document: BundleDocument = json::parse(bytes)?;
        let envelope = document.dsse_envelope.ok_or_else(|| {
            Reason::new(Code::PayloadType, "the bundle holds a bare signature, no statement")
        })?;
        let opened = envelope.open()?;
        let statement = Statement::parse(&opened.payload, false)?;
        // Our own comparison; the crate makes its own.
        statement.about(self.of)?;
        let text = std::str::from_utf8(bytes).map_err(|_| Reason::new(Code::Malformed, ""))?;
        let bundle = Bundle::from_json(text)
            .map_err(|error| Reason::new(Code::Bundle, error.to_string()))?;
        let (signer, times) = match document.verification_material.public_key {
            Some(key) => self.by_key(&bundle, &key.hint, &opened)?,
            None => self.by_certificate(&bundle, self.artifact()?)?,
        };
        Ok(Checked { signer, times, says: Says::Statement(statement) })
    }

    /// Returns the digest as the crate has it.
    pub(crate) fn artifact(&self) -> Result<Artifact<'static>, Reason> {
        let algorithm = match self.of.algorithm() {
            Algorithm::Sha256 => HashAlgorithm::Sha2256,
            Algorithm::Sha512 => HashAlgorithm::Sha2512,
        };
        let byte = |at: usize| u8::from_str_radix(self.of.hex().get(at..at + 2)?, 16).ok();
        let bytes: Option<Vec<u8>> = (0..self.of.hex().len()).step_by(2).map(byte).collect();
        ArtifactDigest::new(algorithm, bytes.unwrap_or_default())
            .map(Artifact::Digest)
            .map_err(|error| Reason::new(Code::OtherSubject, error.to_string()))
    }

    /// Verifies a bundle of somebody whom a certificate names.
    pub(crate) fn by_certificate<'a>(
        &self,
        bundle: &Bundle,
        artifact: impl Into<Artifact<'a>>,
    ) -> Result<(Signer, Vec<Timestamp>), Reason> {
        let policy = VerificationPolicy::any_identity();
        let verified = self.root.verifier().verify(artifact, bundle, &policy);
        let verified = verified.map_err(|error| reason(&error))?;
        let is_whole =
            verified.certificate_verified() && verified.sct_verified() && verified.tlog_verified();
        if !is_whole {
            return Err(Reason::new(Code::Bundle, "not everything was verified"));
        }
        Ok((signer(&verified)?, verified.verified_timestamps().to_vec()))
    }

    /// Verifies a bundle of the owner of a key. The key is what is trusted: a log is not needed, but what
    /// it says must be right.
    fn by_key(
        &self,
        bundle: &Bundle,
        hint: &str,
        opened: &Opened,
    ) -> Result<(Signer, Vec<Timestamp>), Failure> {
        let key = self.key(hint)?;
        self.signed_by(key, &pae(PAYLOAD_TYPE, &opened.payload), &opened.signature)?;
        let id = Signer::Key { id: key.id() };
        if bundle.verification_material.tlog_entries.is_empty() {
            return Ok((id, Vec::new()));
        }
        let policy = PublicKeyVerificationPolicy::new(key.der().clone());
        let verified = self.root.verifier().verify(self.artifact()?, bundle, &policy);
        let verified = verified.map_err(|error| reason(&error))?;
        Ok((id, verified.verified_timestamps().to_vec()))
    }

    /// Finds the key that a hint is for; an empty one stands for the only key there is.
    pub(crate) fn key(&self, hint: &str) -> Result<&PublicKey, Failure> {
        let keys = &self.policy.keys;
        let only = keys.first().filter(|_| hint.is_empty() && keys.len() == 1);
        keys.iter()
            .find(|key| key.hint() == hint || key.id() == hint)
            .or(only)
            .ok_or_else(|| Failure::Stranger(Signer::Key { id: of_hint(hint) }))
    }

    /// Verifies that the owner of a key signed a message.
    #[expect(clippy::unused_self, reason = "the bench is what verifies")]
    pub(crate) fn signed_by(
        &self,
        key: &PublicKey,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), Reason> {
        crypto::ready();
        let wrong =
            |error: sigstore_verify::crypto::Error| Reason::new(Code::Signature, error.to_string());
        let kind = KeyAlgorithm::from_spki(key.der()).map_err(wrong)?;
        let signature = SignatureBytes::new(signature.to_vec());
        verify_signature(key.der(), message, &signature, kind.default_signing_scheme())
            .map_err(wrong)
    }
}

/// A verified statement about anything: a package, an archive.
#[derive(Debug, Clone, PartialEq)]
pub struct Stated {
    /// Who stated it.
    pub signer: Signer,
    /// When, by logs and timestamp authorities.
    pub times: Vec<Timestamp>,
    /// Kind.
    pub predicate_type: String,
    /// What it says.
    pub predicate: Value,
}

/// Verifies a bundle with a statement about the bytes of a digest, which the caller has hashed. Who may
/// state that is for the caller to say ([`Policy::names`]), which must also name the keys to be known here.
///
/// # Errors
/// Why it is no good; also [`Code::WrongIdentity`] for a key that the policy does not name.
pub fn verify_statement(
    root: &TrustRoot,
    policy: &Policy,
    bundle: &[u8],
    of: &Digest,
) -> Result<Stated, Reason> {
    let checked = Bench { root, policy, of }.bundle(bundle).map_err(|failure| match failure {
        Failure::Reason(reason) => reason,
        Failure::Stranger(signer) => {
            Reason::new(Code::WrongIdentity, format!("it was signed by {signer}"))
        }
    })?;
    let Checked { signer, times, says } = checked;
    match says {
        Says::Statement(Statement { predicate_type, predicate, .. }) => {
            Ok(Stated { signer, times, predicate_type, predicate })
        }
        Says::Named(_) => Err(Reason::new(Code::StatementType, "")),
    }
}

/// Why a signature does not count.
#[derive(Debug)]
pub(crate) enum Failure {
    Reason(Reason),
    Stranger(Signer),
}

impl From<Reason> for Failure {
    fn from(reason: Reason) -> Self {
        Self::Reason(reason)
    }
}

/// As much of a bundle as is looked at here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BundleDocument {
    dsse_envelope: Option<Envelope>,
    verification_material: Material,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Material {
    public_key: Option<Hint>,
    /// What else there is is read by others.
    #[serde(flatten)]
    _others: std::collections::BTreeMap<String, Value>,
}

#[derive(Deserialize)]
struct Hint {
    #[serde(default)]
    hint: String,
}

/// Returns the hexadecimal digits of the hash in a hint, or the hint where it is none.
fn of_hint(hint: &str) -> String {
    let hash = decode(hint).ok().filter(|hash| hash.len() == 32);
    let hex = |hash: Vec<u8>| hash.iter().map(|byte| format!("{byte:02x}")).collect();
    hash.map_or_else(|| hint.chars().take(64).collect(), hex)
}

fn signer(verified: &VerificationResult) -> Result<Signer, Reason> {
    let nameless =
        |what: &str| Reason::new(Code::Certificate, format!("the certificate has no {what}"));
    let issuer = verified.issuer().ok_or_else(|| nameless("issuer"))?.to_owned();
    let name = verified.identity().ok_or_else(|| nameless("name"))?;
    // An address of a place and one of a person never read alike, so that the text alone says which it is.
    let is_place = name.as_str().contains("://");
    let is_of_its_kind = match name {
        SubjectAltName::Uri(_) => is_place,
        SubjectAltName::Email(_) => !is_place,
        _ => false,
    };
    if !is_of_its_kind {
        return Err(Reason::new(Code::Certificate, format!("{name} is a name of another kind")));
    }
    let subject = name.as_str().to_owned();
    let claims = verified.certificate().map(|certificate| claims(&certificate.ci_claims));
    Ok(Signer::Certificate { issuer, subject, claims: Box::new(claims.unwrap_or_default()) })
}

fn claims(from: &FulcioCiClaims) -> Claims {
    Claims {
        source_repository: from.source_repository_uri.clone(),
        source_repository_id: from.source_repository_identifier.clone(),
        source_owner_id: from.source_repository_owner_identifier.clone(),
        source_ref: from.source_repository_ref.clone(),
        source_digest: from.source_repository_digest.clone(),
        build_signer: from.build_signer_uri.clone(),
        runner_environment: from.runner_environment.clone(),
        build_trigger: from.build_trigger.clone(),
        run: from.run_invocation_uri.clone(),
    }
}

/// Gives the crate's errors our codes, by their structure.
pub(crate) fn reason(error: &Error) -> Reason {
    let code = match error {
        Error::SignatureInvalid(_) => Code::Signature,
        Error::ArtifactMismatch(_) => Code::OtherSubject,
        Error::Certificate(error) => match error {
            CertificateError::Sct(_) => Code::Sct,
            CertificateError::NotYetValid { .. } | CertificateError::Expired { .. } => {
                Code::CertificateTime
            }
            _ => Code::Certificate,
        },
        Error::TransparencyLog(error) => match error {
            TransparencyLogError::EntryMismatch(_) => Code::LogEntry,
            TransparencyLogError::IntegratedTime(_) => Code::Timestamp,
            _ => Code::Log,
        },
        Error::Timestamp(TimestampError::NoVerifiedTimestamp(_)) => Code::NoTime,
        Error::Timestamp(_) => Code::Timestamp,
        _ => Code::Bundle,
    };
    Reason::new(code, error.to_string())
}
