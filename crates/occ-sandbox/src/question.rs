//! What only the human may decide, and the answers given so far.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::drift::Drift;

/// A decision only the human may take.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "question")]
pub enum Question {
    /// The running sandbox must be replaced to get what is wished.
    Replace {
        /// Why.
        drift: Vec<Drift>,
    },
    /// A sandbox runs, and the image that is to be brought will replace it.
    Rebuild {
        /// What else will be different.
        drift: Vec<Drift>,
    },
    /// The sandbox goes back to what it was before the last change of its image.
    GoBack {
        /// Version of opencode that it goes back to.
        version: String,
        /// When that one was left, RFC 3339, UTC.
        left_at: String,
        /// Whether data goes back too; what was made since stays with the version that is left.
        with_data: bool,
    },
    /// The sandbox is made anew.
    Reset {
        /// Volumes that will be empty, with their sizes in bytes where they are known.
        empties: Vec<(String, Option<u64>)>,
    },
    /// Volumes get what a backup holds instead of what they hold.
    Restore {
        /// Those volumes, with their sizes in bytes where they are known.
        replaced: Vec<(String, Option<u64>)>,
    },
    /// No prebuilt image is to be had.
    BuildInstead {
        /// What was tried and why it failed, one line each.
        because: Vec<String>,
    },
    /// A file that the image is made of is no longer to be had; the image can be made of what is.
    LockAnew {
        /// What is missing.
        missing: String,
    },
}

impl Question {
    /// Returns which consent answers it.
    pub fn kind(&self) -> Topic {
        match self {
            Self::Replace { .. }
            | Self::Rebuild { .. }
            | Self::GoBack { .. }
            | Self::Reset { .. }
            | Self::Restore { .. } => Topic::Replace,
            Self::BuildInstead { .. } => Topic::BuildInstead,
            Self::LockAnew { .. } => Topic::LockAnew,
        }
    }
}

/// What a question is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Topic {
    /// Stop and replace a running sandbox.
    Replace,
    /// Build when nothing can be pulled.
    BuildInstead,
    /// Build of newer files when the locked ones are gone.
    LockAnew,
}

/// The answers given so far; only a yes is worth keeping.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Consent(BTreeSet<Topic>);

impl Consent {
    /// Returns an empty consent.
    pub fn none() -> Self {
        Self::default()
    }

    /// Returns the consent that `--yes` gives: to everything that loses no work.
    pub fn yes() -> Self {
        Self([Topic::Replace, Topic::BuildInstead, Topic::LockAnew].into())
    }

    /// Adds a yes.
    pub fn add(&mut self, topic: Topic) {
        self.0.insert(topic);
    }

    /// Returns whether the answer was yes.
    pub fn has(&self, topic: Topic) -> bool {
        self.0.contains(&topic)
    }
}
