//! cosign's first form: a document that names the image, and its signature in an annotation beside it; an
//! envelope likewise. The document is the only form that names a repository by itself.

use std::str::FromStr as _;

use jiff::Timestamp;
use occ_oci::{Annotations, Digest};
use serde::Deserialize;
use serde_json::{Value, json};
use sigstore_verify::types::{Bundle, pae};

use crate::check::{Bench, Checked, Failure, Says};
use crate::crypto;
use crate::envelope::{Envelope, decode};
use crate::json;
use crate::statement::{PAYLOAD_TYPE, Statement};
use crate::verdict::{Code, Reason, Signer};

pub(crate) const ANNOTATION_SIGNATURE: &str = "dev.cosignproject.cosign/signature";
pub(crate) const ANNOTATION_CERTIFICATE: &str = "dev.sigstore.cosign/certificate";
pub(crate) const ANNOTATION_CHAIN: &str = "dev.sigstore.cosign/chain";
pub(crate) const ANNOTATION_BUNDLE: &str = "dev.sigstore.cosign/bundle";
const ANNOTATION_STAMP: &str = "dev.sigstore.cosign/rfc3161timestamp";
/// What the document calls itself.
pub(crate) const KIND: &str = "cosign container image signature";

/// What the document says (containers/image, "atomic container signature").
#[derive(Debug, Clone)]
pub(crate) struct Named {
    /// The repository, maybe with a tag.
    pub(crate) reference: String,
    /// What else was signed.
    pub(crate) annotations: Annotations,
}

#[derive(Deserialize)]
struct Document {
    critical: Critical,
    #[serde(default)]
    optional: Option<serde_json::Map<String, Value>>,
}

#[derive(Deserialize)]
struct Critical {
    #[serde(rename = "type")]
    kind: String,
    image: Image,
    identity: Identity,
}

#[derive(Deserialize)]
struct Image {
    #[serde(rename = "docker-manifest-digest")]
    digest: String,
}

#[derive(Deserialize)]
struct Identity {
    #[serde(rename = "docker-reference")]
    reference: String,
}

/// Verifies a document with its annotations.
pub(crate) fn signature(
    bench: &Bench<'_>,
    payload: &[u8],
    beside: &Annotations,
) -> Result<Checked, Failure> {
    let document: Document = json::parse(payload)?;
    let Critical { kind, image, identity } = document.critical;
    if kind != KIND && kind != "atomic container signature" {
        return Err(Reason::new(Code::StatementType, format!("it calls itself {kind:?}")).into());
    }
    let is_it = Digest::from_str(&image.digest).is_ok_and(|it| it == *bench.of);
    if !is_it {
        return Err(Reason::new(Code::OtherSubject, format!("it is about {}", image.digest)).into());
    }
    let text = |(name, value): (String, Value)| Some((name, value.as_str()?.to_owned()));
    let annotations = document.optional.unwrap_or_default().into_iter().filter_map(text).collect();
    let signature = beside.get(ANNOTATION_SIGNATURE);
    let signature =
        signature.ok_or_else(|| Reason::new(Code::Bundle, "the signature is missing"))?;
    let (signer, times) = if beside.contains_key(ANNOTATION_CERTIFICATE) {
        let content = ("messageSignature", json!({ "signature": signature }));
        let bundle = bundle(beside, content)?;
        crypto::over(payload, || bench.by_certificate(&bundle, payload))?
    } else {
        by_any_key(bench, payload, &decode(signature)?)?
    };
    let says = Says::Named(Named { reference: identity.reference, annotations });
    Ok(Checked { signer, times, says })
}

/// Verifies an envelope with its annotations.
pub(crate) fn attestation(
    bench: &Bench<'_>,
    bytes: &[u8],
    beside: &Annotations,
) -> Result<Checked, Failure> {
    let envelope: Envelope = json::parse(bytes)?;
    let opened = envelope.open()?;
    let statement = Statement::parse(&opened.payload, true)?;
    statement.about(bench.of)?;
    let (signer, times) = if beside.contains_key(ANNOTATION_CERTIFICATE) {
        let envelope: Value = json::parse(bytes)?;
        bench.by_certificate(&bundle(beside, ("dsseEnvelope", envelope))?, bench.artifact()?)?
    } else {
        by_any_key(bench, &pae(PAYLOAD_TYPE, &opened.payload), &opened.signature)?
    };
    Ok(Checked { signer, times, says: Says::Statement(statement) })
}

