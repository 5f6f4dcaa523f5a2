//! Who may vouch for whom: the trust root of a Sigstore instance, and which one it is.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use occ_oci::Digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sigstore_trust_root::{SIGSTORE_PRODUCTION_TRUSTED_ROOT, TrustedRoot};
use sigstore_verify::Verifier;

use crate::crypto;
use crate::file;

/// Day of the release whose trust root is compiled in.
const EMBEDDED: &str = "2026-10-23";
/// Largest trust root that is read, in bytes.
const LIMIT: u64 = 4 * 1024 * 1024;

/// Where a trust root comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RootSource {
    /// It is compiled in.
    Embedded,
    /// Somebody named a file.
    File,
    /// It was fetched some time ago and kept.
    Stored,
}

/// Which trust root something was verified with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RootVersion {
    /// Where it comes from.
    pub source: RootSource,
    /// When it was made or fetched, as far as that is known.
    pub dated: Option<String>,
    /// Digest of its bytes.
    pub digest: Digest,
}

impl fmt::Display for RootVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = match self.source {
            RootSource::Embedded => "built in",
            RootSource::File => "from a file",
            RootSource::Stored => "stored",
        };
        write!(f, "{source}, {}", self.digest.short())?;
        self.dated.as_ref().map_or(Ok(()), |dated| write!(f, ", of {dated}"))
    }
}

/// Why a trust root cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RootError {
    /// The file cannot be read or written.
    #[error("the trust root in {path} cannot be read or written")]
    File {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is no trust root.
    #[error("this is no trust root: {0}")]
    Shape(String),
}

/// A trust root, ready to verify with.
#[derive(Clone)]
pub struct TrustRoot {
    verifier: Arc<Verifier>,
    version: RootVersion,
}

/// A trust root as it is kept.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kept {
    stored: Timestamp,
    trusted_root: Value,
}

impl TrustRoot {
    /// Returns the one that is compiled in: Sigstore's public instance.
    ///
    /// # Panics
    /// Never: a test reads it.
    pub fn embedded() -> Self {
        let bytes = SIGSTORE_PRODUCTION_TRUSTED_ROOT.as_bytes();
        Self::parse(bytes, RootSource::Embedded, Some(EMBEDDED.to_owned()))
            .expect("the trust root that is compiled in is one")
    }

    /// Reads one (`trusted_root.json`).
    ///
    /// # Errors
    /// [`RootError::Shape`].
    pub fn from_json(bytes: &[u8]) -> Result<Self, RootError> {
        Self::parse(bytes, RootSource::File, None)
    }

    /// Reads one from the file that `--trusted-root` names.
    ///
    /// # Errors
    /// [`RootError`].
    pub fn from_file(path: &Path) -> Result<Self, RootError> {
        Self::from_json(&read(path)?)
    }

    /// Reads the one that was kept in a file; none when there is no such file.
    ///
    /// # Errors
    /// [`RootError`].
    pub fn stored(path: &Path) -> Result<Option<Self>, RootError> {
        if !path.exists() {
            return Ok(None);
        }
        let kept: Kept = serde_json::from_slice(&read(path)?)
            .map_err(|error| RootError::Shape(error.to_string()))?;
        let bytes = kept.trusted_root.to_string();
        let dated = Some(kept.stored.to_string());
        Self::parse(bytes.as_bytes(), RootSource::Stored, dated).map(Some)
    }

    /// Reads a trust root and keeps it in a file, with the moment.
    ///
    /// # Errors
    /// [`RootError`]; what was kept before stays when this is no trust root.
    pub fn store(bytes: &[u8], path: &Path, now: Timestamp) -> Result<Self, RootError> {
        Self::from_json(bytes)?;
        let shape = |error: serde_json::Error| RootError::Shape(error.to_string());
        let trusted_root = serde_json::from_slice(bytes).map_err(shape)?;
        let kept = serde_json::to_vec(&Kept { stored: now, trusted_root }).map_err(shape)?;
        file::replace(path, &kept).map_err(|source| failed(path, source))?;
        Self::stored(path)?.ok_or_else(|| failed(path, std::io::ErrorKind::NotFound.into()))
    }

    /// Returns which one it is.
    pub fn version(&self) -> &RootVersion {
        &self.version
    }

    pub(crate) fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    fn parse(bytes: &[u8], source: RootSource, dated: Option<String>) -> Result<Self, RootError> {
        crypto::ready();
        let shape = |error: &dyn fmt::Display| RootError::Shape(error.to_string());
        let text = std::str::from_utf8(bytes).map_err(|error| shape(&error))?;
        let root = TrustedRoot::from_json(text).map_err(|error| shape(&error))?;
        let verifier = Verifier::new(&root).map_err(|error| shape(&error))?;
        let version = RootVersion { source, dated, digest: Digest::sha256(bytes) };
        Ok(Self { verifier: Arc::new(verifier), version })
    }
}

impl fmt::Debug for TrustRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TrustRoot({})", self.version)
    }
}

fn failed(path: &Path, source: std::io::Error) -> RootError {
    RootError::File { path: path.display().to_string(), source }
}

fn read(path: &Path) -> Result<Vec<u8>, RootError> {
    file::read(path, LIMIT).map_err(|source| failed(path, source))
}
