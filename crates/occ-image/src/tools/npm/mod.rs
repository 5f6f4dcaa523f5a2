//! Tools from npm: a few files of one package, or a package with everything it needs.

mod client;
mod engines;
mod fetch;
mod lockfile;
mod manifest;
mod needs;
mod published;
mod resolve;
mod reviewed;
mod tarball;
mod tree;

pub(super) use fetch::fetch;
pub(super) use resolve::resolve;
pub(super) use tree::tree;

/// Name of the registry in errors.
pub(super) const REGISTRY: &str = "npm";
