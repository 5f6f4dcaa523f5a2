//! Why a plan was not finished.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use occ_engine::ExitStatus;

use crate::files::FileError;
use crate::secret::SecretError;
use crate::spec::Owner;

/// Why a plan was not finished; what it had done is taken back.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The engine failed.
    #[error("could not {step}")]
    Engine {
        /// What was being done.
        step: String,
        /// What the engine said.
        #[source]
        source: occ_engine::Error,
    },
    /// The sandbox could not be frozen: not every engine can.
    #[error("could not freeze the sandbox")]
    NotFrozen(#[source] occ_engine::Error),
    /// No image could be pulled.
    #[error("Failed to pull prebuilt image: {}", attempts.iter().map(PullAttempt::to_string).collect::<Vec<_>>().join("; "))]
    Pull {
        /// What was tried.
        attempts: Vec<PullAttempt>,
    },
    /// Registries disagree, the engine has another image, or the settings are wrong: nothing else is tried in
    /// its place.
    #[error("the image was not taken")]
    NotTaken(#[source] Box<crate::pull::PullError>),
    /// The image could not be built.
    #[error("could not build the image")]
    Build(#[source] occ_image::BuildError),
    /// The container stopped during the start.
    #[error("{}", exited(status))]
    Exited {
        /// How it ended.
        status: ExitStatus,
        /// Its last log lines.
        log: Vec<String>,
    },
    /// The server did not become ready in time.
    #[error("opencode in the sandbox did not become ready")]
    NotReady {
        /// Why.
        #[source]
        source: occ_opencode::NotReady,
        /// The container's last log lines.
        log: Vec<String>,
    },
    /// The server lets people in without the password, or nobody could find out; the sandbox was stopped.
    #[error("the sandbox was stopped, because {}", match .0 {
        occ_opencode::DoorError::Open(_) => "its door was open",
        occ_opencode::DoorError::Undecided { .. } => "its door could not be tried in time",
    })]
    DoorOpen(#[source] occ_opencode::DoorError),
    /// Sessions that existed are no longer listed.
    #[error("sessions are missing in the new sandbox: {}", missing.join(", "))]
    SessionsMissing {
        /// Their names.
        missing: Vec<String>,
    },
    /// A mount does not work as wished.
    #[error(transparent)]
    Probe(#[from] ProbeError),
    /// The value of a secret could not be had; nothing was touched.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A file of ours could not be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file that leads back is there and cannot be understood.
    #[error(transparent)]
    Unreadable(#[from] crate::record::Unreadable),
    /// Volumes could not be filled from a backup.
    #[error(transparent)]
    Backup(Box<crate::backup::BackupError>),
    /// The password could not be made.
    #[error("the system gives no randomness for a password")]
    Randomness(#[source] std::io::Error),
    /// Stopped on request.
    #[error("interrupted")]
    Interrupted,
}

fn exited(status: &ExitStatus) -> String {
    let ExitStatus { code, oom_killed, error } = status;
    let memory = if *oom_killed { ": it ran out of memory" } else { "" };
    let words = error.as_ref().filter(|text| !text.is_empty());
    let words = words.map_or_else(String::new, |text| format!(" ({text})"));
    format!("the sandbox stopped during the start with exit code {code}{memory}{words}")
}

impl ApplyError {
    pub(crate) fn engine(step: impl Into<String>) -> impl FnOnce(occ_engine::Error) -> Self {
        let step = step.into();
        move |source| Self::Engine { step, source }
    }
}

/// One image that could not be pulled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullAttempt {
    /// The full name.
    pub name: String,
    /// Why, in one line.
    pub why: String,
}

impl fmt::Display for PullAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.why)
    }
}

/// A mount that does not work as wished.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The sandbox's user cannot write there.
    #[error("the sandbox's user {}:{} cannot write to {path}: {said}", owner.uid, owner.gid)]
    NotWritable {
        /// The folder.
        path: PathBuf,
        /// The user.
        owner: Owner,
        /// What the probe said.
        said: String,
    },
    /// The sandbox's user cannot read there.
    #[error("the sandbox's user {}:{} cannot read {path}", owner.uid, owner.gid)]
    NotReadable {
        /// The folder.
        path: PathBuf,
        /// The user.
        owner: Owner,
    },
    /// A mount that is to be read only can be written to.
    #[error("the sandbox can write to {path}, which it is only to read")]
    NotReadOnly {
        /// The folder.
        path: PathBuf,
    },
    /// A file made inside belongs to somebody else outside.
    #[error(
        "a file made inside belongs to {}:{} outside instead of {}:{}, the owner of {path}",
        found.uid, found.gid, wished.uid, wished.gid
    )]
    OtherOwner {
        /// The folder.
        path: PathBuf,
        /// Whose it should be.
        wished: Owner,
        /// Whose it is.
        found: Owner,
    },
    /// The file made inside is not to be seen outside.
    #[error("a file made inside is not to be seen in {path}: the engine mounts something else")]
    NotSeen {
        /// The folder.
        path: PathBuf,
    },
    /// The volumes could not be given to the sandbox's user.
    #[error("the volumes could not be given to the sandbox's user: {said}")]
    NotOwned {
        /// What the probe said.
        said: String,
    },
    /// Volumes could not be copied; a full disk is the usual cause.
    #[error("the data could not be copied: {said}")]
    NotCopied {
        /// What the copying said.
        said: String,
    },
    /// A volume to copy from is gone.
    #[error("there is nothing to copy from: the volume {volume} is gone")]
    NoSource {
        /// Its name.
        volume: String,
    },
    /// The probe did not end.
    #[error("the probe did not end within {} s", after.as_secs())]
    NoEnd {
        /// How long it was waited for.
        after: Duration,
    },
}

impl ProbeError {
    /// Returns the folder it is about, when it is about one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::NotWritable { path, .. }
            | Self::NotReadable { path, .. }
            | Self::NotReadOnly { path }
            | Self::OtherOwner { path, .. }
            | Self::NotSeen { path } => Some(path),
            Self::NotOwned { .. }
            | Self::NotCopied { .. }
            | Self::NoSource { .. }
            | Self::NoEnd { .. } => None,
        }
    }
}
