//! Where a release goes: a version for good, or the newest state of the main branch.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::version::{ParseVersionError, Version};

/// Where a release goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// A version, whose tags never move.
    Release(Version),
    /// The newest state of the main branch (`edge`), which no version stands for.
    Edge,
}

impl Channel {
    /// Returns the version, when it is one.
    pub fn version(&self) -> Option<Version> {
        match self {
            Self::Release(version) => Some(*version),
            Self::Edge => None,
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Release(version) => version.fmt(f),
            Self::Edge => f.pad("edge"),
        }
    }
}

impl FromStr for Channel {
    type Err = ParseVersionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "edge" { Ok(Self::Edge) } else { text.parse().map(Self::Release) }
    }
}

impl Serialize for Channel {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Channel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
