//! Platforms an image can be for (OCI image spec, index, `platform`).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Operating system and processor architecture, in the specification's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Platform {
    /// 64-bit x86.
    LinuxAmd64,
    /// 64-bit Arm.
    LinuxArm64,
}

impl Platform {
    /// All platforms, in the order in which they are listed everywhere.
    pub const ALL: [Self; 2] = [Self::LinuxAmd64, Self::LinuxArm64];

    /// Returns the operating system.
    pub fn os(self) -> &'static str {
        "linux"
    }

    /// Returns the architecture, which Debian happens to call the same.
    pub fn architecture(self) -> &'static str {
        match self {
            Self::LinuxAmd64 => "amd64",
            Self::LinuxArm64 => "arm64",
        }
    }

    /// Returns the platform of a kernel that calls its machine so (`uname -m`); none when there are no
    /// images for it.
    pub fn from_uname_machine(machine: &str) -> Option<Self> {
        match machine {
            "x86_64" | "amd64" => Some(Self::LinuxAmd64),
            "aarch64" | "arm64" => Some(Self::LinuxArm64),
            _ => None,
        }
    }
}

/// The text names no platform that there are images for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a known platform: linux/amd64 and linux/arm64 are")]
pub struct ParsePlatformError(pub String);

impl FromStr for Platform {
    type Err = ParsePlatformError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|platform| platform.to_string() == text)
            .ok_or_else(|| ParsePlatformError(text.to_owned()))
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os(), self.architecture())
    }
}

impl From<Platform> for String {
    fn from(platform: Platform) -> Self {
        platform.to_string()
    }
}

impl TryFrom<String> for Platform {
    type Error = ParsePlatformError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}
