//! What is remembered of a repository: that it was seen signed, by whom, and how new it was.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use occ_oci::{ManifestDigest, Repository};
use semver::Version;
use serde::{Deserialize, Serialize};

use crate::file;
use crate::verdict::{Proof, Signer};

/// Largest file that is read, in bytes.
const LIMIT: u64 = 16 * 1024 * 1024;

/// What a repository is expected to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Expectation {
    /// Who signed it; none when somebody said that it must be signed before that was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<Signer>,
    /// The highest signed release number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// The highest signed version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What had them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<ManifestDigest>,
    /// Since when.
    pub first: Timestamp,
    /// When it was seen last, to the hour.
    pub last: Timestamp,
}

impl Expectation {
    /// Expects a signature from now on, whoever's it is.
    pub fn pinned(now: Timestamp) -> Self {
        Self { signer: None, seq: None, version: None, digest: None, first: now, last: now }
    }

    /// Returns whether something is older than what was seen.
    pub fn is_older(&self, proof: &Proof) -> bool {
        match (self.seq, proof.seq()) {
            (Some(seen), Some(signed)) => return signed < seen,
            // Who numbered releases once does not stop.
            (Some(_), None) => return true,
            _ => {}
        }
        match (self.version.as_deref(), proof.version()) {
            (Some(seen), Some(signed)) => order(signed) < order(seen),
            (Some(_), None) => true,
            _ => false,
        }
    }
}

/// Orders versions by their numbers, and a letter behind the last one, which is one more build. What
/// follows them names a variant, which has no order.
fn order(version: &str) -> (Option<Version>, String) {
    let numbers = version.split_once('-').map_or(version, |(numbers, _)| numbers);
    let plain = numbers.strip_suffix(|c: char| c.is_ascii_lowercase()).unwrap_or(numbers);
    let letter = numbers.strip_prefix(plain).unwrap_or_default();
    (Version::parse(plain).ok(), letter.to_owned())
}

/// What is remembered of all repositories.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expectations(BTreeMap<String, Expectation>);

/// The file as it is written.
#[derive(Serialize, Deserialize)]
struct Document {
    version: u32,
    repositories: BTreeMap<String, Expectation>,
}

/// What was remembered cannot be read, so it is as if nothing was.
#[derive(Debug, thiserror::Error)]
#[error("what is remembered about signatures cannot be read: {path}")]
pub struct Forgotten {
    /// The file.
    pub path: String,
    /// Why.
    #[source]
    pub source: io::Error,
}

impl Expectations {
    /// Reads what is remembered. A file that cannot be read remembers nothing, and that is told.
    pub fn load(path: &Path) -> (Self, Option<Forgotten>) {
        let read = file::read(path, LIMIT).and_then(|bytes| {
            let document: Document = serde_json::from_slice(&bytes)?;
            if document.version == 1 {
                Ok(document.repositories)
            } else {
                Err(io::Error::other(format!("it is of version {}", document.version)))
            }
        });
        match read {
            Ok(repositories) => (Self(repositories), None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => (Self::default(), None),
            Err(source) => {
                let path = path.display().to_string();
                (Self::default(), Some(Forgotten { path, source }))
            }
        }
    }

    /// Writes what is remembered; the caller sees to it that nobody else does so at the same time.
    ///
    /// # Errors
    /// When the file cannot be replaced.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        let document = Document { version: 1, repositories: self.0.clone() };
        let mut bytes = serde_json::to_vec_pretty(&document)?;
        bytes.push(b'\n');
        file::replace(path, &bytes)
    }

    /// Returns what is expected of a repository.
    pub fn of(&self, repository: &Repository) -> Option<&Expectation> {
        self.0.get(&repository.to_string())
    }

    /// Returns all, sorted by repository.
    pub fn all(&self) -> impl Iterator<Item = (&str, &Expectation)> {
        self.0.iter().map(|(repository, expected)| (repository.as_str(), expected))
    }

    /// Remembers that a repository was seen signed.
    pub fn remember(&mut self, repository: &Repository, proof: &Proof, now: Timestamp) {
        let known = self.0.entry(repository.to_string());
        let known = known.or_insert_with(|| Expectation::pinned(now));
        let is_newer = !known.is_older(proof);
        known.signer = Some(proof.signer.clone());
        known.last = now;
        if is_newer {
            known.seq = proof.seq().or(known.seq);
            known.version = proof.version().map(str::to_owned).or_else(|| known.version.take());
            known.digest = Some(proof.subject.clone());
        }
    }

    /// Returns whether [`Expectations::remember`] would change nothing but when it was seen last, and that by
    /// less than an hour: not worth a write that has to reach the disk.
    pub fn knows(&self, repository: &Repository, proof: &Proof, now: Timestamp) -> bool {
        let Some(known) = self.of(repository) else { return false };
        let age = now.duration_since(known.last);
        let mut then = Self(BTreeMap::from([(repository.to_string(), known.clone())]));
        then.remember(repository, proof, known.last);
        (SignedDuration::ZERO..SignedDuration::from_hours(1)).contains(&age)
            && then.of(repository) == Some(known)
    }

    /// Expects a signature of a repository from now on.
    pub fn pin(&mut self, repository: &Repository, now: Timestamp) {
        self.0.entry(repository.to_string()).or_insert_with(|| Expectation::pinned(now));
    }

    /// Forgets a repository; returns what was expected.
    pub fn forget(&mut self, repository: &Repository) -> Option<Expectation> {
        self.0.remove(&repository.to_string())
    }
}
