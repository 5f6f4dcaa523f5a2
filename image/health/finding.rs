//! What was found: one sentence for people, one code for programs.

/// What was found.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finding {
    /// All is well.
    Healthy,
    /// The server says that it is not healthy.
    Unhealthy,
    /// Nobody listens.
    NotListening,
    /// Somebody listens and does not answer.
    Silent,
    /// The password is not the server's.
    Refused,
    /// The server is well, and a project's configuration is not.
    BrokenProject,
    /// Somebody else answers.
    Stranger,
    /// The password cannot be one.
    NoPassword,
}

impl Finding {
    /// Returns the exit code that the guest contract has for it.
    pub(crate) fn code(self) -> i32 {
        match self {
            Self::Healthy => 0,
            Self::Unhealthy => 10,
            Self::NotListening => 11,
            Self::Silent => 12,
            Self::Refused => 13,
            Self::BrokenProject => 14,
            Self::Stranger => 15,
            Self::NoPassword => 16,
        }
    }

    /// Returns the sentence.
    pub(crate) fn sentence(self) -> &'static [u8] {
        match self {
            Self::Healthy => b"opencode works",
            Self::Unhealthy => b"opencode says that it is not healthy",
            Self::NotListening => b"opencode does not listen",
            Self::Silent => b"opencode listens and does not answer",
            Self::Refused => b"opencode refuses the password",
            Self::BrokenProject => {
                b"opencode cannot open the workspace: its configuration is broken"
            }
            Self::Stranger => b"what answers is not opencode",
            Self::NoPassword => b"the password is too long",
        }
    }
}
