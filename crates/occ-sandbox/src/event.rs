//! News while a plan is applied.

use std::time::Duration;

use crate::step::Step;

/// One piece of news.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A step begins.
    Begin {
        /// Its place in the plan, from 1.
        number: usize,
        /// How many there are.
        of: usize,
        /// The step.
        step: Step,
    },
    /// News of a transfer to the engine.
    Transfer(occ_engine::Event),
    /// News of the build.
    Build(occ_image::Event),
    /// An image is being pulled.
    Pulling {
        /// Its name.
        name: String,
    },
    /// An image could not be pulled.
    PullFailed {
        /// Its name.
        name: String,
        /// Why, in one line.
        why: String,
    },
    /// It was proved who signed the image.
    Verified {
        /// By whom, in one sentence.
        said: String,
    },
    /// It was not proved who made the image, and it is taken all the same.
    Unverified {
        /// Why, in one sentence.
        said: String,
    },
    /// Bytes of an image's layers that are here.
    Fetched {
        /// So far.
        done: u64,
        /// In all.
        total: u64,
    },
    /// The server is not ready yet.
    Waiting {
        /// Since the wait began.
        elapsed: Duration,
        /// What it waits for.
        for_what: String,
    },
    /// The old sandbox is back, and does not answer.
    OldNotReady {
        /// Why, in one line.
        why: String,
    },
    /// A change could not be taken back now; the next command does it.
    LeftForLater {
        /// Why, in one line.
        why: String,
    },
    /// Bytes of volumes that were read or written.
    Copied {
        /// What is being done.
        what: String,
        /// Bytes so far.
        done: u64,
        /// Bytes in all, as far as is known.
        total: u64,
    },
    /// A step failed, and this is being taken back.
    Undo {
        /// What is taken back.
        what: String,
    },
}

/// Receives events; it must not block.
pub type Observer<'a> = &'a (dyn Fn(Event) + Send + Sync);
