//! What was done to a sandbox, when and with what outcome.

use serde::{Deserialize, Serialize};

use crate::files::{self, FileError};
use crate::record::{Home, Unreadable};

/// Size in bytes past which the older half of the history is dropped.
const LIMIT: u64 = 512 * 1024;

/// One thing that was done; a line of JSON each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// When it ended, RFC 3339, UTC.
    pub at: String,
    /// What was done: `start`, `stop`, `acquire`, `update`, `rollback`, `reset`, `restore`, `password`...
    pub what: String,
    /// How it ended.
    pub verdict: Verdict,
    /// Id of the image before, when it matters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Id of the image after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Manifest digest of the image, when a registry gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Why, in one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// How something ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// As wished.
    Done,
    /// Not as wished; what there was before is as it was.
    Failed,
    /// It was cut off, and what there was before is back.
    TakenBack,
    /// It was cut off after the new sandbox had proved itself, and was finished later.
    Finished,
}

impl HistoryEntry {
    /// Returns an entry that says what ended how, and nothing else.
    pub fn new(at: impl Into<String>, what: impl Into<String>, verdict: Verdict) -> Self {
        let (at, what) = (at.into(), what.into());
        Self { at, what, verdict, from: None, to: None, digest: None, why: None }
    }
}

impl Home {
    /// Adds to the history.
    ///
    /// # Errors
    /// When the folder is not writable or full.
    pub fn remember(&self, entry: &HistoryEntry) -> Result<(), FileError> {
        let path = self.history_path();
        let line = serde_json::to_string(entry)
            .map_err(|error| FileError::wrap("write", &path)(error.into()))?;
        files::add_line(&path, &line, LIMIT)
    }

    /// Returns the history, oldest first. A line that cannot be understood is left out: a crash may
    /// have cut it.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn history(&self) -> Result<Vec<HistoryEntry>, Unreadable> {
        let path = self.history_path();
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(Unreadable { path, why: error.to_string() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instance::Instance;

    #[test]
    fn a_line_that_a_crash_has_cut_hides_no_other() {
        let dir = tempfile::tempdir().expect("tempdir");
        let home = Home::new(dir.path(), &Instance::first());
        let first = HistoryEntry::new("2026-01-24T10:30:00Z", "start", Verdict::Done);
        home.remember(&first).expect("write");
        let text = std::fs::read_to_string(home.history_path()).expect("read");
        std::fs::write(home.history_path(), format!("{text}{{\"at\":\"20\n")).expect("write");
        let last = HistoryEntry { why: Some("x".into()), ..first.clone() };
        home.remember(&last).expect("write");
        assert_eq!(home.history(), Ok(vec![first, last]));
    }

    #[test]
    fn the_older_half_is_dropped_when_the_file_grows_too_long() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("lines");
        for number in 0..10 {
            files::add_line(&path, &number.to_string(), 12).expect("write");
        }
        let text = std::fs::read_to_string(&path).expect("read");
        assert!(text.ends_with("8\n9\n") && !text.contains('0'), "{text:?}");
    }
}
