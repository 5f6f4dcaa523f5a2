//! What was looked at and said about versions, and when: part of the record, in a file of its own.

use serde::{Deserialize, Serialize};

use crate::version::Mismatch;

/// The looks and warnings of one instance.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Checks {
    /// The last look for a newer image that was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update: Option<UpdateCheck>,
    /// The last warning about versions that differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warned: Option<Warned>,
}

/// A look for a newer image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateCheck {
    /// Version that was installed.
    pub version: String,
    /// When, RFC 3339, UTC.
    pub at: String,
}

/// A warning about versions that differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warned {
    /// What differed.
    #[serde(flatten)]
    pub mismatch: Mismatch,
    /// When, RFC 3339, UTC.
    pub at: String,
}

/// When to look for a newer image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpdateRule {
    /// At every start.
    Always,
    /// Once per installed version.
    Once,
    /// Never.
    Never,
}

impl UpdateRule {
    /// Returns whether a look is due while `version` is installed.
    pub fn is_due(self, version: &str, checks: &Checks) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Once => checks.update.as_ref().is_none_or(|last| last.version != version),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cfg_002_once_means_once_per_installed_version() {
        let mut checks = Checks::default();
        assert!(UpdateRule::Once.is_due("1.0.12", &checks));
        checks.update =
            Some(UpdateCheck { version: "1.0.12".into(), at: "2026-01-24T10:30:00Z".into() });
        assert!(!UpdateRule::Once.is_due("1.0.12", &checks));
        assert!(UpdateRule::Once.is_due("1.0.13", &checks));
        assert!(UpdateRule::Always.is_due("1.0.12", &checks));
        assert!(!UpdateRule::Never.is_due("1.0.13", &checks));
    }
}
