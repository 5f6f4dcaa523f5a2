//! Everything a fake engine holds, and what a test may do to it behind the engine's back.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use super::blow::Blow;
use super::containers::{FakeContainer, Life};
use super::images::KeptImage;
use super::op::Op;
use super::volumes::{Files, Volumes};
use crate::container::{ContainerSpec, ExitStatus, HealthCheck, Phase};
use crate::engine::GuestFile;
use crate::error::Error;
use crate::exec::ExecSpec;
use crate::facts::{CanLimit, EngineFacts, VolumeFacts};
use crate::image::ImageId;
use crate::logs::Source;

/// Start of every world: 2026-01-01T00:00:00Z.
const BEGINNING: u64 = 1_767_225_600;

type Start = dyn Fn(&ContainerSpec, &mut Volumes) -> Life + Send + Sync;
type Told = dyn Fn(&ContainerSpec, &str, &mut Volumes) -> Option<Life> + Send + Sync;
type Full = dyn Fn(Op, &str) -> bool + Send + Sync;
type Program = dyn Fn(&ExecSpec, &[u8]) -> Ran + Send + Sync;
type Hook = Box<dyn FnOnce(&mut World) + Send>;

/// What a program run inside a container did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ran {
    /// Exit code.
    pub code: i64,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

/// State of a fake engine.
pub struct World {
    pub(super) now: u64,
    pub(super) facts: EngineFacts,
    pub(super) images: BTreeMap<ImageId, KeptImage>,
    /// Layers that are small enough to be kept, by the digest of what they are unpacked.
    pub(super) layers: BTreeMap<String, Vec<u8>>,
    pub(super) volumes: BTreeMap<String, VolumeFacts>,
    /// INVARIANT: has the same names as `volumes`.
    pub(super) contents: Volumes,
    pub(super) containers: Vec<FakeContainer>,
    pub(super) taken_ports: BTreeSet<u16>,
    pub(super) created: u64,
    pub(super) calls: Vec<String>,
    pub(super) faults: Vec<(Op, Error)>,
    pub(super) before: Vec<(Op, Hook)>,
    pub(super) after: Vec<(Op, Hook)>,
    pub(super) life: Arc<Start>,
    pub(super) told: Arc<Told>,
    pub(super) program: Arc<Program>,
    pub(super) full: Arc<Full>,
    /// What happens at the call of that number.
    pub(super) blow: Option<(usize, Blow)>,
    gone: bool,
}

impl World {
    pub(super) fn new() -> Self {
        Self {
            now: BEGINNING,
            facts: facts(),
            images: BTreeMap::new(),
            layers: BTreeMap::new(),
            volumes: BTreeMap::new(),
            contents: Volumes::new(),
            containers: Vec::new(),
            taken_ports: BTreeSet::new(),
            created: 0,
            calls: Vec::new(),
            faults: Vec::new(),
            before: Vec::new(),
            after: Vec::new(),
            life: Arc::new(|_, _| Life::runs()),
            told: Arc::new(|_, _, _| None),
            program: Arc::new(|_, _| Ran { code: 127, ..Ran::default() }),
            full: Arc::new(|_, _| false),
            blow: None,
            gone: false,
        }
    }

    /// Lets the daemon disappear: every call answers [`Error::NotRunning`] until it comes back.
    pub fn vanish(&mut self) {
        self.gone = true;
    }

    /// Lets the daemon come back with everything it held.
    pub fn come_back(&mut self) {
        self.gone = false;
    }

    /// Lets time pass.
    pub fn advance(&mut self, seconds: u64) {
        self.now += seconds;
    }

    /// Lets a program outside the engine take a host port.
    pub fn take_port(&mut self, port: u16) {
        self.taken_ports.insert(port);
    }

    /// Lets the program outside the engine give a host port back.
    pub fn free_port(&mut self, port: u16) {
        self.taken_ports.remove(&port);
    }

    /// Decides from now on whether the disk is full for a call that takes space, by its subject.
    pub fn fill_disk(&mut self, full: impl Fn(Op, &str) -> bool + Send + Sync + 'static) {
        self.full = Arc::new(full);
    }

    /// Returns what is in a volume.
    ///
    /// # Panics
    /// When there is no such volume: the test says something untrue.
    pub fn files(&self, volume: &str) -> &Files {
        self.contents.get(volume).expect("a test names volumes that exist")
    }

