//! The life of a fake container: the same states and conflicts as a real one.

use std::collections::BTreeMap;
use std::time::Duration;

use super::date::rfc3339;
use super::world::World;
use crate::container::{
    ContainerId, ContainerSpec, ContainerState, ExitStatus, HealthCheck, Phase, Publish,
    RestartPolicy,
};
use crate::engine::GuestFile;
use crate::error::Error;
use crate::logs::{Chunk, LogsQuery, Source};
use crate::mount::Mount;
use crate::stats::Stats;

/// First port the engine chooses when the choice is left to it.
const CHOSEN_PORTS: u16 = 49_153;

/// Least memory a container may have.
const LEAST_MEMORY: u64 = 6 << 20;

/// What a container's processes do once they are started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Life {
    /// What they write to the log.
    pub output: Vec<(Source, String)>,
    /// Exit code with which they end at once; they run until they are stopped when `None`.
    pub exit: Option<i64>,
}

impl Life {
    /// Runs until it is stopped.
    pub fn runs() -> Self {
        Self::default()
    }

    /// Ends at once.
    pub fn exits(code: i64) -> Self {
        Self { output: Vec::new(), exit: Some(code) }
    }

    /// Writes to the log before anything else.
    #[must_use]
    pub fn saying(mut self, source: Source, text: &str) -> Self {
        self.output.push((source, text.to_owned()));
        self
    }
}

/// A container in the engine.
#[derive(Debug, Clone)]
pub(super) struct FakeContainer {
    pub(super) spec: ContainerSpec,
    pub(super) state: ContainerState,
    pub(super) files: Vec<GuestFile>,
    log: Vec<(u64, Source, String)>,
    has_health_check: bool,
}

impl FakeContainer {
    /// Returns whether this is its name or its id.
    pub(super) fn is(&self, name: &str) -> bool {
        self.state.name == name || self.state.id.0 == name
    }

    /// Returns whether it has processes, frozen or not.
    pub(super) fn is_alive(&self) -> bool {
        matches!(self.state.phase, Phase::Running | Phase::Paused)
    }

    pub(super) fn write(&mut self, now: u64, source: Source, text: &str) {
        let lines = text.split_inclusive('\n').map(|line| (now, source, line.to_owned()));
        self.log.extend(lines);
    }

    pub(super) fn put(&mut self, file: GuestFile) {
        self.files.retain(|old| old.path != file.path);
        self.files.push(file);
        self.files.sort_by(|one, other| one.path.cmp(&other.path));
    }

    /// Returns the pieces of the log a query asks for, from the line `seen` on.
    pub(super) fn read(&self, query: &LogsQuery, seen: Option<usize>) -> Vec<Chunk> {
        let since = query.since.map_or(0, |since| u64::try_from(since).unwrap_or(0));
        let lines: Vec<_> = self.log.iter().skip(seen.unwrap_or(0)).collect();
        let lines: Vec<_> = lines.into_iter().filter(|(at, _, _)| *at >= since).collect();
        let tail = match (seen, query.tail) {
            (None, Some(tail)) => usize::try_from(tail).unwrap_or(usize::MAX),
            _ => usize::MAX,
        };
        lines[lines.len().saturating_sub(tail)..]
            .iter()
            .map(|(at, source, line)| {
                let stamp = if query.timestamps { rfc3339(*at) + " " } else { String::new() };
                Chunk { source: *source, bytes: (stamp + line).into() }
            })
            .collect()
    }

    /// Returns the number of lines written so far.
    pub(super) fn written(&self) -> usize {
        self.log.len()
    }

    /// Ends its processes and lets the restart policy act.
    pub(super) fn end(&mut self, now: u64, exit: ExitStatus) {
        let again = match self.spec.restart {
            RestartPolicy::No => false,
            RestartPolicy::UnlessStopped => true,
            RestartPolicy::OnFailure(0) => exit.code != 0,
            RestartPolicy::OnFailure(most) => {
                exit.code != 0 && self.state.restarts < u64::from(most)
            }
        };
        self.halt(now, exit);
        if again {
            self.state.phase = Phase::Restarting;
            self.state.restarts += 1;
        }
    }

    fn halt(&mut self, now: u64, exit: ExitStatus) {
        self.state.phase = Phase::Exited;
        self.state.exit = Some(exit);
        self.state.finished_at = Some(rfc3339(now));
        self.state.publish.clear();
    }
}

