//! The steps of a change, made true.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use occ_engine::{ContainerSpec, Engine, ImageId, Phase};

use crate::backup::{BackupError, Filling, fill_volumes};
use crate::change::{Journal, Reached, VolumeCopy};
use crate::copier::{self, Copier, Fill, Flush};
use crate::error::ApplyError;
use crate::health;
use crate::password::Password;
use crate::ports::Server;
use crate::secret::SecretValue;
use crate::spec::SandboxSpec;
use crate::world::World;

/// How long the old sandbox may take to end by itself.
const GRACE: Duration = Duration::from_secs(30);

/// A change under way.
pub(crate) struct Changing {
    pub(crate) journal: Journal,
    /// Names of the sessions that must still be listed at the end, when they could be asked for.
    sessions: Option<BTreeSet<String>>,
    /// Who copies for the way back as soon as the old sandbox is away.
    copier: Option<Copier>,
}

impl Changing {
    /// Writes the journal; from here on there is a way back.
    pub(crate) fn begin<E, S>(
        journal: &Journal,
        image: Option<ImageId>,
        world: &World<'_, E, S>,
    ) -> Result<Self, ApplyError> {
        let journal = Journal { began_at: (world.now)(), image, ..journal.clone() };
        world.home.save_journal(&journal, world.lock)?;
        Ok(Self { journal, sessions: None, copier: None })
    }

    /// Copies volumes for the trial; the old sandbox is frozen for the last of it, so that they fit each other.
    pub(crate) async fn copy_for_trial<E: Engine, S: Server>(
        &mut self,
        copies: &[VolumeCopy],
        spec: &SandboxSpec,
        world: &World<'_, E, S>,
        password: &Password,
    ) -> Result<(), ApplyError> {
        let engine = world.engine;
        let name = &self.journal.name;
        self.sessions = health::sessions(world, name, password).await?;
        let copier = self.copier(copies, spec, world, Flush::No).await?;
        let failed = || ApplyError::engine("let the sandbox go on");
        let state = engine.container(name).await.map_err(failed())?;
        let runs = state.is_some_and(|state| state.phase == Phase::Running);
        if runs {
            engine.pause_container(name).await.map_err(ApplyError::NotFrozen)?;
        }
        let copied = copier.copy(world).await;
        if runs {
            engine.unpause_container(name).await.map_err(failed())?;
        }
        copied
    }

    /// Starts the trial.
    pub(crate) async fn start_trial<E: Engine, S>(
        &self,
        container: &ContainerSpec,
        spec: &SandboxSpec,
        world: &World<'_, E, S>,
        password: &Password,
        secrets: &BTreeMap<String, SecretValue>,
    ) -> Result<(), ApplyError> {
        let engine = world.engine;
        let failed = || ApplyError::engine("start the trial");
        let container = ContainerSpec { image: self.image(), ..container.clone() };
        engine.remove_container(&container.name).await.map_err(failed())?;
        engine.create_container(&container).await.map_err(failed())?;
        let files =
            crate::guest_files::files(engine, &container.name, spec, password, secrets).await;
        engine.upload(&container.name, &files.map_err(failed())?).await.map_err(failed())?;
        engine.start_container(&container.name).await.map_err(failed())
    }

    /// Waits until the trial has proved itself.
    pub(crate) async fn await_trial<E: Engine, S: Server>(
        &self,
        spec: &SandboxSpec,
        world: &World<'_, E, S>,
        password: &Password,
        timeout: Duration,
    ) -> Result<(), ApplyError> {
        let trial = spec.instance.trial();
        health::await_ready(world, &trial, password, timeout).await?;
        health::prove_locked(world, &trial).await?;
        self.keep_sessions(&trial, world, password).await
    }

    /// Removes the trial with its copies.
    pub(crate) async fn remove_trial<E: Engine, S>(
        &self,
        spec: &SandboxSpec,
        world: &World<'_, E, S>,
    ) -> Result<(), ApplyError> {
        crate::back::remove_trial(world, spec.claim(), &self.journal).await
    }

    /// Stops the old sandbox; what it lists last is what the new one must list.
    pub(crate) async fn stop_old<E: Engine, S: Server>(
        &mut self,
        world: &World<'_, E, S>,
        password: &Password,
    ) -> Result<(), ApplyError> {
        let name = &self.journal.name;
        self.sessions = health::sessions(world, name, password).await?.or(self.sessions.take());
        let stopped = world.engine.stop_container(name, GRACE).await;
        stopped.map_err(ApplyError::engine("stop the old sandbox"))
    }

