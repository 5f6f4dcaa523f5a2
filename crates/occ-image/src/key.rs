//! Content keys: SHA-256 over a canonical encoding of everything that decides the bytes.
//!
//! The encoding begins with a domain and its version, and every field has its name and both have their
//! lengths, so that no two different values have one encoding. A new field is a new version.

use std::collections::BTreeSet;
use std::fmt;

use occ_layer::Compression;
use occ_oci::{Algorithm, Digest, Hasher};
use serde::{Deserialize, Serialize};

/// Key of one layer: equal keys mean that a kept layer can be used again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LayerKey(Digest);

/// Key of a Debian base; equal keys mean equal bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BaseKey(Digest);

/// Key of a whole plan.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BuildKey(Digest);

macro_rules! key {
    ($name:ident) => {
        impl $name {
            pub(crate) fn new(digest: Digest) -> Self {
                Self(digest)
            }

            /// Returns the hexadecimal digits.
            pub fn hex(&self) -> &str {
                self.0.hex()
            }

            /// Returns the first 12 of them, for names.
            pub fn short(&self) -> &str {
                self.0.short()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

impl BaseKey {
    /// Returns the key of bases for several platforms as one, whatever their order, with layers in a form.
    pub fn together<'a>(keys: impl IntoIterator<Item = &'a Self>, form: Compression) -> Self {
        let keys: BTreeSet<&str> = keys.into_iter().map(Self::hex).collect();
        let encoding = Encoding::new("opencode-cloud/bases", 1).list("bases", keys.into_iter());
        Self(encoding.field("compression", form.to_string()).finish())
    }
}

key!(BaseKey);
key!(LayerKey);
key!(BuildKey);

/// Collects fields.
pub(crate) struct Encoding(Hasher);

impl Encoding {
    /// Begins; what is encoded under one domain never equals what is under another.
    pub(crate) fn new(domain: &str, version: u64) -> Self {
        let mut encoding = Self(Hasher::new(Algorithm::Sha256));
        encoding.bytes(domain.as_bytes());
        encoding.number("version", version)
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0.update(&(bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
    }

    pub(crate) fn field(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.bytes(name.as_bytes());
        self.bytes(value.as_ref());
        self
    }

    pub(crate) fn number(self, name: &str, value: u64) -> Self {
        self.field(name, value.to_be_bytes())
    }

    pub(crate) fn list<T: AsRef<[u8]>>(
        mut self,
        name: &str,
        items: impl ExactSizeIterator<Item = T>,
    ) -> Self {
        self = self.number(name, items.len() as u64);
        for item in items {
            self.bytes(item.as_ref());
        }
        self
    }

    pub(crate) fn finish(self) -> Digest {
        self.0.finish()
    }
}
