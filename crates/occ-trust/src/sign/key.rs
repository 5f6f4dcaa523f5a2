//! Keys to sign with: ECDSA P-256 in a PEM file (PKCS #8).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use occ_registry::Secret;
use sigstore_verify::crypto::KeyPair;

use crate::crypto;
use crate::policy::PublicKey;

const LABEL: &str = "PRIVATE KEY";

/// Why a key cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It has a passphrase, which is not understood here.
    #[error(
        "the key is encrypted; keys are read without a passphrase (openssl pkcs8 -topk8 -nocrypt)"
    )]
    Encrypted,
    /// It is written in the form of before PKCS #8.
    #[error(
        "the key is in the old form; openssl pkcs8 -topk8 -nocrypt writes the one that is read"
    )]
    OldForm,
    /// It is none.
    #[error("this is not an ECDSA P-256 key in PEM form (PKCS #8)")]
    Shape,
    /// There is no randomness to make one of.
    #[error("no key can be made")]
    NoRandomness,
}

/// A key to sign with.
pub struct SigningKey {
    pair: KeyPair,
    public: PublicKey,
}

impl SigningKey {
    /// Makes a new key; also returns it in PEM form.
    ///
    /// # Errors
    /// [`KeyError::NoRandomness`].
    pub fn generate() -> Result<(Self, Secret), KeyError> {
        crypto::ready();
        let pkcs8 = crypto::new_pkcs8().map_err(|_| KeyError::NoRandomness)?;
        let text = STANDARD.encode(&pkcs8);
        let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
        let pem = format!("-----BEGIN {LABEL}-----\n{}\n-----END {LABEL}-----\n", lines.join("\n"));
        Ok((Self::of(&pkcs8)?, Secret::new(pem)))
    }

    /// Reads a key in PEM form.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn from_pem(pem: &Secret) -> Result<Self, KeyError> {
        crypto::ready();
        let mut lines = pem.expose().lines().skip_while(|line| !line.starts_with("-----BEGIN "));
        let label = lines.next().and_then(|line| line.strip_prefix("-----BEGIN "));
        match label.and_then(|label| label.strip_suffix("-----")) {
            Some(LABEL) => {}
            Some(label) if label.starts_with("ENCRYPTED") => return Err(KeyError::Encrypted),
            Some("EC PRIVATE KEY" | "EC PARAMETERS") => return Err(KeyError::OldForm),
            _ => return Err(KeyError::Shape),
        }
        let text: String = lines.take_while(|line| !line.starts_with("-----")).collect();
        Self::of(&STANDARD.decode(text.trim()).map_err(|_| KeyError::Shape)?)
    }

    /// Returns the public half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs a message (ECDSA with SHA-256).
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let signature = self.pair.sign(message).map_err(|_| KeyError::NoRandomness)?;
        Ok(signature.as_bytes().to_vec())
    }

    fn of(pkcs8: &[u8]) -> Result<Self, KeyError> {
        let pair = KeyPair::from_pkcs8_der(pkcs8).map_err(|_| KeyError::Shape)?;
        let public = PublicKey::new(pair.public_key_der().map_err(|_| KeyError::Shape)?);
        Ok(Self { pair, public })
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public.id())
    }
}
