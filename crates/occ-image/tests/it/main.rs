//! What the workshop promises, from outside.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed, which is what is meant")]

mod bench;
mod builds;
mod daemon;
mod documents;
mod faults;
mod keys;
mod mock;
