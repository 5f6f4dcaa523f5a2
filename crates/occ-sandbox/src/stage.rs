//! A sandbox for a while: one image, volumes of its own, to be examined, and then gone with all that is in it.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use occ_engine::{ContainerSpec, Engine, ExitStatus, ImageId, Mount, RestartPolicy};
use occ_image::guest;

use crate::cancel::Cancel;
use crate::error::ApplyError;
use crate::guest_files;
use crate::health::dial;
use crate::password::Password;
use crate::probe::PATIENCE;
use crate::short_lived::{Said, ShortLived};
use crate::spec::SandboxSpec;
use crate::stages::{ASIDE, MIDDLE};

/// A sandbox for a while. It is made like every other, from a [`SandboxSpec`], under names that no sandbox has.
#[derive(Debug)]
pub struct Stage<'a, E> {
    engine: &'a E,
    spec: SandboxSpec,
    container: ContainerSpec,
    tag: String,
    password: Password,
}

impl<'a, E: Engine> Stage<'a, E> {
    /// Returns a stage for an image; nothing is there yet. `tag` tells it from others of the same instance.
    pub fn new(
        engine: &'a E,
        spec: SandboxSpec,
        image: ImageId,
        tag: &str,
        password: Password,
    ) -> Self {
        let container = spec.stage(image, tag);
        Self { engine, spec, container, tag: tag.to_owned(), password }
    }

    /// Returns the same stage with opencode's data on a disk of `size` bytes, which is gone with the container.
    #[must_use]
    pub fn on_small_disk(mut self, size: u64) -> Self {
        let target = guest::PLACES[0].path.to_owned();
        self.container.mounts.retain(|mount| mount.target() != target);
        let owner = self.spec.owner();
        let owner = Some((owner.uid, owner.gid));
        self.container.mounts.push(Mount::Tmpfs { target, size, owner });
        self
    }

    /// Returns what tells it from others.
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// Returns the container's name.
    pub fn name(&self) -> &str {
        &self.container.name
    }

    /// Returns the password of its server.
    pub const fn password(&self) -> &Password {
        &self.password
    }

    /// Makes its volumes.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn make(&self) -> Result<(), ApplyError> {
        let labels: Vec<_> = self.spec.claim().labels();
        for volume in self.volumes() {
            let made = self.engine.create_volume(volume, &labels).await;
            made.map_err(ApplyError::engine(format!("create the volume: {volume}")))?;
        }
        Ok(())
    }

    /// Makes its container and starts it; returns where its server will be, on the engine's machine.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn start(&self) -> Result<SocketAddr, ApplyError> {
        let name = self.name();
        let created = self.engine.create_container(&self.container).await;
        created.map_err(ApplyError::engine(format!("create the container: {name}")))?;
        let secrets = BTreeMap::new();
        let files =
            guest_files::files(self.engine, name, &self.spec, &self.password, &secrets).await;
        let files = files.map_err(ApplyError::engine("look into the container"))?;
        let put = self.engine.upload(name, &files).await;
        put.map_err(ApplyError::engine("put files into the container"))?;
        let started = self.engine.start_container(name).await;
        started.map_err(ApplyError::engine(format!("start the container: {name}")))?;
        let looked = self.engine.container(name).await;
        let looked = looked.map_err(ApplyError::engine("look at the container"))?;
        let gone =
            || occ_engine::Error::NotFound { message: format!("{name} was removed meanwhile") };
        dial(&looked.ok_or_else(gone).map_err(ApplyError::engine("look at the container"))?)
    }

    /// Runs a shell script in another container of the image, which has nothing of the stage's.
    ///
    /// # Errors
    /// When the engine fails, or the script does not end.
    pub async fn aside(&self, script: &str) -> Result<Said, ApplyError> {
        let owner = self.spec.owner();
        let aside = ShortLived {
            name: self.name_aside(),
            image: self.container.image.clone(),
            user: format!("{}:{}", owner.uid, owner.gid),
            script: script.to_owned(),
            mounts: Vec::new(),
            isolation: self.container.isolation.clone(),
        };
        aside.run(self.engine, self.spec.claim(), PATIENCE, &Cancel::default()).await
    }

    fn name_aside(&self) -> String {
        format!("{}{ASIDE}", self.container.name)
    }

    /// Stops its container and returns how it ended; [`Stage::kill`] removes it.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn stop(&self, grace: Duration) -> Result<ExitStatus, ApplyError> {
        let name = self.name();
        let stopped = self.engine.stop_container(name, grace).await;
        stopped.map_err(ApplyError::engine(format!("stop the container: {name}")))?;
        let ended = self.engine.wait_container(name).await;
        ended.map_err(ApplyError::engine("wait for the container"))
    }

    /// Removes its container, killing it where it runs. The volumes stay.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn kill(&self) -> Result<(), ApplyError> {
        let removed = self.engine.remove_container(self.name()).await;
        removed.map_err(ApplyError::engine(format!("remove the container: {}", self.name())))
    }

    /// Removes all of it, whatever of it there is.
    ///
    /// # Errors
    /// When the engine fails; `occ prune` finds what is left by its mark.
    pub async fn clear(&self) -> Result<(), ApplyError> {
        for name in [self.name(), &self.name_aside()] {
            let removed = self.engine.remove_container(name).await;
            removed.map_err(ApplyError::engine(format!("remove the container: {name}")))?;
        }
        for volume in self.volumes() {
            let removed = self.engine.remove_volume(volume).await;
            removed.map_err(ApplyError::engine(format!("remove the volume: {volume}")))?;
        }
        Ok(())
    }

    fn volumes(&self) -> impl Iterator<Item = &str> {
        self.container.mounts.iter().filter_map(|mount| match mount {
            Mount::Volume { name, .. } => Some(name.as_str()),
            Mount::Bind { .. } | Mount::Tmpfs { .. } => None,
        })
    }
}

impl SandboxSpec {
    /// Returns the container of a stage: this wish under other names, with volumes of its own, at a port of the
    /// engine's choice on loopback, and without anything of the host.
    fn stage(&self, image: ImageId, tag: &str) -> ContainerSpec {
        let mut stage = self.container(image);
        let ending = format!("{MIDDLE}{tag}");
        stage.name.push_str(&ending);
        "stage".clone_into(&mut stage.hostname);
        stage.labels = self.claim().labels().into_iter().collect();
        stage.restart = RestartPolicy::No;
        for publish in &mut stage.publish {
            publish.address = IpAddr::from(Ipv4Addr::LOCALHOST);
            publish.host_port = 0;
        }
        stage.mounts.retain(|mount| !matches!(mount, Mount::Bind { .. }));
        for mount in &mut stage.mounts {
            if let Mount::Volume { name, .. } = mount {
                name.push_str(&ending);
            }
        }
        stage
    }
}
