//! The exit codes, one table.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done, or nothing to do.
    Done,
    /// Could not: an operation failed.
    Failed,
    /// Usage, or an answer was needed and nobody could be asked.
    Usage,
    /// Refused: bytes are not what was promised, or a policy says no.
    Refused,
    /// The configuration is invalid.
    Config,
    /// The container engine is unreachable or refused.
    Engine,
    /// The network or a registry failed.
    Network,
    /// The sandbox is unhealthy.
    Unhealthy,
    /// Work would be lost, and nobody said that it may be.
    WouldLoseWork,
    /// Interrupted.
    Interrupted,
    /// The code of a program run inside.
    Child(u8),
}

impl Exit {
    /// Every code with its name and meaning, for documents.
    pub(crate) const TABLE: [(Self, &'static str); 10] = [
        (Self::Done, "done, or nothing to do"),
        (Self::Failed, "could not: an operation failed"),
        (Self::Usage, "usage, or an answer was needed and nobody could be asked"),
        (Self::Refused, "refused: something is not what was promised, or a policy says no"),
        (Self::Config, "the configuration or the recipe is invalid"),
        (Self::Engine, "the container engine is unreachable or refused"),
        (Self::Network, "the network or a registry failed"),
        (Self::Unhealthy, "the sandbox is unhealthy"),
        (Self::WouldLoseWork, "work would be lost, and nobody said that it may be"),
        (Self::Interrupted, "interrupted"),
    ];

    /// Returns the number.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::Config => 4,
            Self::Engine => 5,
            Self::Network => 6,
            Self::Unhealthy => 7,
            Self::WouldLoseWork => 8,
            Self::Interrupted => 130,
            Self::Child(code) => code,
        }
    }

    /// Returns the stable name that programs see.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Usage => "usage",
            Self::Refused => "refused",
            Self::Config => "config",
            Self::Engine => "engine",
            Self::Network => "network",
            Self::Unhealthy => "unhealthy",
            Self::WouldLoseWork => "would-lose-work",
            Self::Interrupted => "interrupted",
            Self::Child(_) => "child",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
