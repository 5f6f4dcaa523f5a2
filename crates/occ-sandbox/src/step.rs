//! The steps a plan is made of, and how they are said.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use occ_engine::{ContainerSpec, Isolation};
use serde::Serialize;

use crate::backup::Filling;
use crate::change::{Journal, VolumeCopy};
use crate::choice::Reuse;
use crate::drift::Drift;
use crate::mount::FolderMount;
use crate::spec::Owner;

/// One thing that will be done; the smallest we promise to finish or undo.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "step")]
pub enum Step {
    /// Pull the first image that one of these names gives.
    Pull {
        /// Full names, in order.
        names: Vec<String>,
        /// Whether building follows when none can be pulled.
        then_build: bool,
    },
    /// Build the image on this machine.
    Build {
        /// The name it gets in the engine.
        name: String,
        /// What the build may take from earlier ones.
        reuse: Reuse,
    },
    /// Create a volume.
    CreateVolume {
        /// Its name.
        name: String,
    },
    /// Write down how to get back, before anything is touched.
    BeginChange {
        /// What is needed to get back.
        journal: Box<Journal>,
        /// What the old container lacks; empty when it is replaced for another reason.
        because: Vec<Drift>,
    },
    /// Copy volumes for the trial; the old sandbox is frozen for the last of it.
    CopyForTrial {
        /// What is copied.
        copies: Vec<VolumeCopy>,
        /// Bytes, as far as known.
        bytes: Option<u64>,
    },
    /// Start the new image on the copies, beside the old sandbox.
    StartTrial {
        /// What it is, but for the image that an earlier step brings.
        container: Box<ContainerSpec>,
    },
    /// Wait until the trial answers and lists every session.
    AwaitTrial {
        /// At most this long.
        #[serde(serialize_with = "seconds")]
        timeout: Duration,
    },
    /// Remove the trial and its copies.
    RemoveTrial,
    /// Copy volumes ahead, while the old sandbox works.
    CopyAhead {
        /// What is copied.
        copies: Vec<VolumeCopy>,
        /// Bytes, as far as known.
        bytes: Option<u64>,
    },
    /// Stop the old sandbox.
    StopOld,
    /// Copy what has changed since, as the old sandbox left it, to be able to go back.
    Snapshot,
    /// Give the old container another name; it stays as it is.
    SetAside {
        /// That name.
        aside: String,
    },
    /// Make a container the sandbox.
    TakePlace {
        /// Its name so far.
        from: String,
    },
    /// Put kept copies in the place of volumes' contents.
    PutBack {
        /// Which.
        copies: Vec<VolumeCopy>,
    },
    /// Empty volumes.
    Empty {
        /// Which.
        volumes: Vec<String>,
    },
    /// Put what a backup holds in the place of volumes' contents.
    Fill {
        /// What is put where.
        filling: Filling,
    },
    /// Prove that every session is still listed.
    KeepSessions,
    /// Remove what is no longer needed to get back.
    FinishChange,
    /// Give the volumes to the sandbox's user, when that is not the image's own.
    OwnVolumes {
        /// The user.
        owner: Owner,
    },
    /// Prove that a file made inside belongs to the folder's owner outside.
    ProveFolder {
        /// The folder.
        path: PathBuf,
        /// Its owner.
        owner: Owner,
    },
    /// Prove that the sandbox's user can use the mounts as wished.
    ProveMounts {
        /// The folders.
        mounts: Vec<FolderMount>,
        /// The user.
        owner: Owner,
    },
    /// Create the container.
    CreateContainer {
        /// What it is, but for the image that an earlier step brings.
        container: Box<ContainerSpec>,
    },
    /// Put the password, secrets and the like where the server reads them; not in the environment.
    InsertFiles {
        /// Name of the container.
        container: String,
    },
    /// Let a paused container go on.
    Unpause,
    /// Stop the container, to start it again.
    StopContainer,
    /// Start the container.
    StartContainer,
    /// Wait until the server answers as it should.
    AwaitReady {
        /// At most this long.
        #[serde(serialize_with = "seconds")]
        timeout: Duration,
    },
    /// Prove that nobody gets in without the password.
    ProveLocked,
    /// Write down what runs.
    Record,
}

