//! The examination room: what an engine must be seen to do before it counts as working.
//!
//! [`Check`] is the one list of assertions. [`examine()`] runs them against a [`Subject`]: over its HTTP
//! interface, and through commands [`Inside`] its container. Nothing is concluded from a status alone: every
//! answer is compared with what was asked for, because opencode answers 200 for pages that do not exist, for
//! files that do not exist, for commands that failed and for models that failed.

mod check;
mod container;
mod examine;
mod fault;
mod group;
mod inside;
mod junit;
mod model;
mod record;
mod report;
mod soak;
mod subject;

pub use check::{Check, Group};
pub use container::InContainer;
pub use examine::examine;
pub use fault::Fault;
pub use inside::{Inside, Ran, Talk, Trouble};
pub use junit::junit;
pub use report::{Outcome, Report, Verdict};
pub use soak::{Disturbance, Entry, Sample, SoakReport, SoakWish, StepTimes, Timed, page, soak};
pub use subject::{Expected, Life, Other, Stopped, Subject, Wish};
