//! The Debian base: packages from the archive, configured once, split into layers along their groups.

mod apt;
mod base;
mod fetch;
mod index;
mod resolve;
mod scratch;
mod sources;
mod split;
mod tree;

pub(crate) use base::make;
pub(crate) use fetch::fetch;
pub(crate) use resolve::resolve;

/// The script that configures the packages; it is part of the base's key.
pub(crate) const CONFIGURE: &str = include_str!("../../../../image/base/configure");

/// The archive's name in errors and news.
const REGISTRY: &str = "Debian";
