//! The press: a release of all variants, for all architectures, in all registries, or nothing.
//!
//! Publishing needs no container engine: what runs an image and what looks for its weaknesses are ports that
//! this crate is handed.
//!
//! | word | is |
//! |---|---|
//! | [`Version`] | what a release is called: the version of opencode, and a letter for a further build of it |

mod version;

pub use version::{ParseVersionError, Version};