impl World {
    pub(super) fn create(&mut self, spec: &ContainerSpec) -> Result<ContainerId, Error> {
        self.check_name(&spec.name)?;
        let Some(image) = self.kept(&spec.image.0) else {
            return Err(Error::NotFound { message: format!("No such image: {}", spec.image) });
        };
        let (image, has_health_check) = (image.clone(), image.has_health_check);
        self.check_limits(spec)?;
        check_mounts(spec)?;
        for mount in &spec.mounts {
            // As real engines do; whoever wants labels creates the volume first.
            if let Mount::Volume { name, .. } = mount {
                self.create_volume(name, &[]);
            }
        }
        self.created += 1;
        let id = ContainerId(format!("{:064x}", self.created));
        let pairs = image.env.iter().filter_map(|pair| pair.split_once('='));
        let mut env: BTreeMap<String, String> =
            pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        env.extend(spec.env.clone());
        let mut labels = image.facts.labels;
        labels.extend(spec.labels.clone());
        let mut mounts = spec.mounts.clone();
        mounts.sort_by(|one, other| one.target().cmp(other.target()));
        let state = ContainerState {
            id: id.clone(),
            name: spec.name.clone(),
            image: image.facts.id,
            phase: Phase::Created,
            exit: None,
            started_at: None,
            finished_at: None,
            created_at: Some(rfc3339(self.now)),
            restarts: 0,
            labels,
            env,
            publish: Vec::new(),
            mounts,
            health: HealthCheck::None,
            privileged: false,
        };
        let (spec, files, log) = (spec.clone(), Vec::new(), Vec::new());
        self.containers.push(FakeContainer { spec, state, files, log, has_health_check });
        Ok(id)
    }

    pub(super) fn start(&mut self, name: &str) -> Result<(), Error> {
        let found = self.find(name)?;
        match found.state.phase {
            Phase::Running => return Ok(()),
            Phase::Paused => {
                let message = "cannot start a paused container, try unpause instead".to_owned();
                return Err(Error::Conflict { message });
            }
            _ => {}
        }
        let bound = self.bind(found.spec.publish.clone());
        let now = self.now;
        let found = self.find_mut(name)?;
        let publish = bound.inspect_err(|error| {
            let error = Some(error.to_string());
            found.state.exit = Some(ExitStatus { code: 128, oom_killed: false, error });
        })?;
        found.state.phase = Phase::Running;
        found.state.exit = None;
        found.state.restarts = 0;
        found.state.started_at = Some(rfc3339(now));
        found.state.publish = publish;
        if found.has_health_check {
            found.state.health = HealthCheck::Starting;
        }
        self.live(name);
        Ok(())
    }

    /// Lets the processes of a container that was just started do what they do.
    fn live(&mut self, name: &str) {
        let life = self.life.clone();
        let Some(found) = self.containers.iter().find(|found| found.is(name)) else { return };
        let life = life(&found.spec, &mut self.contents);
        self.go_on(name, life);
    }

    /// Lets the processes of a container notice a file that was put into it.
    pub(super) fn notice(&mut self, name: &str, path: &str) {
        let told = self.told.clone();
        let Some(found) = self.containers.iter().find(|found| found.is(name)) else { return };
        if found.state.phase == Phase::Running
            && let Some(life) = told(&found.spec, path, &mut self.contents)
        {
            self.go_on(name, life);
        }
    }

    fn go_on(&mut self, name: &str, Life { output, exit }: Life) {
        let now = self.now;
        let Some(found) = self.containers.iter_mut().find(|found| found.is(name)) else { return };
        for (source, text) in output {
            found.write(now, source, &text);
        }
        if let Some(code) = exit {
            found.end(now, ExitStatus { code, oom_killed: false, error: None });
        }
        let invented = self.contents.keys().find(|name| !self.volumes.contains_key(*name));
        assert_eq!(invented, None, "a container's processes do not make volumes");
    }

    pub(super) fn rename(&mut self, name: &str, new_name: &str) -> Result<(), Error> {
        if self.find(name)?.state.name == new_name {
            return Err(invalid("the new name is the old one".to_owned()));
        }
        self.check_name(new_name)?;
        let found = self.find_mut(name)?;
        new_name.clone_into(&mut found.state.name);
        new_name.clone_into(&mut found.spec.name);
        Ok(())
    }

