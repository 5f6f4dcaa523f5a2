//! The judge and its files, as the crates above meet them.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed, which is what is meant")]

mod builtin;
mod cases;
mod facts;
mod judging;
mod mistakes;
mod schema;
