//! The services of a Sigstore instance, asked in their own protocols: Fulcio, Rekor (both kinds), and
//! timestamp authorities (RFC 3161).

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use occ_registry::{Errand, Registries, Secret, Verb};
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::Deserialize;
use serde_json::{Value, json};
use sigstore_verify::rekor::LogEntry;
use sigstore_verify::types::{DerCertificate, KindVersion, TransparencyLogEntry};

use super::key::SigningKey;
use super::token::IdentityToken;
use super::{SignError, Signed};

/// Largest answer that is read, in bytes.
const LIMIT: usize = 1024 * 1024;
const JSON: &str = "application/json";

/// How a log is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogKind {
    /// Rekor, first version, which signs the time as well.
    Old,
    /// Rekor, second version, which needs a timestamp authority beside it.
    New,
}

/// Where the services are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Services {
    /// The certificate authority (Fulcio).
    pub authority: String,
    /// The log (Rekor), and how it is spoken to.
    pub log: (String, LogKind),
    /// The timestamp authority.
    pub timestamps: Option<String>,
}

impl Services {
    /// Returns Sigstore's public ones.
    pub fn public() -> Self {
        Self {
            authority: "https://fulcio.sigstore.dev".to_owned(),
            log: ("https://rekor.sigstore.dev".to_owned(), LogKind::Old),
            timestamps: Some("https://timestamp.sigstore.dev/api/v1/timestamp".to_owned()),
        }
    }
}

/// Who signed, as logs want to know it.
pub(super) enum Verifier<'a> {
    Certificate(&'a DerCertificate),
    Key(&'a SigningKey),
}

impl Verifier<'_> {
    fn pem(&self) -> String {
        match self {
            Self::Certificate(certificate) => certificate.to_pem(),
            Self::Key(key) => key.public().pem(),
        }
    }
}

/// The services and the way to them.
pub(super) struct Counter<'a> {
    pub(super) way: &'a Registries,
    pub(super) services: &'a Services,
}

#[derive(Deserialize)]
struct Certified {
    #[serde(rename = "signedCertificateEmbeddedSct")]
    with_sct: CertifiedChain,
}

#[derive(Deserialize)]
struct CertifiedChain {
    chain: Chain,
}

#[derive(Deserialize)]
struct Chain {
    certificates: Vec<String>,
}

