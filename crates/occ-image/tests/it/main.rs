//! What the workshop promises, from outside.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed, which is what is meant")]

mod contents;
mod daemon;
mod debian;
mod debian_faults;
mod debian_resolve;
mod diff;
mod dockerfile;
mod guest;
mod inspect;
mod keys;
mod layout;
mod layout_tools;
mod locks;
mod material;
mod mock;
mod peers;
mod recipes;
mod saved;
mod sbom;
mod schema;
mod secrets;
