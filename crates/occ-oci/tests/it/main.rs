//! What the dictionary promises, from outside.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed, which is what is meant")]

mod digest;
mod manifest;
mod reference;
mod verifying;
