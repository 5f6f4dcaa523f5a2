//! The walls around a container's processes: chosen in config, shown in the plan, never probed.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// How far a container's processes are held away from the host.
///
/// There is no privileged variant and none for the host's namespaces: what cannot be said cannot be
/// asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Isolation {
    /// Every capability dropped and no way to gain one (`no-new-privileges`): `sudo` does not work.
    Strict,
    /// Every capability dropped except these; set-uid programs such as `sudo` work within them.
    Capabilities(BTreeSet<Capability>),
}

/// A Linux capability that a sandbox may keep; see capabilities(7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the names are those of capabilities(7)")]
pub enum Capability {
    AuditWrite,
    Chown,
    DacOverride,
    Fowner,
    Fsetid,
    Kill,
    NetBindService,
    Setgid,
    Setuid,
    SysChroot,
}

impl Capability {
    /// Returns the name as the engine takes it, without the `CAP_` prefix.
    pub fn name(self) -> &'static str {
        match self {
            Self::AuditWrite => "AUDIT_WRITE",
            Self::Chown => "CHOWN",
            Self::DacOverride => "DAC_OVERRIDE",
            Self::Fowner => "FOWNER",
            Self::Fsetid => "FSETID",
            Self::Kill => "KILL",
            Self::NetBindService => "NET_BIND_SERVICE",
            Self::Setgid => "SETGID",
            Self::Setuid => "SETUID",
            Self::SysChroot => "SYS_CHROOT",
        }
    }
}
