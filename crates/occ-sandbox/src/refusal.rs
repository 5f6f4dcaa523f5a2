//! Wishes that are not granted, and why.

use std::collections::BTreeMap;
use std::path::PathBuf;

use occ_image::guest;

use crate::instance::Instance;
use crate::spec::Owner;

/// Why a wish is not granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The port belongs to something else.
    PortTaken {
        /// The port wished.
        port: u16,
        /// The process that holds it, when the system tells.
        by: Option<(String, u32)>,
        /// The next free port.
        next_free: Option<u16>,
    },
    /// A container or volume under our name was made by something else.
    Foreign {
        /// The name.
        name: String,
    },
    /// A container or volume under our name belongs to another user of this host.
    OtherUser {
        /// The name.
        name: String,
        /// The user's number.
        user: String,
    },
    /// There is no sandbox before this one to go back to.
    NoPrevious,
    /// The container to go back to was removed by somebody.
    PreviousGone {
        /// The name it had.
        name: String,
    },
    /// The container to go back to runs as another user than the settings wish now.
    PreviousOwner {
        /// Its user.
        was: Owner,
        /// The user of the settings.
        wished: Owner,
    },
    /// Files of the folder could never belong to its owner.
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        why: FolderProblem,
    },
    /// The folder cannot be mounted.
    Mount {
        /// The folder.
        path: PathBuf,
        /// Why.
        why: FolderProblem,
    },
    /// The SSH agent would not answer the sandbox.
    SshAgent {
        /// Number of the user who owns the agent.
        agent: u32,
        /// Number of the sandbox's user.
        user: u32,
        /// Why, where it is not that the two are different.
        why: Option<FolderProblem>,
    },
}

/// Why a folder of the host cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FolderProblem {
    /// It belongs to root, and the sandbox never runs as root.
    OwnedByRoot,
    /// The engine runs without root, so users inside are other users outside.
    RootlessEngine,
    /// The engine maps users (`userns-remap`).
    RemappedUsers,
    /// The engine runs on another machine.
    RemoteEngine,
}

/// Who may touch what: one instance of one user of the host.
///
/// An engine is shared by all users who may speak to it; what one of them made is no other's to start with
/// another password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim<'a> {
    /// The instance.
    pub instance: &'a Instance,
    /// Number of the user.
    pub user: u32,
}

impl Claim<'_> {
    /// Returns the labels of everything that belongs to the claim.
    pub fn labels(&self) -> Vec<(String, String)> {
        vec![
            (guest::LABEL_INSTANCE.to_owned(), self.instance.name().to_owned()),
            (guest::LABEL_USER.to_owned(), self.user.to_string()),
        ]
    }
}

/// Returns why a thing with these labels is not for `claim` to touch, or none when it is.
pub fn stranger(
    claim: Claim<'_>,
    name: &str,
    labels: &BTreeMap<String, String>,
) -> Option<Refusal> {
    let label = |label: &str| labels.get(label).map(String::as_str);
    let name = name.to_owned();
    if label(guest::LABEL_INSTANCE) != Some(claim.instance.name()) {
        return Some(Refusal::Foreign { name });
    }
    let user = label(guest::LABEL_USER)?;
    (user != claim.user.to_string()).then(|| Refusal::OtherUser { name, user: user.to_owned() })
}