/// Without a certificate nothing says whose key it is.
fn by_any_key(
    bench: &Bench<'_>,
    message: &[u8],
    signature: &[u8],
) -> Result<(Signer, Vec<Timestamp>), Failure> {
    let fits =
        bench.policy.keys.iter().find(|key| bench.signed_by(key, message, signature).is_ok());
    let key = fits.ok_or_else(|| Failure::Stranger(Signer::Key { id: "unknown".to_owned() }))?;
    Ok((Signer::Key { id: key.id() }, Vec::new()))
}

/// What the log said, as cosign keeps it.
#[derive(Deserialize)]
struct OldBundle {
    #[serde(rename = "SignedEntryTimestamp")]
    promise: String,
    #[serde(rename = "Payload")]
    payload: OldPayload,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OldPayload {
    body: String,
    integrated_time: i64,
    log_index: i64,
    #[serde(rename = "logID")]
    log_id: String,
}

#[derive(Deserialize)]
struct Logged {
    kind: String,
    #[serde(rename = "apiVersion")]
    version: String,
}

/// Puts the annotations together to a bundle of the first version, which has the log's promise only.
fn bundle(beside: &Annotations, (field, content): (&str, Value)) -> Result<Bundle, Reason> {
    let missing = |what: &str| Reason::new(Code::Bundle, format!("there is no {what} with it"));
    let log = beside.get(ANNOTATION_BUNDLE).ok_or_else(|| missing("log entry"))?;
    let log: OldBundle = json::parse(log.as_bytes())?;
    let body: Logged = json::parse(&decode(&log.payload.body)?)?;
    let certificate = beside.get(ANNOTATION_CERTIFICATE).ok_or_else(|| missing("certificate"))?;
    let stamps: Vec<_> = match beside.get(ANNOTATION_STAMP) {
        Some(stamp) => {
            let stamp: Value = json::parse(stamp.as_bytes())?;
            vec![json!({ "signedTimestamp": stamp["SignedRFC3161Timestamp"] })]
        }
        None => Vec::new(),
    };
    let document = json!({
        "mediaType": "application/vnd.dev.sigstore.bundle+json;version=0.1",
        "verificationMaterial": {
            "x509CertificateChain": { "certificates": [{ "rawBytes": unpem(certificate)? }] },
            "tlogEntries": [{
                "logIndex": log.payload.log_index.to_string(),
                "logId": { "keyId": unhex(&log.payload.log_id)? },
                "kindVersion": { "kind": body.kind, "version": body.version },
                "integratedTime": log.payload.integrated_time.to_string(),
                "inclusionPromise": { "signedEntryTimestamp": log.promise },
                "canonicalizedBody": log.payload.body,
            }],
            "timestampVerificationData": { "rfc3161Timestamps": stamps },
        },
        field: content,
    });
    Bundle::from_json(&document.to_string())
        .map_err(|error| Reason::new(Code::Bundle, error.to_string()))
}

/// Returns the base64 of a certificate in PEM form.
fn unpem(text: &str) -> Result<String, Reason> {
    let wrong = |_| Reason::new(Code::Certificate, "the certificate cannot be read");
    sigstore_verify::types::DerCertificate::from_pem(text)
        .map(|certificate| encode(certificate.as_bytes()))
        .map_err(wrong)
}

fn unhex(text: &str) -> Result<String, Reason> {
    let byte = |at: usize| text.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let bytes: Option<Vec<u8>> = (0..text.len()).step_by(2).map(byte).collect();
    bytes.map(|bytes| encode(&bytes)).ok_or_else(|| Reason::new(Code::Malformed, "logID"))
}

fn encode(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