impl Counter<'_> {
    /// Has a key certified; returns the certificate and those above it.
    pub(super) async fn certify(
        &self,
        token: &IdentityToken,
        key: &SigningKey,
    ) -> Result<(DerCertificate, Vec<String>), SignError> {
        let proof = key.sign(token.proof()?.as_bytes())?;
        let body = json!({
            "credentials": { "oidcIdentityToken": token.secret().expose() },
            "publicKeyRequest": {
                "publicKey": { "algorithm": "ECDSA", "content": key.public().pem() },
                "proofOfPossession": STANDARD.encode(proof),
            },
        });
        let url = format!("{}/api/v2/signingCert", self.services.authority);
        let answer: Certified = read(&self.post(&url, JSON, body.to_string(), JSON).await?)?;
        let mut certificates = answer.with_sct.chain.certificates;
        if certificates.is_empty() {
            return Err(SignError::Answer("no certificate"));
        }
        let leaf = DerCertificate::from_pem(&certificates.remove(0))
            .map_err(|_| SignError::Answer("a certificate"))?;
        Ok((leaf, certificates))
    }

    /// Has a signature of an envelope logged.
    pub(super) async fn log_envelope(
        &self,
        signed: &Signed<'_>,
        envelope: &Value,
        by: &Verifier<'_>,
    ) -> Result<TransparencyLogEntry, SignError> {
        if self.services.log.1 == LogKind::New {
            return self.log_new(signed, by).await;
        }
        let proposed = json!({
            "apiVersion": "0.0.1",
            "kind": "dsse",
            "spec": { "proposedContent": {
                "envelope": envelope.to_string(),
                "verifiers": [STANDARD.encode(by.pem())],
            }},
        });
        self.log_old(&proposed, KindVersion::DsseV001).await
    }

    /// Has a bare signature logged in a log of the old kind.
    pub(super) async fn log_bare(
        &self,
        signed: &Signed<'_>,
        by: &Verifier<'_>,
    ) -> Result<TransparencyLogEntry, SignError> {
        if self.services.log.1 == LogKind::New {
            return Err(SignError::OldLogOnly);
        }
        let proposed = json!({
            "apiVersion": "0.0.1",
            "kind": "hashedrekord",
            "spec": {
                "data": { "hash": {
                    "algorithm": "sha256",
                    "value": occ_oci::Digest::sha256(signed.message).hex(),
                }},
                "signature": {
                    "content": STANDARD.encode(signed.signature),
                    "publicKey": { "content": STANDARD.encode(by.pem()) },
                },
            },
        });
        self.log_old(&proposed, KindVersion::HashedRekordV001).await
    }

    async fn log_old(
        &self,
        proposed: &Value,
        kind: KindVersion,
    ) -> Result<TransparencyLogEntry, SignError> {
        let url = format!("{}/api/v1/log/entries", self.services.log.0);
        let answer = self.post(&url, JSON, proposed.to_string(), JSON).await?;
        let entries: BTreeMap<String, LogEntry> = read(&answer)?;
        let mut entries = entries.into_values();
        match (entries.next(), entries.next()) {
            (Some(entry), None) => {
                entry.to_bundle_entry(kind).map_err(|_| SignError::Answer("a log entry"))
            }
            _ => Err(SignError::Answer("one log entry")),
        }
    }

    async fn log_new(
        &self,
        signed: &Signed<'_>,
        by: &Verifier<'_>,
    ) -> Result<TransparencyLogEntry, SignError> {
        let (field, bytes) = match by {
            Verifier::Certificate(certificate) => ("x509Certificate", certificate.as_bytes()),
            Verifier::Key(key) => ("publicKey", key.public().der().as_bytes()),
        };
        let asked = json!({ "hashedRekordRequestV002": {
            "digest": STANDARD.encode(digest(&SHA256, signed.message)),
            "signature": {
                "content": STANDARD.encode(signed.signature),
                "verifier": {
                    "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                    field: { "rawBytes": STANDARD.encode(bytes) },
                },
            },
        }});
        let url = format!("{}/api/v2/log/entries", self.services.log.0);
        read(&self.post(&url, JSON, asked.to_string(), JSON).await?)
    }

    /// Has the time of a signature signed; none when there is nobody to ask.
    pub(super) async fn stamp(&self, signature: &[u8]) -> Result<Option<Bytes>, SignError> {
        let Some(url) = &self.services.timestamps else { return Ok(None) };
        let asked = time_stamp_request(digest(&SHA256, signature).as_ref())?;
        let kind = "application/timestamp-query";
        let token = self.post(url, kind, asked, "application/timestamp-reply").await?;
        Ok(Some(token))
    }

    async fn post(
        &self,
        url: &str,
        kind: &'static str,
        body: impl Into<Bytes>,
        accept: &'static str,
    ) -> Result<Bytes, SignError> {
        let (url, verb) = (Secret::new(url), Verb::Post(kind, body.into()));
        let errand = Errand { url, verb, accept, bearer: None, limit: LIMIT };
        Ok(self.way.errand(&errand).await?)
    }
}

fn read<T: serde::de::DeserializeOwned>(answer: &[u8]) -> Result<T, SignError> {
    serde_json::from_slice(answer).map_err(|_| SignError::Answer("what was asked for"))
}

/// Writes a request for a timestamp (RFC 3161, 2.4.1): version 1, the hash, a nonce, the certificate
/// wanted. All lengths are known, so it is put together by hand.
fn time_stamp_request(hash: &[u8]) -> Result<Vec<u8>, SignError> {
    let mut nonce = [0; 8];
    SystemRandom::new().fill(&mut nonce).map_err(|_| SignError::Answer("randomness"))?;
    // A positive number without leading zeros.
    nonce[0] = nonce[0] & 0x7f | 0x40;
    let algorithm = [0x30, 11, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];
    let mut imprint = vec![0x30, 13 + 34];
    imprint.extend(algorithm);
    imprint.extend([4, 32]);
    imprint.extend(hash);
    let mut request = vec![0x30, 3 + 49 + 10 + 3, 2, 1, 1];
    request.extend(imprint);
    request.extend([2, 8]);
    request.extend(nonce);
    request.extend([1, 1, 0xff]);
    Ok(request)
}
