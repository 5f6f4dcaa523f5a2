//! The one provider of cryptography, `ring`, given to the Sigstore crates.
//!
//! They would bring a second one otherwise. `ring` verifies messages but not digests of messages, which
//! these crates ask for where a bare message was signed (never for an envelope). The message is known
//! here whenever that happens: [`over`] keeps it, and what is verified is the message, after its digest was
//! compared with the one asked about.

use std::cell::RefCell;

use ring::digest;
use ring::rand::SystemRandom;
use ring::signature::{self, EcdsaKeyPair, KeyPair as _, UnparsedPublicKey, VerificationAlgorithm};
use sigstore_verify::crypto::{
    CryptoProvider, Error, HashContext, KeyAlgorithm, Result, SigningKeyPair, SigningScheme,
    install_default_provider,
};
use sigstore_verify::types::HashAlgorithm;

thread_local! {
    static MESSAGE: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

/// Sees to it that the Sigstore crates use `ring`.
pub(crate) fn ready() {
    // Whoever comes second finds the same provider.
    let _already = install_default_provider(&Ring);
}

/// Does some verifying whose message is this.
pub(crate) fn over<T>(message: &[u8], work: impl FnOnce() -> T) -> T {
    MESSAGE.with_borrow_mut(|kept| *kept = Some(message.to_vec()));
    let out = work();
    MESSAGE.with_borrow_mut(|kept| *kept = None);
    out
}

#[derive(Debug)]
struct Ring;

impl CryptoProvider for Ring {
    fn hash(&self, algorithm: HashAlgorithm) -> Result<Box<dyn HashContext>> {
        Ok(Box::new(Hash(digest::Context::new(hash_of(algorithm)?))))
    }

    fn verify_raw(
        &self,
        scheme: SigningScheme,
        key: &[u8],
        data: &[u8],
        signature: &[u8],
    ) -> Result<()> {
        let key = UnparsedPublicKey::new(algorithm_of(scheme)?, key);
        key.verify(data, signature).map_err(|_| wrong(scheme))
    }

    fn verify_prehashed(
        &self,
        scheme: SigningScheme,
        key: &[u8],
        digest: &[u8],
        signature: &[u8],
    ) -> Result<()> {
        let hash = scheme.hash_algorithm().ok_or_else(|| wrong(scheme))?;
        let hash = hash_of(hash)?;
        MESSAGE.with_borrow(|message| match message {
            Some(message) if digest::digest(hash, message).as_ref() == digest => {
                self.verify_raw(scheme, key, message, signature)
            }
            _ => Err(Error::UnsupportedAlgorithm("a digest without its message".to_owned())),
        })
    }

    fn generate_key_pair(&self, algorithm: KeyAlgorithm) -> Result<Box<dyn SigningKeyPair>> {
        if algorithm != KeyAlgorithm::EcdsaP256 {
            return Err(Error::UnsupportedAlgorithm(format!("new keys of {algorithm:?}")));
        }
        self.key_pair_from_pkcs8_der(&new_pkcs8()?)
    }

    fn key_pair_from_pkcs8_der(&self, pkcs8: &[u8]) -> Result<Box<dyn SigningKeyPair>> {
        let random = SystemRandom::new();
        let kind = &signature::ECDSA_P256_SHA256_ASN1_SIGNING;
        let pair = EcdsaKeyPair::from_pkcs8(kind, pkcs8, &random)
            .map_err(|error| Error::InvalidKeyFormat(error.to_string()))?;
        Ok(Box::new(Pair { pair, random }))
    }
}

/// Makes a new ECDSA P-256 key (PKCS #8, RFC 5208).
pub(crate) fn new_pkcs8() -> Result<Vec<u8>> {
    let kind = &signature::ECDSA_P256_SHA256_ASN1_SIGNING;
    let made = EcdsaKeyPair::generate_pkcs8(kind, &SystemRandom::new())
        .map_err(|_| Error::KeyGeneration("no randomness".to_owned()))?;
    Ok(made.as_ref().to_vec())
}

struct Hash(digest::Context);

impl HashContext for Hash {
    fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    fn finalize(self: Box<Self>) -> Vec<u8> {
        self.0.finish().as_ref().to_vec()
    }
}

struct Pair {
    pair: EcdsaKeyPair,
    random: SystemRandom,
}

impl SigningKeyPair for Pair {
    fn algorithm(&self) -> KeyAlgorithm {
        KeyAlgorithm::EcdsaP256
    }

    fn public_key_bytes(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    fn sign_raw(&self, data: &[u8]) -> Result<Vec<u8>> {
        let signed = self.pair.sign(&self.random, data);
        let signed = signed.map_err(|_| Error::Signing("no randomness".to_owned()))?;
        Ok(signed.as_ref().to_vec())
    }

    fn sign_prehashed(&self, _: &[u8]) -> Result<Vec<u8>> {
        Err(Error::UnsupportedAlgorithm("signing a digest without its message".to_owned()))
    }
}

fn wrong(scheme: SigningScheme) -> Error {
    Error::Verification(format!("{} signature invalid", scheme.name()))
}

fn hash_of(algorithm: HashAlgorithm) -> Result<&'static digest::Algorithm> {
    match algorithm {
        HashAlgorithm::Sha2256 => Ok(&digest::SHA256),
        HashAlgorithm::Sha2384 => Ok(&digest::SHA384),
        HashAlgorithm::Sha2512 => Ok(&digest::SHA512),
        other => Err(Error::UnsupportedAlgorithm(format!("{other} digests"))),
    }
}

fn algorithm_of(scheme: SigningScheme) -> Result<&'static dyn VerificationAlgorithm> {
    Ok(match scheme {
        SigningScheme::EcdsaP256Sha256 => &signature::ECDSA_P256_SHA256_ASN1,
        SigningScheme::EcdsaP256Sha384 => &signature::ECDSA_P256_SHA384_ASN1,
        SigningScheme::EcdsaP384Sha256 => &signature::ECDSA_P384_SHA256_ASN1,
        SigningScheme::EcdsaP384Sha384 => &signature::ECDSA_P384_SHA384_ASN1,
        SigningScheme::Ed25519 => &signature::ED25519,
        SigningScheme::RsaPssSha256 => &signature::RSA_PSS_2048_8192_SHA256,
        SigningScheme::RsaPssSha384 => &signature::RSA_PSS_2048_8192_SHA384,
        SigningScheme::RsaPssSha512 => &signature::RSA_PSS_2048_8192_SHA512,
        SigningScheme::RsaPkcs1Sha256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        SigningScheme::RsaPkcs1Sha384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        SigningScheme::RsaPkcs1Sha512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        other => return Err(Error::UnsupportedAlgorithm(other.name().to_owned())),
    })
}