    /// Copies volumes ahead, while the old sandbox works.
    pub(crate) async fn copy_ahead<E: Engine, S>(
        &mut self,
        copies: &[VolumeCopy],
        spec: &SandboxSpec,
        world: &World<'_, E, S>,
    ) -> Result<(), ApplyError> {
        self.copier = Some(self.copier(copies, spec, world, Flush::Yes).await?);
        Ok(())
    }

    /// Copies what the old sandbox has changed since, as it left it.
    pub(crate) async fn snapshot<E: Engine, S>(
        &mut self,
        world: &World<'_, E, S>,
    ) -> Result<(), ApplyError> {
        let copier = self.copier.take().expect("copying is made ready before");
        copier.copy(world).await
    }

    /// Gives the old container its other name.
    pub(crate) async fn set_aside<E: Engine, S>(
        &self,
        world: &World<'_, E, S>,
    ) -> Result<(), ApplyError> {
        let Journal { name, old, .. } = &self.journal;
        let renamed = world.engine.rename_container(name, &old.aside).await;
        renamed.map_err(ApplyError::engine("set the old container aside"))
    }

    /// Makes a container the sandbox.
    pub(crate) async fn take_place<E: Engine, S>(
        &self,
        from: &str,
        world: &World<'_, E, S>,
    ) -> Result<(), ApplyError> {
        let renamed = world.engine.rename_container(from, &self.journal.name).await;
        renamed.map_err(ApplyError::engine("give the container the sandbox's name"))
    }

    /// Fills volumes from kept copies. The journal says first that volumes are no longer as they were.
    pub(crate) async fn put_back<E: Engine, S>(
        &mut self,
        copies: &[VolumeCopy],
        spec: &SandboxSpec,
        world: &World<'_, E, S>,
    ) -> Result<(), ApplyError> {
        self.touch(world)?;
        let fills: Vec<Fill<'_>> =
            copies.iter().map(|one| Fill { from: Some(&one.copy), to: &one.volume }).collect();
        copier::fill(world, spec.claim(), self.image(), &fills).await
    }

    /// Empties volumes.
    pub(crate) async fn empty<E: Engine, S>(
        &mut self,
        volumes: &[String],
        spec: &SandboxSpec,
        world: &World<'_, E, S>,
    ) -> Result<(), ApplyError> {
        self.touch(world)?;
        let fills: Vec<Fill<'_>> =
            volumes.iter().map(|volume| Fill { from: None, to: volume }).collect();
        copier::fill(world, spec.claim(), self.image(), &fills).await
    }

    /// Fills volumes from a backup; nothing of what they held stays in them.
    pub(crate) async fn restore<E: Engine, S>(
        &mut self,
        filling: &Filling,
        spec: &SandboxSpec,
        world: &World<'_, E, S>,
    ) -> Result<(), ApplyError> {
        let volumes: Vec<String> = filling.names().collect();
        self.empty(&volumes, spec, world).await?;
        let (claim, image) = (spec.claim(), self.image());
        let filled =
            fill_volumes(world.engine, claim, image, filling, world.cancel, world.observer).await;
        filled.map_err(|error| match error {
            BackupError::Apply(error) => error,
            other => ApplyError::Backup(Box::new(other)),
        })
    }

    /// Writes down that volumes may be written to from now on: going back means copying back.
    pub(crate) fn touch<E, S>(&mut self, world: &World<'_, E, S>) -> Result<(), ApplyError> {
        if self.journal.reached < Reached::Touched {
            self.journal.reached = Reached::Touched;
            world.home.save_journal(&self.journal, world.lock)?;
        }
        Ok(())
    }

    /// Proves that every session is still listed.
    pub(crate) async fn keep_sessions<E: Engine, S: Server>(
        &self,
        name: &str,
        world: &World<'_, E, S>,
        password: &Password,
    ) -> Result<(), ApplyError> {
        match &self.sessions {
            Some(before) => health::keeps_sessions(world, name, password, before).await,
            None => Ok(()),
        }
    }

    /// Makes the volumes that copies go into, and who copies.
    async fn copier<E: Engine, S>(
        &self,
        copies: &[VolumeCopy],
        spec: &SandboxSpec,
        world: &World<'_, E, S>,
        flush: Flush,
    ) -> Result<Copier, ApplyError> {
        for VolumeCopy { copy, .. } in copies {
            let made = world.engine.create_volume(copy, &spec.claim().labels()).await;
            made.map_err(ApplyError::engine("create a volume for a copy"))?;
        }
        let fills: Vec<Fill<'_>> =
            copies.iter().map(|one| Fill { from: Some(&one.volume), to: &one.copy }).collect();
        Copier::ready(world, spec.claim(), self.image(), &fills, flush).await
    }

    fn image(&self) -> ImageId {
        self.journal.image.clone().expect("the image is there before a change begins")
    }
}
