//! Why an assertion does not hold.

use std::error::Error as _;
use std::time::Duration;

use occ_opencode::{DoorError, NotReady};

use crate::inside::Trouble;

/// Why an assertion does not hold.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The answer is another than the one that a working engine gives.
    #[error("{0}")]
    Wrong(String),
    /// A request failed.
    #[error(transparent)]
    Request(#[from] occ_opencode::Error),
    /// It is not ready.
    #[error(transparent)]
    NotReady(#[from] NotReady),
    /// The door is not locked.
    #[error(transparent)]
    Door(#[from] DoorError),
    /// Nothing can be run inside.
    #[error(transparent)]
    Inside(#[from] Trouble),
    /// It took too long.
    #[error("no end after {} s", after.as_secs())]
    TooLong {
        /// How long it was waited for.
        after: Duration,
    },
}

impl Fault {
    pub(crate) fn wrong(what: impl Into<String>) -> Self {
        Self::Wrong(what.into())
    }

    /// Returns whether nobody answered in time.
    pub(crate) fn is_silence(&self) -> bool {
        matches!(self, Self::TooLong { .. } | Self::Request(occ_opencode::Error::Timeout { .. }))
    }

    /// Returns what is wrong with its causes, in one line.
    pub(crate) fn whole(&self) -> String {
        let mut said = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            said = format!("{said}: {error}");
            cause = error.source();
        }
        said
    }
}

/// Demands that something holds, and says what is wrong otherwise.
pub(crate) fn demand(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), Fault> {
    if holds { Ok(()) } else { Err(Fault::Wrong(otherwise())) }
}

/// Demands that something is as expected, and says both otherwise.
pub(crate) fn same<T: PartialEq + std::fmt::Debug>(
    what: &str,
    found: &T,
    expected: &T,
) -> Result<(), Fault> {
    if found == expected {
        Ok(())
    } else {
        Err(Fault::Wrong(format!("{what} is {found:?}, and {expected:?} is expected")))
    }
}
