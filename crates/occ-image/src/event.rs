//! News while an image is built.

use std::fmt;

/// A part of the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// The Debian base.
    Base,
    /// The opencode binary.
    Opencode,
    /// The guest's own files.
    Guest,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Base => "Debian base",
            Self::Opencode => "opencode",
            Self::Guest => "guest files",
        })
    }
}

/// One piece of news.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Another build holds the cache; this one goes on when it ends.
    WaitingForOtherBuild,
    /// A kept layer that may be usable is being checked.
    Checking(Phase),
    /// The layer was there already and is whole.
    Reused(Phase),
    /// A kept layer is damaged and is made again.
    Damaged(Phase),
    /// The layer is being made.
    Begin(Phase),
    /// What the program at work says it does, in its words.
    Doing {
        /// For which layer.
        phase: Phase,
        /// One line.
        what: String,
    },
    /// Packages installed so far, of `total` known so far.
    Packages {
        /// Installed.
        done: u32,
        /// Known so far; it grows when the next group of packages begins.
        total: u32,
    },
    /// Bytes of the layer written so far, of `total`.
    Bytes {
        /// Of which layer.
        phase: Phase,
        /// Written.
        done: u64,
        /// All, 0 when unknown.
        total: u64,
    },
    /// The layer is done.
    Done(Phase),
}

/// Receives events; it must not block.
pub type Observer<'a> = &'a (dyn Fn(Event) + Send + Sync);
