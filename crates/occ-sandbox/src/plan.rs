//! The heart: from a wish and an observation to what will happen, in order. Pure.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use occ_engine::{ContainerSpec, ContainerState, EngineFacts, ImageFacts, ImageId, Phase};
use occ_image::guest;
use serde::Serialize;

use crate::drift::{Drift, drift};
use crate::observe::{Observation, PortState};
use crate::question::{Consent, Question, Topic};
use crate::spec::{ImageSource, Owner, SandboxSpec, Workspace};

/// What follows from a wish.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// This is what will happen.
    Ready(Plan),
    /// A person has to decide first.
    Ask(Question),
    /// It will not be done, and nothing was touched.
    Refuse(Refusal),
}

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
    /// A container under our name was made by something else.
    ForeignContainer {
        /// The name.
        name: String,
    },
    /// Files of the folder could never belong to its owner.
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        why: FolderProblem,
    },
}

/// Why a folder of the host cannot be the workspace.
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
    },
    /// Create a volume.
    CreateVolume {
        /// Its name.
        name: String,
    },
    /// Remove a container that cannot serve the wish; volumes stay.
    RemoveContainer {
        /// Its name.
        name: String,
        /// What it lacks; empty when its image is gone.
        because: Vec<Drift>,
    },
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
    /// Create the container.
    CreateContainer {
        /// What it is, but for the image that an earlier step brings.
        container: Box<ContainerSpec>,
    },
    /// Put the password where the server reads it; not in the environment.
    InsertPassword,
    /// Let a paused container go on.
    Unpause,
    /// Stop a container that its restart policy keeps starting.
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

/// What will happen, in order.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// The steps; empty when there is nothing to do.
    pub steps: Vec<Step>,
    /// The image, when it is there already.
    pub image: Option<ImageId>,
}

impl Plan {
    /// Returns whether anything is brought, made or started.
    pub fn changes_something(&self) -> bool {
        self.steps
            .iter()
            .any(|step| !matches!(step, Step::AwaitReady { .. } | Step::ProveLocked | Step::Record))
    }
}

/// The name a plan uses for an image that an earlier step brings.
const ARRIVING: &str = "(the image of the step before)";

/// Plans a start: what is there is used, what is missing is made, what differs is replaced.
pub fn plan_start(
    spec: &SandboxSpec,
    seen: &Observation,
    built_name: &str,
    consent: &Consent,
) -> Decision {
    match refusal(spec, seen) {
        Some(refusal) => Decision::Refuse(refusal),
        None => match seen.container.as_ref() {
            Some(container) => with_container(spec, seen, built_name, consent, container),
            None => from_nothing(spec, seen, built_name, consent, Vec::new()),
        },
    }
}

fn with_container(
    spec: &SandboxSpec,
    seen: &Observation,
    built_name: &str,
    consent: &Consent,
    container: &ContainerState,
) -> Decision {
    let drift = drift(spec, container);
    let running = matches!(container.phase, Phase::Running | Phase::Paused | Phase::Restarting);
    if drift.is_empty() && (running || seen.container_image.is_some()) {
        return Decision::Ready(resume(spec, container));
    }
    if running && !consent.has(Topic::Replace) {
        return Decision::Ask(Question::Replace { drift });
    }
    let first = vec![Step::RemoveContainer { name: container.name.clone(), because: drift }];
    from_nothing(spec, seen, built_name, consent, first)
}

/// Steps for a container that is what is wished, whatever phase it is in.
fn resume(spec: &SandboxSpec, container: &ContainerState) -> Plan {
    let wait = Step::AwaitReady { timeout: spec.start_timeout };
    let start = [Step::InsertPassword, Step::StartContainer];
    let mut steps = match container.phase {
        Phase::Running => vec![],
        Phase::Paused => vec![Step::Unpause],
        Phase::Restarting => [vec![Step::StopContainer], start.to_vec()].concat(),
        Phase::Created | Phase::Exited | Phase::Other(_) => start.to_vec(),
    };
    steps.extend([wait, Step::ProveLocked, Step::Record]);
    Plan { steps, image: Some(container.image.clone()) }
}

fn from_nothing(
    spec: &SandboxSpec,
    seen: &Observation,
    built_name: &str,
    consent: &Consent,
    mut steps: Vec<Step>,
) -> Decision {
    let image = usable_image(seen);
    if image.is_none() {
        match acquisition(spec, seen, built_name, consent) {
            Ok(step) => steps.insert(0, step),
            Err(question) => return Decision::Ask(question),
        }
    }
    let missing = spec.volumes().into_iter().filter(|(name, _)| !seen.volumes.contains(name));
    steps.extend(missing.map(|(name, _)| Step::CreateVolume { name }));
    let owner = spec.owner();
    let last_owner = seen.record.as_ref().map_or(Owner::GUEST, |record| record.owner);
    if owner != Owner::GUEST || last_owner != owner {
        steps.push(Step::OwnVolumes { owner });
    }
    if let Workspace::Folder { path, owner } = &spec.workspace {
        steps.push(Step::ProveFolder { path: path.clone(), owner: *owner });
    }
    let id = image.clone().unwrap_or_else(|| ImageId(ARRIVING.to_owned()));
    steps.extend([
        Step::CreateContainer { container: Box::new(fitted(spec.container(id), &seen.engine)) },
        Step::InsertPassword,
        Step::StartContainer,
        Step::AwaitReady { timeout: spec.start_timeout },
        Step::ProveLocked,
        Step::Record,
    ]);
    Decision::Ready(Plan { steps, image })
}