    pub(super) fn freeze(&mut self, name: &str) -> Result<(), Error> {
        let found = self.find_mut(name)?;
        match found.state.phase {
            Phase::Running => found.state.phase = Phase::Paused,
            Phase::Paused => {
                let message = format!("Container {name} is already paused");
                return Err(Error::Refused { status: 500, message });
            }
            _ => return Err(Error::Conflict { message: format!("{name} is not running") }),
        }
        Ok(())
    }

    /// Returns what a container uses: always the same, as long as it runs.
    pub(super) fn used(&self, name: &str) -> Result<Option<Stats>, Error> {
        let found = self.find(name)?;
        let memory_limit = found.spec.limits.memory.unwrap_or(self.facts.memory);
        let cpu = Duration::from_millis(1500);
        let stats = Stats { memory: LEAST_MEMORY, memory_limit, cpu, pids: 1 };
        Ok(found.is_alive().then_some(stats))
    }

    fn check_name(&self, name: &str) -> Result<(), Error> {
        if let Some(other) = self.containers.iter().find(|found| found.state.name == name) {
            let id = &other.state.id.0;
            let message = format!("The container name \"/{name}\" is in use by {id}");
            return Err(Error::Conflict { message });
        }
        Ok(())
    }

    pub(super) fn stop(&mut self, name: &str) -> Result<(), Error> {
        let now = self.now;
        let found = self.find_mut(name)?;
        if found.is_alive() {
            // Ended by SIGTERM.
            found.halt(now, ExitStatus { code: 143, oom_killed: false, error: None });
        } else if found.state.phase == Phase::Restarting {
            found.state.phase = Phase::Exited;
        }
        Ok(())
    }

    pub(super) fn unpause(&mut self, name: &str) -> Result<(), Error> {
        let found = self.find_mut(name)?;
        if found.state.phase != Phase::Paused {
            let message = format!("Container {name} is not paused");
            return Err(Error::Refused { status: 500, message });
        }
        found.state.phase = Phase::Running;
        Ok(())
    }

    /// Returns how the container ended, or nothing while it runs.
    pub(super) fn ended(&self, name: &str) -> Result<Option<ExitStatus>, Error> {
        let found = self.find(name)?;
        let created = ExitStatus { code: 0, oom_killed: false, error: None };
        Ok((!found.is_alive()).then(|| found.state.exit.clone().unwrap_or(created)))
    }

    fn bind(&self, mut wished: Vec<Publish>) -> Result<Vec<Publish>, Error> {
        let alive = self.containers.iter().filter(|found| found.is_alive());
        let held: Vec<u16> = alive
            .flat_map(|found| found.state.publish.iter().map(|publish| publish.host_port))
            .chain(self.taken_ports.iter().copied())
            .collect();
        let mut chosen = (CHOSEN_PORTS..).filter(|port| !held.contains(port));
        for publish in &mut wished {
            let port = publish.host_port;
            if held.contains(&port) {
                let message = format!("Bind for {}:{port} failed", publish.address);
                return Err(Error::PortTaken { port, message });
            }
            if port == 0 {
                publish.host_port = chosen.next().unwrap_or_default();
            }
        }
        wished.sort_by_key(|one| (one.container_port, one.address, one.host_port));
        Ok(wished)
    }

    fn check_limits(&self, spec: &ContainerSpec) -> Result<(), Error> {
        if spec.limits.memory.is_some_and(|memory| memory < LEAST_MEMORY) {
            return Err(invalid("Minimum memory limit allowed is 6MB".to_owned()));
        }
        let most = self.facts.cpus * 1000;
        if spec.limits.cpu_millis.is_some_and(|millis| millis > most) {
            return Err(invalid(format!("there are only {} CPUs available", self.facts.cpus)));
        }
        Ok(())
    }
}

fn check_mounts(spec: &ContainerSpec) -> Result<(), Error> {
    for mount in &spec.mounts {
        if let Mount::Bind { source, .. } = mount
            && !source.exists()
        {
            let source = source.display();
            return Err(invalid(format!("bind source path does not exist: {source}")));
        }
    }
    Ok(())
}

fn invalid(message: String) -> Error {
    Error::Refused { status: 400, message }
}
