//! What an examination found.

use std::time::Duration;

use occ_opencode::Exchange;

use crate::check::Check;

/// How one assertion ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It holds.
    Passed {
        /// How long it took to find out.
        took: Duration,
    },
    /// It does not.
    Failed {
        /// Why, in one sentence.
        why: String,
        /// How long it took to find out.
        took: Duration,
    },
    /// It was not wished for.
    Skipped {
        /// Why.
        why: &'static str,
    },
    /// What it builds on failed.
    NotReached,
}

/// What the whole says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Everything that was wished for holds.
    Passed,
    /// Something does not hold.
    Failed,
}

/// What an examination found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Every check with its outcome, in the order of [`Check::ALL`].
    pub outcomes: Vec<(Check, Outcome)>,
    /// Every request that was made.
    pub exchanges: Vec<Exchange>,
    /// How long all of it took.
    pub took: Duration,
}

impl Report {
    /// Returns what the whole says.
    pub fn verdict(&self) -> Verdict {
        let holds =
            |outcome: &Outcome| matches!(outcome, Outcome::Passed { .. } | Outcome::Skipped { .. });
        if self.outcomes.iter().all(|(_, outcome)| holds(outcome)) {
            Verdict::Passed
        } else {
            Verdict::Failed
        }
    }

    /// Returns the checks that do not hold, with the reason.
    pub fn failures(&self) -> impl Iterator<Item = (Check, &str)> {
        self.outcomes.iter().filter_map(|(check, outcome)| match outcome {
            Outcome::Failed { why, .. } => Some((*check, why.as_str())),
            _ => None,
        })
    }

    /// Returns how many checks passed.
    pub fn passed(&self) -> usize {
        self.outcomes.iter().filter(|(_, o)| matches!(o, Outcome::Passed { .. })).count()
    }
}