/// Takes back limits that this engine cannot enforce: it would refuse the whole container.
fn fitted(mut container: ContainerSpec, engine: &EngineFacts) -> ContainerSpec {
    let limits = &mut container.limits;
    let all = engine.cpus.saturating_mul(1000);
    limits.cpu_millis = limits.cpu_millis.map(|millis| millis.min(all));
    limits.memory = limits.memory.filter(|_| engine.can_limit.memory);
    limits.cpu_millis = limits.cpu_millis.filter(|_| engine.can_limit.cpu);
    limits.pids = limits.pids.filter(|_| engine.can_limit.pids);
    container
}

/// Returns the image to make a container from, when one is there: the container's own, then the one
/// the record names, then what a build here would give.
fn usable_image(seen: &Observation) -> Option<ImageId> {
    [&seen.container_image, &seen.recorded_image, &seen.built_image]
        .into_iter()
        .flatten()
        .find(|image| foreign(image).is_none())
        .map(|image| image.id.clone())
}

fn acquisition(
    spec: &SandboxSpec,
    seen: &Observation,
    built_name: &str,
    consent: &Consent,
) -> Result<Step, Question> {
    let then_build = consent.has(Topic::BuildInstead);
    match &spec.image {
        ImageSource::Prebuilt(names) => Ok(Step::Pull { names: names.clone(), then_build }),
        ImageSource::Build => match seen.built_image.as_ref().and_then(foreign) {
            Some(foreign) if !then_build => {
                Err(Question::BuildInstead { because: vec![foreign.to_string()] })
            }
            _ => Ok(Step::Build { name: built_name.to_owned() }),
        },
    }
}

/// An image that does not keep the guest contract this program knows; it is never run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ForeignImage {
    /// Its name or id.
    pub image: String,
    /// The contract version its label names, if it has one.
    pub contract: Option<String>,
}

impl fmt::Display for ForeignImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.contract {
            None => write!(f, "the image was not made by opencode-cloud: {}", self.image),
            Some(version) => write!(
                f,
                "the image keeps guest contract {version}, this program knows {}: {}",
                guest::CONTRACT_VERSION,
                self.image
            ),
        }
    }
}

/// Returns why an image is not one of ours, or none when it is.
pub fn foreign(image: &ImageFacts) -> Option<ForeignImage> {
    let contract = image.labels.get(guest::LABEL_CONTRACT);
    (contract.map(String::as_str) != Some(guest::CONTRACT_VERSION)).then(|| ForeignImage {
        image: image.tags.first().cloned().unwrap_or_else(|| image.id.to_string()),
        contract: contract.cloned(),
    })
}

fn refusal(spec: &SandboxSpec, seen: &Observation) -> Option<Refusal> {
    if let Some(container) = &seen.container
        && container.labels.get(guest::LABEL_INSTANCE).map(String::as_str)
            != Some(spec.instance.name())
    {
        return Some(Refusal::ForeignContainer { name: container.name.clone() });
    }
    if let PortState::Taken { by, next_free } = &seen.port {
        return Some(Refusal::PortTaken { port: spec.port, by: by.clone(), next_free: *next_free });
    }
    folder_problem(spec, seen)
}

fn folder_problem(spec: &SandboxSpec, seen: &Observation) -> Option<Refusal> {
    let Workspace::Folder { path, owner } = &spec.workspace else { return None };
    let engine = &seen.engine;
    let why = if !engine.local {
        FolderProblem::RemoteEngine
    } else if engine.rootless {
        FolderProblem::RootlessEngine
    } else if engine.userns_remap {
        FolderProblem::RemappedUsers
    } else if owner.uid == 0 {
        FolderProblem::OwnedByRoot
    } else {
        return None;
    };
    Some(Refusal::Folder { path: path.clone(), why })
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pull { names, then_build } => {
                write!(f, "pull the image: {}", names.join(", then "))?;
                if *then_build { f.write_str("; build it here if that fails") } else { Ok(()) }
            }
            Self::Build { name } => write!(f, "build the image on this machine: {name}"),
            Self::CreateVolume { name } => write!(f, "create the volume: {name}"),
            Self::RemoveContainer { name, because } if because.is_empty() => {
                write!(f, "remove the container, whose image is gone; volumes stay: {name}")
            }
            Self::RemoveContainer { name, because } => {
                let because: Vec<String> = because.iter().map(Drift::to_string).collect();
                write!(f, "remove the container ({}); volumes stay: {name}", because.join(", "))
            }
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
            Self::CreateContainer { container } => {
                write!(f, "create the container ({}): {}", describe(container), container.name)
            }
            Self::InsertPassword => f.write_str("put the password in (not in the environment)"),
            Self::Unpause => f.write_str("let the paused container go on"),
            Self::StopContainer => f.write_str("stop the container that keeps restarting"),
            Self::StartContainer => f.write_str("start the container"),
            Self::AwaitReady { timeout } => {
                write!(f, "wait until opencode answers, at most {} s", timeout.as_secs())
            }
            Self::ProveLocked => f.write_str("prove that nobody gets in without the password"),
            Self::Record => f.write_str("write down what runs"),
        }
    }
}

fn describe(container: &ContainerSpec) -> String {
    use occ_engine::Isolation;
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
