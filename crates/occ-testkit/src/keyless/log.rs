//! A log of signatures (Rekor), old kind and new kind, with its tree (RFC 6962, 2.1).

use serde_json::{Value, json};

use super::key::{Key, base64, hex, pem, sha256};

/// Entries of a log and the key that signs its state.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) key: Key,
    pub(super) origin: &'static str,
    leaves: Vec<Vec<u8>>,
}

/// Who signed, as entries have it.
#[derive(Debug, Clone)]
pub(super) enum Signer {
    Certificate(Vec<u8>),
    PublicKey(Vec<u8>),
}

impl Signer {
    fn pem(&self) -> String {
        match self {
            Self::Certificate(bytes) => pem("CERTIFICATE", bytes),
            Self::PublicKey(bytes) => pem("PUBLIC KEY", bytes),
        }
    }
}

/// What is logged.
pub(super) enum Entry<'a> {
    /// An envelope in a log of the old kind.
    Dsse { envelope: &'a str, payload: &'a [u8], signature: &'a [u8] },
    /// Bytes in a log of the old kind.
    Hashed { sha256: Vec<u8>, signature: &'a [u8] },
    /// Bytes in a log of the new kind.
    HashedNew { sha256: Vec<u8>, signature: &'a [u8] },
}

impl Entry<'_> {
    fn kind(&self) -> Value {
        match self {
            Self::Dsse { .. } => json!({ "kind": "dsse", "version": "0.0.1" }),
            Self::Hashed { .. } => json!({ "kind": "hashedrekord", "version": "0.0.1" }),
            Self::HashedNew { .. } => json!({ "kind": "hashedrekord", "version": "0.0.2" }),
        }
    }

    /// Returns what stands in the log; fields are sorted.
    fn body(&self, by: &Signer) -> Vec<u8> {
        let hashed = |bytes: &[u8]| json!({ "algorithm": "sha256", "value": hex(bytes) });
        let body = match self {
            Self::Dsse { envelope, payload, signature } => json!({
                "apiVersion": "0.0.1",
                "kind": "dsse",
                "spec": {
                    "envelopeHash": hashed(&sha256(envelope.as_bytes())),
                    "payloadHash": hashed(&sha256(payload)),
                    "signatures": [{
                        "signature": base64(signature),
                        "verifier": base64(by.pem().as_bytes()),
                    }],
                },
            }),
            Self::Hashed { sha256, signature } => json!({
                "apiVersion": "0.0.1",
                "kind": "hashedrekord",
                "spec": {
                    "data": { "hash": hashed(sha256) },
                    "signature": {
                        "content": base64(signature),
                        "publicKey": { "content": base64(by.pem().as_bytes()) },
                    },
                },
            }),
            Self::HashedNew { sha256, signature } => {
                let (field, bytes) = match by {
                    Signer::Certificate(bytes) => ("x509Certificate", bytes),
                    Signer::PublicKey(bytes) => ("publicKey", bytes),
                };
                json!({
                    "apiVersion": "0.0.2",
                    "kind": "hashedrekord",
                    "spec": { "hashedRekordV002": {
                        "data": { "algorithm": "SHA2_256", "digest": base64(sha256) },
                        "signature": {
                            "content": base64(signature),
                            "verifier": {
                                "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                                field: { "rawBytes": base64(bytes) },
                            },
                        },
                    }},
                })
            }
        };
        body.to_string().into_bytes()
    }
}

impl Log {
    /// Makes a log with one entry of nobody's: readers take the number 0 for a missing one.
    pub(super) fn new(origin: &'static str) -> Self {
        Self { key: Key::new(), origin, leaves: vec![leaf(b"the first")] }
    }

    /// Adds an entry and returns it as bundles have it; `moment` is when that was, for the old kind.
    pub(super) fn add(&mut self, entry: &Entry<'_>, by: &Signer, moment: i64) -> Value {
        let body = entry.body(by);
        self.leaves.push(leaf(&body));
        let index = self.leaves.len() - 1;
        let root = root(&self.leaves);
        let proof = json!({
            "logIndex": index.to_string(),
            "rootHash": base64(&root),
            "treeSize": self.leaves.len().to_string(),
            "hashes": path(index, &self.leaves).iter().map(|hash| base64(hash)).collect::<Vec<_>>(),
            "checkpoint": { "envelope": self.checkpoint(&root) },
        });
        let mut out = json!({
            "logIndex": index.to_string(),
            "logId": { "keyId": base64(&self.key.id()) },
            "kindVersion": entry.kind(),
            "inclusionProof": proof,
            "canonicalizedBody": base64(&body),
        });
        if !matches!(entry, Entry::HashedNew { .. }) {
            out["integratedTime"] = moment.to_string().into();
            let promise = self.promise(&body, moment, index);
            out["inclusionPromise"] = json!({ "signedEntryTimestamp": base64(&promise) });
        }
        out
    }

    /// Signs that an entry will be there (`SignedEntryTimestamp`); the document is in canonical form.
    fn promise(&self, body: &[u8], moment: i64, index: usize) -> Vec<u8> {
        let promised = json!({
            "body": base64(body),
            "integratedTime": moment,
            "logID": hex(&self.key.id()),
            "logIndex": index,
        });
        self.key.sign(promised.to_string().as_bytes())
    }

    /// Signs the state of the tree (C2SP, signed note).
    fn checkpoint(&self, root: &[u8]) -> String {
        let note = format!("{}\n{}\n{}\n", self.origin, self.leaves.len(), base64(root));
        let signature = [&self.key.id()[..4], &self.key.sign(note.as_bytes())].concat();
        format!("{note}\n\u{2014} {} {}\n", self.origin, base64(&signature))
    }
}

fn leaf(body: &[u8]) -> Vec<u8> {
    sha256(&[&[0], body].concat())
}

fn node(left: &[u8], right: &[u8]) -> Vec<u8> {
    sha256(&[&[1], left, right].concat())
}

/// Returns the largest power of two below a size.
fn split(size: usize) -> usize {
    size.next_power_of_two() / 2
}

fn root(leaves: &[Vec<u8>]) -> Vec<u8> {
    match leaves {
        [] => sha256(&[]),
        [one] => one.clone(),
        many => {
            let (left, right) = many.split_at(split(many.len()));
            node(&root(left), &root(right))
        }
    }
}

fn path(index: usize, leaves: &[Vec<u8>]) -> Vec<Vec<u8>> {
    if leaves.len() < 2 {
        return Vec::new();
    }
    let at = split(leaves.len());
    let (left, right) = leaves.split_at(at);
    let (mut inside, beside) = if index < at {
        (path(index, left), root(right))
    } else {
        (path(index - at, right), root(left))
    };
    inside.push(beside);
    inside
}
