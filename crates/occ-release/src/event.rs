//! What a release tells while it works.

use std::time::Duration;

use occ_oci::Repository;

use crate::step::Step;

/// Something that a release does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A step begins.
    Begin(Step),
    /// A step is done.
    Done {
        /// Which.
        step: Step,
        /// How long it took.
        took: Duration,
        /// What is to be said of it, if anything.
        note: Option<String>,
    },
    /// A step did not succeed and is tried once more.
    Again {
        /// Which.
        step: Step,
        /// Why.
        why: String,
    },
    /// A step did not succeed. What is at work is waited for, and nothing else begins.
    Failed {
        /// Which.
        step: Step,
        /// Why.
        why: String,
    },
    /// Blobs are on their way.
    Sending {
        /// Whereto.
        place: Repository,
        /// Bytes that are there.
        done: u64,
        /// Bytes that are to be there.
        total: u64,
    },
}

/// Who is told.
pub type Observer<'a> = &'a (dyn Fn(Event) + Send + Sync);