fn seconds<S: serde::Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(duration.as_secs_f64())
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pull { names, then_build } => {
                write!(f, "pull the image: {}", names.join(", then "))?;
                if *then_build { f.write_str("; build it here if that fails") } else { Ok(()) }
            }
            Self::Build { name, reuse: Reuse::Kept } => {
                write!(f, "build the image on this machine: {name}")
            }
            Self::Build { name, reuse: Reuse::Nothing } => {
                write!(f, "build the image on this machine, from nothing: {name}")
            }
            Self::CreateVolume { name } => write!(f, "create the volume: {name}"),
            Self::BeginChange { because, .. } if because.is_empty() => {
                f.write_str("write down how to get back")
            }
            Self::BeginChange { because, .. } => {
                let because: Vec<String> = because.iter().map(Drift::to_string).collect();
                write!(f, "write down how to get back (changes {})", because.join(", "))
            }
            Self::CopyForTrial { copies, bytes } => write!(
                f,
                "copy {}{} for a trial, the sandbox frozen for the last of it",
                volumes(copies),
                sized(*bytes)
            ),
            Self::StartTrial { container } => {
                write!(f, "try the image beside the sandbox, on the copies: {}", container.name)
            }
            Self::AwaitTrial { timeout } => write!(
                f,
                "wait until the trial answers and lists every session, at most {} s",
                timeout.as_secs()
            ),
            Self::RemoveTrial => f.write_str("remove the trial and its copies"),
            Self::CopyAhead { copies, bytes } => {
                write!(f, "keep a copy of {}{} for the way back", volumes(copies), sized(*bytes))
            }
            Self::StopOld => f.write_str("stop the old sandbox"),
            Self::Snapshot => f.write_str("copy what has changed meanwhile"),
            Self::SetAside { aside } => write!(f, "set the old container aside: {aside}"),
            Self::TakePlace { from } => write!(f, "give the container the sandbox's name: {from}"),
            Self::PutBack { copies } => {
                write!(f, "put back {} as they were then", volumes(copies))
            }
            Self::Empty { volumes } => write!(f, "empty {}", volumes.join(", ")),
            Self::Fill { filling } => {
                let names: Vec<String> = filling.names().collect();
                write!(f, "put what the backup holds into {}", names.join(", "))
            }
            Self::KeepSessions => f.write_str("prove that every session is still there"),
            Self::FinishChange => f.write_str("remove what is no longer needed to get back"),
            Self::OwnVolumes { owner } => {
                write!(f, "give the volumes to user {}:{}", owner.uid, owner.gid)
            }
            Self::ProveFolder { path, owner } => write!(
                f,
                "prove that files made inside belong to {}:{} outside: {}",
                owner.uid,
                owner.gid,
                path.display()
            ),
            Self::ProveMounts { mounts, owner } => {
                let mounts: Vec<String> = mounts.iter().map(ToString::to_string).collect();
                let (uid, gid) = (owner.uid, owner.gid);
                write!(f, "prove that user {uid}:{gid} can use the folders: {}", mounts.join(", "))
            }
            Self::CreateContainer { container } => {
                write!(f, "create the container ({}): {}", describe(container), container.name)
            }
            Self::InsertFiles { .. } => f.write_str("put the password in (not in the environment)"),
            Self::Unpause => f.write_str("let the paused container go on"),
            Self::StopContainer => f.write_str("stop the container"),
            Self::StartContainer => f.write_str("start the container"),
            Self::AwaitReady { timeout } => {
                write!(f, "wait until opencode answers, at most {} s", timeout.as_secs())
            }
            Self::ProveLocked => f.write_str("prove that nobody gets in without the password"),
            Self::Record => f.write_str("write down what runs"),
        }
    }
}

fn volumes(copies: &[VolumeCopy]) -> String {
    let names: Vec<&str> = copies.iter().map(|copy| copy.volume.as_str()).collect();
    names.join(", ")
}

fn sized(bytes: Option<u64>) -> String {
    // Reading and writing at 200 MB/s is what a modest disk does.
    bytes.map_or_else(String::new, |bytes| {
        let seconds = bytes / 200_000_000 + 1;
        format!(" ({} MiB, about {seconds} s)", bytes.div_ceil(1 << 20))
    })
}

fn describe(container: &ContainerSpec) -> String {
    let walls = match &container.isolation {
        Isolation::Strict => "isolation strict".to_owned(),
        Isolation::Capabilities(kept) => {
            let kept: Vec<&str> = kept.iter().map(|capability| capability.name()).collect();
            format!("capabilities {}", kept.join(" "))
        }
    };
    let ports: Vec<String> =
        container.publish.iter().map(|p| format!("{}:{}", p.address, p.host_port)).collect();
    let limit = |what: &str, value: Option<String>| {
        value.map_or_else(|| format!("no {what} limit"), |value| format!("{what} {value}"))
    };
    [
        format!("on {}", ports.join(" ")),
        walls,
        limit("memory", container.limits.memory.map(|bytes| format!("{} MiB", bytes >> 20))),
        limit("cpus", container.limits.cpu_millis.map(|m| format!("{}.{:03}", m / 1000, m % 1000))),
        limit("processes", container.limits.pids.map(|pids| pids.to_string())),
    ]
    .join(", ")
}
