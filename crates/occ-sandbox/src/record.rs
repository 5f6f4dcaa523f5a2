//! What is installed, by digest, and where our files are.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use occ_engine::{ContainerId, ImageId};
use occ_trust::Ground;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::change::{Journal, RollbackPoint};
use crate::checks::Checks;
use crate::files::{self, FileError, Lock, TryLock};
use crate::instance::Instance;
use crate::spec::Owner;

/// What runs, as last proved healthy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Image the sandbox runs.
    pub image: ImageId,
    /// Container it runs in.
    pub container: ContainerId,
    /// Version the server said of itself.
    pub opencode_version: String,
    /// Settings that were named for this sandbox alone, on a command line.
    #[serde(default)]
    pub said: BTreeMap<String, Value>,
    /// Owner of the files in the volumes.
    pub owner: Owner,
    /// When this was proved, RFC 3339, UTC.
    pub proved_at: String,
    /// Where the image came from, as far as that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acquired: Option<ImageState>,
    /// Number of the change that led here; 0 before the first.
    #[serde(default)]
    pub change: u64,
    /// The way back to the sandbox before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<RollbackPoint>,
}

/// Where the image came from; the file's form is a promise to users (`image-state.json`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageState {
    /// Version of opencode-cloud the image was made by.
    pub version: String,
    /// How it got here.
    pub source: Source,
    /// Registry it was pulled from, `null` for a build.
    pub registry: Option<String>,
    /// When, RFC 3339, UTC.
    pub acquired_at: String,
    /// The engine's id of the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_id: Option<ImageId>,
    /// Manifest digest, when it came from a registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// On what ground it may be run; none in files of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust: Option<Trust>,
}

/// On what ground an image may be run, as it is recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ground", rename_all = "kebab-case")]
pub enum Trust {
    /// It was proved who signed it.
    Verified {
        /// Who.
        signer: String,
    },
    /// It was not signed, and nobody expected that it would be.
    Unsigned,
    /// It was built on this machine.
    LocalBuild,
    /// Somebody chose not to verify it.
    UnverifiedByChoice,
}

impl From<Ground> for Trust {
    fn from(ground: Ground) -> Self {
        match ground {
            Ground::Verified(proof) => Self::Verified { signer: proof.signer.to_string() },
            Ground::Unsigned => Self::Unsigned,
            Ground::LocalBuild => Self::LocalBuild,
            Ground::UnverifiedByChoice => Self::UnverifiedByChoice,
        }
    }
}

impl fmt::Display for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Verified { signer } => write!(f, "signed by {signer}"),
            Self::Unsigned => f.write_str("not signed"),
            Self::LocalBuild => f.write_str("built on this machine"),
            Self::UnverifiedByChoice => f.write_str("not verified, by choice"),
        }
    }
}

/// How an image got here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// Pulled from a registry.
    Prebuilt,
    /// Built on this machine.
    Build,
}

/// A file that was there and could not be understood; most read as "no state".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path} cannot be understood: {why}")]
pub struct Unreadable {
    /// The file.
    pub path: PathBuf,
    /// Why, in one line.
    pub why: String,
}

/// The folder with one instance's files.
#[derive(Debug, Clone)]
pub struct Home {
    dir: PathBuf,
}

impl Home {
    /// Returns the folder of `instance` under the state folder; touches nothing.
    pub fn new(state_dir: &Path, instance: &Instance) -> Self {
        let dir = if instance.is_first() {
            state_dir.to_owned()
        } else {
            state_dir.join("instances").join(instance.name())
        };
        Self { dir }
    }

    /// Returns the path of the record.
    pub fn record_path(&self) -> PathBuf {
        self.dir.join("record-v1.json")
    }

    /// Returns the path of the image state.
    pub fn image_state_path(&self) -> PathBuf {
        self.dir.join("image-state.json")
    }

    /// Returns the path of the looks and warnings about versions.
    pub fn checks_path(&self) -> PathBuf {
        self.dir.join("checks-v1.json")
    }

    /// Returns the path of the journal of a change that is not over.
    pub fn journal_path(&self) -> PathBuf {
        self.dir.join("change-v1.json")
    }

    /// Returns the path of the history.
    pub fn history_path(&self) -> PathBuf {
        self.dir.join("history-v1.jsonl")
    }

    /// Returns the path of the password.
    pub fn password_path(&self) -> PathBuf {
        self.dir.join("password")
    }

    /// Returns the folder with what a watchdog saw.
    pub fn evidence_dir(&self) -> PathBuf {
        self.dir.join("watchdog")
    }

    /// Returns where a service writes whose manager keeps no log.
    pub fn service_log_path(&self) -> PathBuf {
        self.dir.join("service.log")
    }

    /// Returns the path of the port that was given to the instance.
    pub fn port_path(&self) -> PathBuf {
        self.dir.join("port")
    }

    /// Returns the path of the mark that volumes are being filled: what is there of the sandbox is a part.
    pub fn filling_path(&self) -> PathBuf {
        self.dir.join("filling")
    }

    /// Returns the files that make the instance known; none of them is needed once its volumes are gone.
    pub fn files(&self) -> [PathBuf; 5] {
        // The record goes last: as long as it is there, removing can be begun again.
        [
            self.image_state_path(),
            self.password_path(),
            self.port_path(),
            self.history_path(),
            self.record_path(),
        ]
    }

