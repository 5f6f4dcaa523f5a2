//! The program as its users meet it: arguments in, streams and exit code out.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed, which is what is meant")]

mod config;
mod daemon;
mod given;
mod image;
mod material;
mod output;
mod places;
mod policy;
mod registries;
mod release;
mod releasing;
mod service;
mod setup;
mod trust;
