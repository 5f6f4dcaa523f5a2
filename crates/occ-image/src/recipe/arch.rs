//! Architectures as Debian names them, and values that differ between them.

use std::fmt;

use occ_oci::Platform;
use serde::{Deserialize, Serialize};

/// A processor architecture, in Debian's words, which are also those of the OCI specifications.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    /// 64-bit x86.
    Amd64,
    /// 64-bit Arm.
    Arm64,
}

impl Architecture {
    /// Returns the name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl From<Platform> for Architecture {
    fn from(platform: Platform) -> Self {
        match platform {
            Platform::LinuxAmd64 => Self::Amd64,
            Platform::LinuxArm64 => Self::Arm64,
        }
    }
}

/// A value for every architecture, or one for each.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum PerArchitecture<T> {
    /// Each has its own.
    Each(Each<T>),
    /// All have the same.
    All(T),
}

/// One value per architecture; one that has none is not served.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Each<T> {
    /// For 64-bit x86.
    pub amd64: Option<T>,
    /// For 64-bit Arm.
    pub arm64: Option<T>,
}

impl<T> PerArchitecture<T> {
    /// Returns the value for an architecture.
    pub fn get(&self, architecture: Architecture) -> Option<&T> {
        match (self, architecture) {
            (Self::All(value), _) => Some(value),
            (Self::Each(each), Architecture::Amd64) => each.amd64.as_ref(),
            (Self::Each(each), Architecture::Arm64) => each.arm64.as_ref(),
        }
    }
}