    /// Returns what is in a volume, to change it.
    ///
    /// # Panics
    /// When there is no such volume.
    pub fn files_mut(&mut self, volume: &str) -> &mut Files {
        self.contents.get_mut(volume).expect("a test names volumes that exist")
    }

    /// Ends a container's processes; its restart policy acts as it would.
    ///
    /// # Panics
    /// When there is no such container: the test says something untrue.
    pub fn exit(&mut self, container: &str, code: i64) {
        let now = self.now;
        let exit = ExitStatus { code, oom_killed: false, error: None };
        self.existing(container).end(now, exit);
    }

    /// Ends a container's processes for want of memory.
    ///
    /// # Panics
    /// When there is no such container.
    pub fn run_out_of_memory(&mut self, container: &str) {
        let now = self.now;
        let exit = ExitStatus { code: 137, oom_killed: true, error: None };
        self.existing(container).end(now, exit);
    }

    /// Freezes a container as `docker pause` does.
    ///
    /// # Panics
    /// When there is no such container.
    pub fn pause(&mut self, container: &str) {
        self.existing(container).state.phase = Phase::Paused;
    }

    /// Removes a container as `docker rm --force` does.
    pub fn remove(&mut self, container: &str) {
        self.containers.retain(|found| !found.is(container));
    }

    /// Sets the verdict of the image's HEALTHCHECK.
    ///
    /// # Panics
    /// When there is no such container.
    pub fn set_health(&mut self, container: &str, health: HealthCheck) {
        self.existing(container).state.health = health;
    }

    /// Lets a container write to its log.
    ///
    /// # Panics
    /// When there is no such container.
    pub fn write_log(&mut self, container: &str, source: Source, text: &str) {
        let now = self.now;
        self.existing(container).write(now, source, text);
    }

    /// Puts a file into a container or a volume mounted there, as its own processes would.
    ///
    /// # Panics
    /// When there is no such container.
    pub fn write_file(&mut self, container: &str, file: GuestFile) {
        self.put(container, file).expect("a test names containers that exist");
    }

    /// Returns the container with this name or id.
    pub(super) fn find(&self, container: &str) -> Result<&FakeContainer, Error> {
        self.containers.iter().find(|found| found.is(container)).ok_or_else(|| missing(container))
    }

    /// Returns the container with this name or id, to change it.
    pub(super) fn find_mut(&mut self, container: &str) -> Result<&mut FakeContainer, Error> {
        let found = self.containers.iter_mut().find(|found| found.is(container));
        found.ok_or_else(|| missing(container))
    }

    /// Answers as long as the daemon is there.
    pub(super) fn present(&self) -> Result<(), Error> {
        if self.gone {
            let endpoint = self.facts.endpoint.clone();
            return Err(Error::NotRunning { endpoint, source: None });
        }
        Ok(())
    }

    /// Runs the hooks waiting for this call, each once.
    pub(super) fn disturb(&mut self, op: Op, before: bool) {
        let hooks = if before { &mut self.before } else { &mut self.after };
        let (due, later) = std::mem::take(hooks).into_iter().partition(|(hook, _)| *hook == op);
        *hooks = later;
        let due: Vec<(Op, Hook)> = due;
        for (_, hook) in due {
            hook(self);
        }
    }

    fn existing(&mut self, container: &str) -> &mut FakeContainer {
        self.find_mut(container).expect("a test names containers that exist")
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("calls", &self.calls).finish_non_exhaustive()
    }
}

fn missing(container: &str) -> Error {
    Error::NotFound { message: format!("No such container: {container}") }
}

fn facts() -> EngineFacts {
    EngineFacts {
        product: "Fake Engine".to_owned(),
        version: "29.0.0".to_owned(),
        api_version: "1.52".to_owned(),
        endpoint: "unix:///var/run/docker.sock".to_owned(),
        chosen_by: "default".to_owned(),
        os: "linux".to_owned(),
        architecture: "amd64".to_owned(),
        cgroup_version: "2".to_owned(),
        rootless: false,
        userns_remap: false,
        can_limit: CanLimit { memory: true, cpu: true, pids: true },
        memory: 16 << 30,
        cpus: 8,
        local: true,
        skips_layers: true,
        data_root: None,
    }
}
