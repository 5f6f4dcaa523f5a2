//! The lock: which exact files of other people go into the image.
//!
//! It holds names, versions, sizes and digests, never the place they come from: that is for the
//! machine's package clients to know.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use occ_oci::{Algorithm, Digest, Platform};
use serde::{Deserialize, Deserializer};

use crate::cpu::Cpu;
use crate::document::{DocumentError, parse};

const EMBEDDED: &str = include_str!("../../../image/sandbox.lock");

/// All pins.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// opencode, once per platform and processor.
    pub opencode: Vec<Pin>,
}

/// One npm package with one binary in it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// For which platform.
    pub platform: Platform,
    /// For which processors of it.
    pub cpu: Cpu,
    /// Name of the package.
    pub package: String,
    /// Its exact version.
    pub version: String,
    /// Digest of the tarball, written as npm writes it: `sha512-` and base64.
    #[serde(deserialize_with = "integrity")]
    pub integrity: Digest,
    /// Size of the tarball in bytes.
    pub size: u64,
    /// Path of the binary in the tarball.
    pub member: String,
    /// Digest of the binary.
    pub binary: Digest,
    /// Size of the binary in bytes.
    pub binary_size: u64,
}

impl Lock {
    /// Returns the lock this program was built with.
    ///
    /// # Errors
    /// Where it is wrong; a test proves that it is not.
    pub fn embedded() -> Result<Self, DocumentError> {
        Self::parse("image/sandbox.lock", EMBEDDED)
    }

    /// Reads a lock; `file` is its name in messages.
    ///
    /// # Errors
    /// The first mistake with its place; an unknown field is one.
    pub fn parse(file: &str, text: &str) -> Result<Self, DocumentError> {
        parse(file, text)
    }

    /// Returns the pin of opencode for this machine.
    pub fn opencode(&self, platform: Platform, cpu: Cpu) -> Option<&Pin> {
        self.opencode.iter().find(|pin| pin.platform == platform && pin.cpu == cpu)
    }
}

impl Pin {
    /// Returns package and version as the package client wants them.
    pub fn spec(&self) -> String {
        format!("{}@{}", self.package, self.version)
    }
}

/// SPEC: W3C Subresource Integrity, one `sha512` hash without options.
fn integrity<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
    let text = String::deserialize(deserializer)?;
    let wrong = || serde::de::Error::custom(format!("{text:?} is not sha512- and base64"));
    let base64 = text.strip_prefix("sha512-").ok_or_else(wrong)?;
    let raw = BASE64_STANDARD.decode(base64).map_err(|_| wrong())?;
    Digest::from_raw(Algorithm::Sha512, &raw).map_err(|_| wrong())
}
