//! The workshop: from a recipe and a lock to an image archive that an engine loads.
//!
//! [`Recipe`] and [`Lock`] are what people write, [`BuildPlan`] is the pure and complete description of the
//! bytes that follows from them, [`build`] makes the bytes, [`Image::archive`] hands them out. What image and
//! programs outside agree on is in [`guest`].
//!
//! Three layers, slowest to change at the bottom: a Debian base (mmdebstrap, the machine's own package
//! sources), the opencode binary (npm, the user's own configuration, verified against the lock), the guest's
//! own files. Each is written by [`layer::write`] as the same bytes for the same tree, and kept under a key of
//! what it was made from.
//!
//! This crate opens no socket, reads no environment and no clock.

mod accounts;
mod archive;
mod base;
mod base_tree;
mod build;
mod cache;
mod config;
mod cpu;
mod document;
mod error;
mod event;
pub mod guest;
mod guest_files;
mod image;
mod key;
mod lock;
mod opencode;
mod plan;
mod program;
mod pulse;
mod recipe;
mod sources;
mod workshop;

pub use archive::Archive;
pub use build::build;
pub use cache::Layer;
pub use cpu::Cpu;
pub use document::DocumentError;
pub use error::BuildError;
pub use event::{Event, Observer, Phase};
pub use guest_files::{GuestEntry, managed_config_with_hosted_models};
pub use image::Image;
pub use key::{BuildKey, LayerKey};
pub use lock::{Lock, Pin};
pub use plan::{BuildPlan, NoPin, Target};
pub use recipe::{BaseRecipe, Recipe};
pub use workshop::{Programs, Workshop};
