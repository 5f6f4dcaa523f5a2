//! One check and its answer.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use crate::failure::Failure;
use crate::terminal::Terminal;

/// Outcome of one check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    /// As it should be.
    Ok,
    /// Works, with a loss.
    Warn,
    /// Will not work.
    Fail,
}

/// One check.
#[derive(Debug, Serialize)]
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) verdict: Verdict,
    /// What was seen.
    pub(super) seen: String,
    /// What to do about it.
    pub(super) hints: Vec<String>,
    /// What `--fix` would do about it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) fixes: Vec<Fix>,
}

/// A mend that can lose nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "fix")]
pub(super) enum Fix {
    /// Give a file or folder these permission bits.
    Permissions { path: PathBuf, mode: u32 },
    /// Remove a file that a process left behind which is gone.
    Leftover { path: PathBuf },
    /// Give a file that cannot be understood another name.
    SetAside { path: PathBuf },
}

impl fmt::Display for Fix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Permissions { path, mode } => {
                write!(f, "permissions, now {mode:o}: {}", path.display())
            }
            Self::Leftover { path } => write!(f, "a leftover, removed: {}", path.display()),
            Self::SetAside { path } => {
                write!(f, "a file that cannot be understood, set aside: {}", path.display())
            }
        }
    }
}

impl Check {
    pub(super) fn ok(name: &'static str, seen: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Ok, seen: seen.into(), hints: vec![], fixes: vec![] }
    }

    pub(super) fn bad(
        name: &'static str,
        verdict: Verdict,
        seen: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self { verdict, hints: vec![hint.into()], ..Self::ok(name, seen) }
    }

    pub(super) fn failure(name: &'static str, failure: Failure) -> Self {
        let mut seen = vec![failure.message];
        seen.extend(failure.causes);
        Self { verdict: Verdict::Fail, hints: failure.hints, ..Self::ok(name, seen.join(": ")) }
    }

    /// Adds what `--fix` would do.
    pub(super) fn mend(mut self, fix: Fix) -> Self {
        self.fixes.push(fix);
        self
    }

    /// Returns the lines for a person.
    pub(super) fn line(&self, terminal: &Terminal) -> String {
        let (color, word) = match self.verdict {
            Verdict::Ok => ("32", "ok  "),
            Verdict::Warn => ("33", "warn"),
            Verdict::Fail => ("31", "FAIL"),
        };
        let hints = self.hints.iter().map(|hint| format!("       hint: {hint}\n"));
        let hints: String = hints.collect();
        format!("{}   {}: {}\n{hints}", terminal.paint(color, word), self.name, self.seen)
    }
}