    /// Returns whether anything is kept here.
    pub fn is_used(&self) -> bool {
        self.files().iter().any(|file| file.exists())
    }

    /// Creates the folder.
    ///
    /// # Errors
    /// When the home is not writable.
    pub fn create(&self) -> Result<(), FileError> {
        files::private_dir(&self.dir)
    }

    /// Tries once for the instance's lock; the folder must exist.
    ///
    /// # Errors
    /// When the lock file cannot be used.
    pub fn try_lock(&self) -> Result<TryLock, FileError> {
        files::try_lock(&self.dir.join("lock"))
    }

    /// Returns the record, or none with the reason it could not be read.
    pub fn record(&self) -> (Option<Record>, Option<Unreadable>) {
        read(&self.record_path())
    }

    /// Returns the image state, or none with the reason it could not be read.
    pub fn image_state(&self) -> (Option<ImageState>, Option<Unreadable>) {
        read(&self.image_state_path())
    }

    /// Returns the looks and warnings about versions; none when they cannot be read, for all they are worth.
    pub fn checks(&self) -> Checks {
        read(&self.checks_path()).0.unwrap_or_default()
    }

    /// Replaces the looks and warnings about versions.
    ///
    /// # Errors
    /// When the folder is not writable or full.
    pub fn save_checks(&self, checks: &Checks, _held: &Lock) -> Result<(), FileError> {
        save(&self.checks_path(), checks)
    }

    /// Forgets where the image came from; that nothing is known already is as good.
    ///
    /// # Errors
    /// When the folder is not writable.
    pub fn clear_image_state(&self, _held: &Lock) -> Result<(), FileError> {
        files::remove(&self.image_state_path())
    }

    /// Returns the journal of a change that is not over.
    ///
    /// # Errors
    /// When it is there and cannot be read: going on without it could lose what it leads back to.
    pub fn journal(&self) -> Result<Option<Journal>, Unreadable> {
        match read(&self.journal_path()) {
            (journal, None) => Ok(journal),
            (_, Some(unreadable)) => Err(unreadable),
        }
    }

    /// Replaces the journal.
    ///
    /// # Errors
    /// When the folder is not writable or full.
    pub fn save_journal(&self, journal: &Journal, _held: &Lock) -> Result<(), FileError> {
        save(&self.journal_path(), journal)
    }

    /// Removes the journal: the change is over.
    ///
    /// # Errors
    /// When the folder is not writable.
    pub fn close_journal(&self, _held: &Lock) -> Result<(), FileError> {
        files::remove(&self.journal_path())
    }

    /// Removes the record: there is no sandbox any more.
    ///
    /// # Errors
    /// When the folder is not writable.
    pub fn forget_record(&self, _held: &Lock) -> Result<(), FileError> {
        files::remove(&self.record_path())
    }

    /// Replaces the record. The lock proves that nobody else writes.
    ///
    /// # Errors
    /// When the folder is not writable or full.
    pub fn save_record(&self, record: &Record, _held: &Lock) -> Result<(), FileError> {
        save(&self.record_path(), record)
    }

    /// Replaces the image state.
    ///
    /// # Errors
    /// When the folder is not writable or full.
    pub fn save_image_state(&self, state: &ImageState, _held: &Lock) -> Result<(), FileError> {
        save(&self.image_state_path(), state)
    }
}

fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> (Option<T>, Option<Unreadable>) {
    let unreadable = |why: String| (None, Some(Unreadable { path: path.to_owned(), why }));
    match std::fs::read(path) {
        Ok(bytes) => match serde_json::from_slice(&bytes) {
            Ok(value) => (Some(value), None),
            Err(error) => unreadable(error.to_string()),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => (None, None),
        Err(error) => unreadable(error.to_string()),
    }
}

fn save<T: Serialize>(path: &Path, value: &T) -> Result<(), FileError> {
    let mut text = serde_json::to_vec_pretty(value)
        .map_err(|error| FileError::wrap("write", path)(error.into()))?;
    text.push(b'\n');
    files::replace(path, &text, 0o600)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_corrupt_state_reads_as_no_state_with_the_reason() {
        let dir = tempfile::tempdir().expect("tempdir");
        let home = Home::new(dir.path(), &Instance::first());
        std::fs::write(home.image_state_path(), b"{\"version\":").expect("write");
        let (state, unreadable) = home.image_state();
        assert_eq!(state, None);
        let unreadable = unreadable.expect("a reason");
        assert_eq!(unreadable.path, home.image_state_path());
        assert!(unreadable.why.contains("line 1"), "{}", unreadable.why);
    }

    #[test]
    fn the_image_state_has_the_promised_form() {
        let state = ImageState {
            version: "1.0.12".into(),
            source: Source::Build,
            registry: None,
            acquired_at: "2026-01-24T10:30:00Z".into(),
            image_id: None,
            digest: None,
            trust: None,
        };
        assert_eq!(
            serde_json::to_value(&state).expect("json"),
            serde_json::json!({
                "version": "1.0.12", "source": "build", "registry": null,
                "acquired_at": "2026-01-24T10:30:00Z"
            })
        );
    }

    #[test]
    fn other_instances_have_folders_of_their_own() {
        let blue: Instance = "blue".parse().expect("valid");
        let home = Home::new(Path::new("/state"), &blue);
        assert_eq!(home.record_path(), Path::new("/state/instances/blue/record-v1.json"));
    }
}
