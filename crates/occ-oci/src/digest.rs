//! Digests: the one name of a sequence of bytes (OCI image spec, descriptor, "Digests").

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::hasher::Hasher;

/// A registered digest algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// SHA-256, what registries and engines use.
    Sha256,
    /// SHA-512, what npm uses for its integrity values.
    Sha512,
}

impl Algorithm {
    /// Returns the name as the specification writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// Returns the length of a digest in bytes.
    pub fn length(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
}

/// Algorithm and lower-case hexadecimal digits, `sha256:…`.
///
/// ```
/// let digest = occ_oci::Digest::sha256(b"hello");
/// assert_eq!(digest.to_string().parse(), Ok(digest));
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Digest {
    algorithm: Algorithm,
    hex: String,
}

impl Digest {
    /// Returns the SHA-256 of `bytes`.
    pub fn sha256(bytes: &[u8]) -> Self {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        hasher.update(bytes);
        hasher.finish()
    }

    /// Makes a digest of its raw bytes.
    ///
    /// # Errors
    /// [`ParseDigestError::Length`] when `raw` is not as long as the algorithm's digests are.
    pub fn from_raw(algorithm: Algorithm, raw: &[u8]) -> Result<Self, ParseDigestError> {
        if raw.len() != algorithm.length() {
            return Err(ParseDigestError::Length {
                algorithm: algorithm.name(),
                expected: algorithm.length() * 2,
                got: raw.len() * 2,
            });
        }
        Ok(Self::of_output(algorithm, raw))
    }

    /// Takes what a hash function returned, whose length needs no check.
    pub(crate) fn of_output(algorithm: Algorithm, raw: &[u8]) -> Self {
        Self { algorithm, hex: raw.iter().flat_map(|byte| hex_pair(*byte)).collect() }
    }

    /// Returns the algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Returns the hexadecimal digits, without the algorithm.
    pub fn hex(&self) -> &str {
        &self.hex
    }

    /// Returns the first 12 hexadecimal digits: enough for a person, never an identity.
    pub fn short(&self) -> &str {
        &self.hex[..12]
    }
}

/// Returns the two lower-case digits of a byte.
fn hex_pair(byte: u8) -> [char; 2] {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]
}

/// Why a text is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseDigestError {
    /// There is no `:` between algorithm and digits.
    #[error("a digest is written ALGORITHM:HEX")]
    NoColon,
    /// The algorithm is not one that is understood here.
    #[error("unknown digest algorithm {0:?}")]
    Algorithm(String),
    /// There are too many or too few digits.
    #[error("a {algorithm} digest has {expected} digits, not {got}")]
    Length {
        /// The algorithm.
        algorithm: &'static str,
        /// Digits it should have.
        expected: usize,
        /// Digits it has.
        got: usize,
    },
    /// A character is not a lower-case hexadecimal digit.
    #[error("{0:?} is not a lower-case hexadecimal digit")]
    Digit(char),
}

impl FromStr for Digest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, hex) = text.split_once(':').ok_or(ParseDigestError::NoColon)?;
        let algorithm = match name {
            "sha256" => Algorithm::Sha256,
            "sha512" => Algorithm::Sha512,
            other => return Err(ParseDigestError::Algorithm(other.to_owned())),
        };
        if let Some(wrong) = hex.chars().find(|c| !matches!(c, '0'..='9' | 'a'..='f')) {
            return Err(ParseDigestError::Digit(wrong));
        }
        if hex.len() != algorithm.length() * 2 {
            return Err(ParseDigestError::Length {
                algorithm: algorithm.name(),
                expected: algorithm.length() * 2,
                got: hex.len(),
            });
        }
        Ok(Self { algorithm, hex: hex.to_owned() })
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm.name(), self.hex)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

impl TryFrom<String> for Digest {
    type Error = ParseDigestError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// Gives a digest one meaning. There is deliberately no `From` between two of them.
macro_rules! meaning {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Digest);

        impl $name {
            /// States that this digest has this meaning.
            pub fn new(digest: Digest) -> Self {
                Self(digest)
            }

            /// Returns the bare digest.
            pub fn digest(&self) -> &Digest {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseDigestError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

meaning! {
    /// Digest of a layer as it travels: a blob, usually compressed.
    ///
    /// ```compile_fail
    /// fn wants(_: occ_oci::DiffId) {}
    /// wants(occ_oci::LayerDigest::new(occ_oci::Digest::sha256(b"")));
    /// ```
    LayerDigest
}
meaning! {
    /// Digest of a layer's uncompressed archive (OCI image spec, config, `rootfs.diff_ids`).
    DiffId
}
meaning! {
    /// Digest of a manifest or an index: what a name is pinned to.
    ManifestDigest
}
