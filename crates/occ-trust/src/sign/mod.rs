//! Signing: a statement, an envelope around it, and what proves who signed it and when.

mod attach;
mod key;
mod legacy;
mod provenance;
mod services;
mod statement;
mod token;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use occ_registry::Registries;
use serde_json::{Value, json};
use sigstore_verify::types::{DerCertificate, TransparencyLogEntry, pae};

pub use attach::{Attachment, attach, attach_all, attach_legacy, referrer};
pub use key::{KeyError, SigningKey};
pub use legacy::{LegacySignature, sign_legacy};
pub use provenance::{BUILD_TYPE, Builder, LOCAL_BUILDER, Provenance, Resource, slsa_level};
use services::{Counter, Verifier};
pub use services::{LogKind, Services};
pub use statement::{Label, NotABill, ToSign};
pub use token::{Ambient, IdentityToken};

use crate::statement::PAYLOAD_TYPE;

/// Why something could not be signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A service could not be asked, or refused.
    #[error("a signing service does not answer")]
    Service(#[from] occ_registry::Error),
    /// A service answered with something else than it should.
    #[error("a signing service answered, but not with {0}")]
    Answer(&'static str),
    /// The token is none.
    #[error("this is no identity token")]
    Token,
    /// The old form of signatures needs a log of the old kind.
    #[error("the old form of signatures cannot be logged in a log of the new kind")]
    OldLogOnly,
}

/// What is signed with.
#[derive(Debug, Clone, Copy)]
pub enum SigningWith<'a> {
    /// A key that others have the public half of; nothing is logged, and no network is used.
    Key(&'a SigningKey),
    /// A key that others have the public half of, and a log.
    LoggedKey {
        /// The key.
        key: &'a SigningKey,
        /// The way to the services.
        way: &'a Registries,
        /// The services.
        services: &'a Services,
    },
    /// A key that is made for this and thrown away, and a certificate for whom the token says we are.
    Keyless {
        /// Who we are.
        token: &'a IdentityToken,
        /// The way to the services.
        way: &'a Registries,
        /// The services.
        services: &'a Services,
    },
}

/// A signed statement (Sigstore bundle, version 0.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    bytes: Bytes,
    predicate_type: String,
}

impl Bundle {
    /// Reads a bundle that was made before; none when it is no such document. Nothing is verified.
    pub fn read(bytes: Bytes) -> Option<Self> {
        let bundle: Value = serde_json::from_slice(&bytes).ok()?;
        let payload = STANDARD.decode(bundle["dsseEnvelope"]["payload"].as_str()?).ok()?;
        let statement: Value = serde_json::from_slice(&payload).ok()?;
        let predicate_type = statement["predicateType"].as_str()?.to_owned();
        Some(Self { bytes, predicate_type })
    }

    /// Returns the document.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Returns the kind of statement in it.
    pub fn predicate_type(&self) -> &str {
        &self.predicate_type
    }
}

/// A message and its signature.
pub(super) struct Signed<'a> {
    message: &'a [u8],
    signature: &'a [u8],
}

/// A certificate, and those above it in PEM form.
struct Certified {
    certificate: DerCertificate,
    above: Vec<String>,
}

/// A key that signs now, with its certificate.
enum Ready<'a> {
    Key(&'a SigningKey),
    Certified(Box<SigningKey>, Box<Certified>),
}

impl Ready<'_> {
    fn key(&self) -> &SigningKey {
        match self {
            Self::Key(key) => key,
            Self::Certified(key, _) => key,
        }
    }

    fn certified(&self) -> Option<&Certified> {
        match self {
            Self::Key(_) => None,
            Self::Certified(_, certified) => Some(certified),
        }
    }

    fn verifier(&self) -> Verifier<'_> {
        match self {
            Self::Key(key) => Verifier::Key(key),
            Self::Certified(_, certified) => Verifier::Certificate(&certified.certificate),
        }
    }
}

impl<'a> SigningWith<'a> {
    fn counter(&self) -> Option<Counter<'a>> {
        match *self {
            Self::Key(_) => None,
            Self::LoggedKey { way, services, .. } | Self::Keyless { way, services, .. } => {
                Some(Counter { way, services })
            }
        }
    }

    async fn ready(&self) -> Result<Ready<'a>, SignError> {
        match *self {
            Self::Key(key) | Self::LoggedKey { key, .. } => Ok(Ready::Key(key)),
            Self::Keyless { token, way, services } => {
                let (key, _) = SigningKey::generate()?;
                let (certificate, above) = Counter { way, services }.certify(token, &key).await?;
                let certified = Box::new(Certified { certificate, above });
                Ok(Ready::Certified(Box::new(key), certified))
            }
        }
    }

    async fn log_bare(
        &self,
        ready: &Ready<'_>,
        signed: &Signed<'_>,
    ) -> Result<TransparencyLogEntry, SignError> {
        let counter = self.counter().ok_or(SignError::Answer("a log"))?;
        counter.log_bare(signed, &ready.verifier()).await
    }
}

/// Signs a statement.
///
/// # Errors
/// [`SignError`].
pub async fn sign(with: &SigningWith<'_>, statement: &ToSign) -> Result<Bundle, SignError> {
    let ready = with.ready().await?;
    let message = pae(PAYLOAD_TYPE, &statement.payload);
    let signature = ready.key().sign(&message)?;
    let envelope = json!({
        "payload": encode(&statement.payload),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [{ "sig": encode(&signature) }],
    });
    let (entry, stamp) = match with.counter() {
        Some(counter) => {
            let signed = Signed { message: &message, signature: &signature };
            // The time is signed first: a log of the new kind wants none, but readers want one.
            let stamp = counter.stamp(&signature).await?;
            let entry = counter.log_envelope(&signed, &envelope, &ready.verifier()).await?;
            (Some(entry), stamp)
        }
        None => (None, None),
    };
    let bytes = bundle(&ready, &envelope, entry.as_ref(), stamp.as_deref())?;
    Ok(Bundle { bytes, predicate_type: statement.predicate_type.clone() })
}

fn bundle(
    ready: &Ready<'_>,
    envelope: &Value,
    entry: Option<&TransparencyLogEntry>,
    stamp: Option<&[u8]>,
) -> Result<Bytes, SignError> {
    let mut material = json!({});
    match ready.certified() {
        Some(certified) => {
            let raw = encode(certified.certificate.as_bytes());
            material["certificate"] = json!({ "rawBytes": raw });
        }
        None => material["publicKey"] = json!({ "hint": ready.key().public().hint() }),
    }
    if let Some(entry) = entry {
        let entry = serde_json::to_value(entry).map_err(|_| SignError::Answer("a log entry"))?;
        material["tlogEntries"] = json!([entry]);
    }
    if let Some(stamp) = stamp {
        let stamps = json!([{ "signedTimestamp": encode(stamp) }]);
        material["timestampVerificationData"] = json!({ "rfc3161Timestamps": stamps });
    }
    let bundle = json!({
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": material,
        "dsseEnvelope": envelope,
    });
    Ok(bundle.to_string().into())
}

pub(super) fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}
