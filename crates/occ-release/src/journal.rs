//! What a release has done, on disk: a plan that does not change, and a line for every step that ended.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::plan::{PLAN_FORMAT, ReleasePlan};
use crate::step::Step;

const PLAN: &str = "plan.json";
const JOURNAL: &str = "journal.jsonl";
const LOCK: &str = "lock";

/// Why a release cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// A file cannot be read or written.
    #[error("{path}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is one of this name already.
    #[error("{0} was begun already")]
    Begun(PathBuf),
    /// There is none.
    #[error("no release was begun in {0}")]
    None(PathBuf),
    /// Its plan cannot be understood.
    #[error("the plan {path} cannot be understood: {why}")]
    Plan {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// Another process works on it.
    #[error("another process works on the release in {0}")]
    Busy(PathBuf),
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// Well, with what it found or made.
    Done(Value),
    /// Not well.
    Failed(String),
    /// The release was given up: what was done so far is undone.
    Abandoned,
}

/// A line of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Which step; none for what is about the whole release.
    pub step: Option<Step>,
    /// When it began.
    pub began: Timestamp,
    /// When it ended.
    pub at: Timestamp,
    /// How.
    pub ended: Ended,
}

/// A release on disk, held by this process alone.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    plan: ReleasePlan,
    entries: Vec<Entry>,
    file: File,
    _lock: File,
}

/// A release on disk as it is read by whoever does not work on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its folder.
    pub folder: PathBuf,
    /// Its plan.
    pub plan: ReleasePlan,
    /// What it has done.
    pub entries: Vec<Entry>,
    /// Whether a process works on it now.
    pub at_work: bool,
}

impl Journal {
    /// Begins a release in a folder that has none.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn begin(folder: &Path, plan: &ReleasePlan) -> Result<Self, JournalError> {
        fs::create_dir_all(folder).map_err(at(folder))?;
        let lock = hold(folder)?;
        let path = folder.join(PLAN);
        if path.exists() {
            return Err(JournalError::Begun(folder.to_owned()));
        }
        let text = serde_json::to_string_pretty(plan).map_err(|error| at(&path)(error.into()))?;
        write(&path, text.as_bytes())?;
        Self::with(folder, plan.clone(), Vec::new(), lock)
    }

    /// Goes on with a release.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn open(folder: &Path) -> Result<Self, JournalError> {
        if !folder.join(PLAN).exists() {
            return Err(JournalError::None(folder.to_owned()));
        }
        let lock = hold(folder)?;
        let Record { plan, entries, .. } = Record::read(folder)?;
        Self::with(folder, plan, entries, lock)
    }

    fn with(
        folder: &Path,
        plan: ReleasePlan,
        entries: Vec<Entry>,
        lock: File,
    ) -> Result<Self, JournalError> {
        let path = folder.join(JOURNAL);
        let mut file =
            OpenOptions::new().create(true).append(true).open(&path).map_err(at(&path))?;
        // A line that was cut off is not continued: what is written next begins a new one.
        let text = fs::read(&path).map_err(at(&path))?;
        if text.last().is_some_and(|last| *last != b'\n') {
            file.write_all(b"\n").map_err(at(&path))?;
        }
        Ok(Self { folder: folder.to_owned(), plan, entries, file, _lock: lock })
    }

    /// Returns the folder, for what belongs to the release.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the plan.
    pub fn plan(&self) -> &ReleasePlan {
        &self.plan
    }

    /// Returns what was written so far.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Returns what a step found or made, when it is done.
    pub fn done(&self, step: &Step) -> Option<&Value> {
        done(&self.entries, step)
    }

    /// Writes a line, and returns when it is on disk.
    ///
    /// # Errors
    /// [`JournalError::File`].
    pub fn note(&mut self, entry: Entry) -> Result<(), JournalError> {
        let path = self.folder.join(JOURNAL);
        let mut line = serde_json::to_vec(&entry).map_err(|error| at(&path)(error.into()))?;
        line.push(b'\n');
        self.file.write_all(&line).and_then(|()| self.file.sync_data()).map_err(at(&path))?;
        self.entries.push(entry);
        Ok(())
    }

    /// Keeps a file of the release whole or not at all.
    ///
    /// # Errors
    /// [`JournalError::File`].
    pub fn keep(&self, name: &str, bytes: &[u8]) -> Result<(), JournalError> {
        let path = self.folder.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(at(parent))?;
        }
        write(&path, bytes)
    }

    /// Reads a file of the release; none when it was not kept.
    ///
    /// # Errors
    /// [`JournalError::File`].
    pub fn kept(&self, name: &str) -> Result<Option<Vec<u8>>, JournalError> {
        let path = self.folder.join(name);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(at(&path)(error)),
        }
    }
}

impl Record {
    /// Reads a release.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn read(folder: &Path) -> Result<Self, JournalError> {
        let path = folder.join(PLAN);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(JournalError::None(folder.to_owned()));
            }
            Err(error) => return Err(at(&path)(error)),
        };
        let wrong = |why: String| JournalError::Plan { path: path.clone(), why };
        let plan: ReleasePlan =
            serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
        if plan.format != PLAN_FORMAT {
            return Err(wrong(format!("it is of the form {:?}", plan.format)));
        }
        let journal = folder.join(JOURNAL);
        let text = match fs::read(&journal) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(at(&journal)(error)),
        };
        // A line that was cut off says nothing: its step is done again.
        let lines = text.split(|byte| *byte == b'\n');
        let entries = lines.filter_map(|line| serde_json::from_slice(line).ok()).collect();
        let at_work = matches!(hold(folder), Err(JournalError::Busy(_)));
        Ok(Self { folder: folder.to_owned(), plan, entries, at_work })
    }

    /// Returns what a step found or made, when it is done.
    pub fn done(&self, step: &Step) -> Option<&Value> {
        done(&self.entries, step)
    }

    /// Returns whether the release was given up.
    pub fn is_abandoned(&self) -> bool {
        self.entries.last().is_some_and(|entry| entry.ended == Ended::Abandoned)
    }
}

fn done<'a>(entries: &'a [Entry], step: &Step) -> Option<&'a Value> {
    entries.iter().rev().find_map(|entry| match &entry.ended {
        Ended::Done(facts) if entry.step.as_ref() == Some(step) => Some(facts),
        _ => None,
    })
}

fn hold(folder: &Path) -> Result<File, JournalError> {
    let path = folder.join(LOCK);
    let file = OpenOptions::new().create(true).append(true).open(&path).map_err(at(&path))?;
    // Whoever only looks holds it for a moment.
    for pause in [5, 20, 80, 0] {
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
            return Ok(file);
        }
        std::thread::sleep(Duration::from_millis(pause));
    }
    Err(JournalError::Busy(folder.to_owned()))
}

fn at(path: &Path) -> impl Fn(io::Error) -> JournalError {
    let path = path.to_owned();
    move |source| JournalError::File { path: path.clone(), source }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), JournalError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut half = tempfile::NamedTempFile::new_in(folder).map_err(at(folder))?;
    half.write_all(bytes).and_then(|()| half.as_file().sync_all()).map_err(at(path))?;
    half.persist(path).map_err(|error| at(path)(error.error))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(at(folder))
}
