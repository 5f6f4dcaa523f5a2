//! One file of somebody else: name, version, size and digest.

use occ_oci::Digest;
use serde::Deserialize;

use crate::recipe::Architecture;

/// A Debian package.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DebianPin {
    /// Its name.
    pub name: String,
    /// Its exact version, with epoch and revision.
    pub version: String,
    /// Its own architecture; none for a package that is for all.
    pub architecture: Option<Architecture>,
    /// Size of the file in bytes.
    pub size: u64,
    /// Digest of the file.
    pub digest: Digest,
}

/// A package from npm, PyPI or crates.io.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackagePin {
    /// Its name.
    pub name: String,
    /// Its exact version.
    pub version: String,
    /// For which architecture it is; none for a package that is for all.
    pub architecture: Option<Architecture>,
    /// In a tree of npm packages, the folder it goes to, such as `node_modules/a/node_modules/b`.
    pub path: Option<String>,
    /// On PyPI, the name of the wheel.
    pub file: Option<String>,
    /// Size of the file in bytes.
    pub size: u64,
    /// Digest of the file.
    pub digest: Digest,
    /// Licence, as the package states it.
    pub license: Option<String>,
}

impl PackagePin {
    /// Returns name and version as package clients want them.
    pub fn spec(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }
}
