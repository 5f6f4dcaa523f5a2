//! An engine without a daemon: it keeps state and computes what a real one would answer.
//!
//! Behind feature `fake`, for the tests of the crates above. The conformance suite of this crate
//! runs the same cases against it and against a real daemon.

mod archive;
mod blow;
mod containers;
mod date;
mod images;
mod op;
mod port;
mod volumes;
mod world;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

pub use self::blow::{Blow, Killed};
pub use self::containers::Life;
pub use self::images::FakeImage;
pub use self::op::Op;
pub use self::volumes::{Files, Volumes};
pub use self::world::{Ran, World};
use crate::container::ContainerSpec;
use crate::engine::GuestFile;
use crate::error::Error;
use crate::exec::ExecSpec;
use crate::facts::EngineFacts;

/// An engine that lives in memory; clones share the same world.
#[derive(Clone)]
pub struct FakeEngine {
    world: Arc<Mutex<World>>,
    /// Counts changes, so that those who wait look again.
    changes: Arc<watch::Sender<u64>>,
}

impl FakeEngine {
    /// Returns an empty engine: local, rootful, able to limit everything.
    pub fn new() -> Self {
        let changes = watch::Sender::new(0);
        Self { world: Arc::new(Mutex::new(World::new())), changes: Arc::new(changes) }
    }

    /// Replaces what the engine says about itself.
    #[must_use]
    pub fn with_facts(self, facts: EngineFacts) -> Self {
        self.change(|world| world.facts = facts);
        self
    }

    /// Puts an image into the engine.
    #[must_use]
    pub fn with_image(self, name: &str, image: &FakeImage) -> Self {
        self.change(|world| world.keep_image(image, name));
        self
    }

    /// Lets a program outside the engine hold a host port.
    #[must_use]
    pub fn with_taken_port(self, port: u16) -> Self {
        self.change(|world| world.take_port(port));
        self
    }

    /// Decides what the processes of a container do once they are started; they run by default.
    ///
    /// They may read and change what is in the engine's volumes.
    #[must_use]
    pub fn on_start(
        self,
        life: impl Fn(&ContainerSpec, &mut Volumes) -> Life + Send + Sync + 'static,
    ) -> Self {
        self.change(|world| world.life = Arc::new(life));
        self
    }

    /// Replaces what a running container's processes do when a file is put into it, by its path.
    #[must_use]
    pub fn on_upload(
        self,
        told: impl Fn(&ContainerSpec, &str, &mut Volumes) -> Option<Life> + Send + Sync + 'static,
    ) -> Self {
        self.change(|world| world.told = Arc::new(told));
        self
    }

    /// Decides whether the engine's disk is full for a call that takes space, by its subject.
    #[must_use]
    pub fn with_full_disk(self, full: impl Fn(Op, &str) -> bool + Send + Sync + 'static) -> Self {
        self.change(|world| world.fill_disk(full));
        self
    }

    /// Decides what a program run in a container does with its standard input; without it, every
    /// program is missing (exit code 127).
    #[must_use]
    pub fn on_exec(
        self,
        program: impl Fn(&ExecSpec, &[u8]) -> Ran + Send + Sync + 'static,
    ) -> Self {
        self.change(|world| world.program = Arc::new(program));
        self
    }

    /// Makes the next call of `op` fail without any effect.
    pub fn fail_next(&self, op: Op, error: Error) {
        self.change(|world| world.faults.push((op, error)));
    }

    /// Changes the world once, just before the next call of `op` takes effect.
    pub fn before(&self, op: Op, hook: impl FnOnce(&mut World) + Send + 'static) {
        self.change(|world| world.before.push((op, Box::new(hook))));
    }

    /// Changes the world once, after the next call of `op` took effect and before it answers.
    pub fn after(&self, op: Op, hook: impl FnOnce(&mut World) + Send + 'static) {
        self.change(|world| world.after.push((op, Box::new(hook))));
    }

    /// Lets this happen at one call to come, counted from 0.
    pub fn strike(&self, call: usize, blow: Blow) {
        self.change(|world| world.blow = Some((world.calls.len() + call, blow)));
    }

    /// Takes back a blow that has not fallen, and lets a daemon that is gone come back.
    pub fn spare(&self) {
        self.change(|world| {
            world.blow = None;
            world.come_back();
        });
    }

    /// Returns a container as it is now, without a call.
    pub fn state(&self, container: &str) -> Option<crate::container::ContainerState> {
        self.lock().find(container).ok().map(|found| found.state.clone())
    }

    /// Changes the world now, behind the back of whoever uses the engine.
    pub fn change<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        let result = change(&mut self.lock());
        self.changes.send_modify(|count| *count += 1);
        result
    }

    /// Returns every call so far, such as `start_container box`.
    pub fn calls(&self) -> Vec<String> {
        self.lock().calls.clone()
    }

    /// Returns the files uploaded into a container, sorted by path.
    pub fn uploads(&self, container: &str) -> Vec<GuestFile> {
        self.lock().find(container).map(|found| found.files.clone()).unwrap_or_default()
    }

    /// Returns the wish a container was created from.
    pub fn spec(&self, container: &str) -> Option<ContainerSpec> {
        self.lock().find(container).ok().map(|found| found.spec.clone())
    }

    /// Returns what is in a volume; `None` when there is no such volume.
    pub fn files(&self, volume: &str) -> Option<Files> {
        self.lock().contents.get(volume).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, World> {
        // A test that panics inside a hook should show its own message, not a poisoned lock's.
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One call: noted, disturbed by hooks and faults, carried out, answered if anyone is there.
    fn call<T>(
        &self,
        op: Op,
        subject: &str,
        act: impl FnOnce(&mut World) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.change(|world| {
            let blow = world.blow.as_ref().filter(|(at, _)| *at == world.calls.len());
            let blow = blow.map(|(_, blow)| *blow);
            world.calls.push(format!("{op} {subject}").trim_end().to_owned());
            world.disturb(op, true);
            world.suffer(blow.filter(|blow| !blow.comes_after()), op)?;
            world.present()?;
            if let Some(at) = world.faults.iter().position(|(fault, _)| *fault == op) {
                return Err(world.faults.remove(at).1);
            }
            if op.writes() && (world.full)(op, subject) {
                let message = format!("{subject}: no space left on device");
                return Err(Error::Refused { status: 500, message });
            }
            let result = act(world);
            world.disturb(op, false);
            world.suffer(blow.filter(|blow| blow.comes_after()), op)?;
            // The work is done and nobody is left to say so.
            world.present().and(result)
        })
    }
}

impl Default for FakeEngine {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for FakeEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FakeEngine").field("calls", &self.lock().calls).finish_non_exhaustive()
    }
}
