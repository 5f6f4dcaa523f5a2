//! Signatures with whatever flaw a test wants.

use serde_json::{Value, json};

use super::Instance;
use super::certificate::{Sct, Who};
use super::key::{Key, base64, pem, sha256};
use super::log::{Entry, Signer};
use super::stamp::{Asked, stamp};

/// Where a signature is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Logged {
    /// In a log of the old kind, which also signs the time.
    Old,
    /// In a log of the new kind, which does not.
    New,
    /// Nowhere.
    Nowhere,
}

/// A signature to be made. Moments are seconds beside the present one.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Who signs.
    pub who: Who,
    /// What is signed.
    pub payload: Vec<u8>,
    /// What it says it is.
    pub payload_type: String,
    /// From when to when the certificate is valid.
    pub lifetime: (i64, i64),
    /// When it is logged.
    pub logged_at: i64,
    /// What the log of certificates says.
    pub sct: Sct,
    /// Where it is logged.
    pub logged: Logged,
    /// When a timestamp authority saw it.
    pub stamped_at: Option<i64>,
}

impl Draft {
    /// A signature of a statement without a flaw.
    pub fn of(who: &Who, statement: &Value) -> Self {
        Self {
            who: who.clone(),
            payload: statement.to_string().into_bytes(),
            payload_type: "application/vnd.in-toto+json".to_owned(),
            lifetime: (-60, 540),
            logged_at: -30,
            sct: Sct::Good,
            logged: Logged::Old,
            stamped_at: None,
        }
    }
}

/// A bare signature of the old form, as annotations of a layer.
#[derive(Debug, Clone)]
pub struct OldSignature {
    /// Base64 of the signature.
    pub signature: String,
    /// The certificate.
    pub certificate: String,
    /// Certificates above it.
    pub chain: String,
    /// What the log said.
    pub bundle: String,
}

/// Returns what is signed of an envelope (DSSE protocol, PAE).
fn encoded(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

impl Instance {
    /// Makes a bundle (version 0.3).
    pub(super) fn bundle(&mut self, draft: &Draft) -> Value {
        let now = super::now();
        let key = Key::new();
        let lifetime = (now + draft.lifetime.0, now + draft.lifetime.1);
        let log = (&self.certificates, draft.sct);
        let certificate = self.intermediate.leaf(&draft.who, &key.spki(), lifetime, log);
        let signed = encoded(&draft.payload_type, &draft.payload);
        let signature = key.sign(&signed);
        let envelope = json!({
            "payload": base64(&draft.payload),
            "payloadType": draft.payload_type,
            "signatures": [{ "sig": base64(&signature) }],
        });
        let by = Signer::Certificate(certificate.clone());
        let at = now + draft.logged_at;
        let text = envelope.to_string();
        let entries = match draft.logged {
            Logged::Nowhere => Vec::new(),
            Logged::Old => {
                let entry =
                    Entry::Dsse { envelope: &text, payload: &draft.payload, signature: &signature };
                vec![self.old_log.add(&entry, &by, at)]
            }
            Logged::New => {
                let entry = Entry::HashedNew { sha256: sha256(&signed), signature: &signature };
                vec![self.new_log.add(&entry, &by, at)]
            }
        };
        let stamps: Vec<_> = draft
            .stamped_at
            .map(|at| stamp(&self.stamper, &Asked::about(&signature), now + at))
            .map(|token| json!({ "signedTimestamp": base64(&token) }))
            .into_iter()
            .collect();
        json!({
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {
                "certificate": { "rawBytes": base64(&certificate) },
                "tlogEntries": entries,
                "timestampVerificationData": { "rfc3161Timestamps": stamps },
            },
            "dsseEnvelope": envelope,
        })
    }

    /// Signs bytes in the old form.
    pub(super) fn old_signature(&mut self, who: &Who, payload: &[u8]) -> OldSignature {
        let now = super::now();
        let key = Key::new();
        let log = (&self.certificates, Sct::Good);
        let certificate = self.intermediate.leaf(who, &key.spki(), (now - 60, now + 540), log);
        let signature = key.sign(payload);
        let by = Signer::Certificate(certificate.clone());
        let entry = Entry::Hashed { sha256: sha256(payload), signature: &signature };
        OldSignature {
            signature: base64(&signature),
            certificate: pem("CERTIFICATE", &certificate),
            chain: self.chain(),
            bundle: old_bundle(&self.old_log.add(&entry, &by, now - 30)).to_string(),
        }
    }

    /// Signs a statement in the old form: the envelope, and what stands beside it.
    pub(super) fn old_attestation(
        &mut self,
        who: &Who,
        statement: &Value,
    ) -> (Value, OldSignature) {
        let bundle = self.bundle(&Draft::of(who, statement));
        let material = &bundle["verificationMaterial"];
        let raw = material["certificate"]["rawBytes"].as_str().expect("a certificate");
        let certificate = super::decode(raw).expect("base64");
        let annotations = OldSignature {
            signature: String::new(),
            certificate: pem("CERTIFICATE", &certificate),
            chain: self.chain(),
            bundle: old_bundle(&material["tlogEntries"][0]).to_string(),
        };
        (bundle["dsseEnvelope"].clone(), annotations)
    }

    fn chain(&self) -> String {
        let above = [&self.intermediate, &self.root];
        above.map(|authority| pem("CERTIFICATE", &authority.certificate)).concat()
    }
}

/// Turns a log entry into the form that cosign's annotation has.
fn old_bundle(entry: &Value) -> Value {
    let number = |field: &str| entry[field].as_str().and_then(|text| text.parse::<i64>().ok());
    let id = super::decode(entry["logId"]["keyId"].as_str().unwrap_or_default());
    json!({
        "SignedEntryTimestamp": entry["inclusionPromise"]["signedEntryTimestamp"],
        "Payload": {
            "body": entry["canonicalizedBody"],
            "integratedTime": number("integratedTime"),
            "logIndex": number("logIndex"),
            "logID": super::key::hex(&id.unwrap_or_default()),
        },
    })
}
