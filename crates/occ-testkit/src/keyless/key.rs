//! Keys of the bench: ECDSA P-256.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _,
    UnparsedPublicKey,
};

use super::der;

/// Returns the SHA-256 of bytes.
pub(super) fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest(&SHA256, bytes).as_ref().to_vec()
}

pub(super) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes a PEM document (RFC 7468).
pub(super) fn pem(kind: &str, bytes: &[u8]) -> String {
    let text = base64(bytes);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", lines.join("\n"))
}

/// Reads the first PEM document of a text.
pub(super) fn unpem(text: &str) -> Option<Vec<u8>> {
    let inside: String =
        text.lines().skip(1).take_while(|line| !line.starts_with("-----")).collect();
    STANDARD.decode(inside).ok()
}

/// A key that signs.
#[derive(Debug)]
pub(super) struct Key {
    pair: EcdsaKeyPair,
    random: SystemRandom,
}

impl Key {
    /// Makes a new one.
    pub(super) fn new() -> Self {
        let random = SystemRandom::new();
        let kind = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let made = EcdsaKeyPair::generate_pkcs8(kind, &random).expect("randomness");
        let pair = EcdsaKeyPair::from_pkcs8(kind, made.as_ref(), &random).expect("a key");
        Self { pair, random }
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(&self.random, message).expect("randomness").as_ref().to_vec()
    }

    /// Returns the public key as certificates have it (RFC 5480).
    pub(super) fn spki(&self) -> Vec<u8> {
        let kind = der::sequence(&[der::oid("1.2.840.10045.2.1"), der::oid("1.2.840.10045.3.1.7")]);
        der::sequence(&[kind, der::bits(self.pair.public_key().as_ref())])
    }

    /// Returns how logs call the key.
    pub(super) fn id(&self) -> Vec<u8> {
        sha256(&self.spki())
    }
}

/// Returns whether the owner of this public key signed a message.
pub(super) fn signed(spki: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let Some(point) = spki.len().checked_sub(65) else { return false };
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &spki[point..])
        .verify(message, signature)
        .is_ok()
}
