//! What refers to a manifest: signatures, provenance, bills of materials (distribution spec, "Listing
//! Referrers" and "Referrers Tag Schema").
//!
//! Many registries have no API for it, Docker Hub and GHCR among them; there a tag named after the digest
//! is the list. Both are read, always, and nothing is filtered: lists exist in which the kinds are wrong.

mod attach;
mod list;
mod tag;

pub use attach::Attached;
pub(crate) use attach::Unlisted;
pub(crate) use list::next_page;
pub use list::{ApiList, Referrers, TagList};
