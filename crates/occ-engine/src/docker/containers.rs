//! The life of a container.

use std::io::ErrorKind;
use std::net::TcpListener;
use std::time::Duration;

use bollard::errors::Error as WireError;
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, RemoveContainerOptionsBuilder, RenameContainerOptionsBuilder,
    StartContainerOptions, StopContainerOptionsBuilder, WaitContainerOptionsBuilder,
};
use futures_util::StreamExt as _;

use super::create::body;
use super::failure::{broken, explain};
use super::state::container_state;
use super::{ACT, Docker, LOOK, absent, named, within};
use crate::container::{ContainerId, ContainerSpec, ContainerState, ExitStatus, Phase};
use crate::error::Error;

/// How a container ended that was removed while it ran, of which Podman knows no code: SIGKILL ended it.
const KILLED: ExitStatus = ExitStatus { code: 137, oom_killed: false, error: None };

impl Docker {
    pub(super) async fn observe_container(
        &self,
        name: &str,
    ) -> Result<Option<ContainerState>, Error> {
        let Some(found) = absent(self.inspect(named(name)?).await)? else { return Ok(None) };
        let (state, _) = container_state(found)?;
        // The engine also answers to the first digits of an id; the port takes names literally.
        Ok((state.name == name || state.id.0 == name).then_some(state))
    }

    async fn inspect(&self, container: &str) -> Result<serde_json::Value, Error> {
        const DOING: &str = "looking at a container";
        let path = format!("/containers/{container}/json");
        let found = match self.ask(DOING, LOOK, &path).await {
            // Podman may have lost it between finding and describing it; a second look tells.
            Err(Error::Refused { status: 500, .. }) if self.wire.is_podman().await? => {
                self.ask(DOING, LOOK, &path).await
            }
            found => found,
        };
        found?.ok_or_else(|| broken(DOING, "the answer is empty"))
    }

    pub(super) async fn make_container(&self, spec: &ContainerSpec) -> Result<ContainerId, Error> {
        let options = CreateContainerOptionsBuilder::new().name(named(&spec.name)?).build();
        let mut body = body(spec);
        if self.wire.is_podman().await? {
            self.fit(spec, &mut body)?;
        }
        let asked = self.client.create_container(Some(options), body);
        let created = within("creating a container", ACT, asked).await;
        let created = self.conflicting(created, &spec.name, |_| true).await?;
        Ok(ContainerId(created.id))
    }

    pub(super) async fn start(&self, container: &str) -> Result<(), Error> {
        let asked = self.client.start_container(named(container)?, None::<StartContainerOptions>);
        let answer = within("starting a container", ACT, asked).await;
        let paused = |state: &ContainerState| state.phase == Phase::Paused;
        match self.conflicting(answer, container, paused).await {
            Err(Error::Refused { status, message }) => {
                let taken = self.taken_port(container, message.clone()).await;
                Err(taken.unwrap_or(Error::Refused { status, message }))
            }
            answer => answer,
        }
    }

    /// Looks for a port that explains why a container did not start.
    ///
    /// The engine answers 500 whatever was wrong, and says only in words which port it was. So the
    /// world is asked instead of the words: a wished port that this machine cannot bind now, just
    /// after the refusal, is taken. A remote engine's ports cannot be tried from here.
    async fn taken_port(&self, container: &str, message: String) -> Option<Error> {
        if !self.choice().endpoint.is_local() {
            return None;
        }
        // Whatever goes wrong here, the refusal itself is the better thing to tell.
        let (_, wished) = container_state(self.inspect(container).await.ok()?).ok()?;
        let port = wished.into_iter().find(|&(address, port)| {
            // A port below 1024 that only the engine may bind is no evidence.
            let evidence = [ErrorKind::AddrInUse, ErrorKind::AddrNotAvailable];
            TcpListener::bind((address, port)).is_err_and(|error| evidence.contains(&error.kind()))
        });
        port.map(|(_, port)| Error::PortTaken { port, message })
    }

    pub(super) async fn stop(&self, container: &str, grace: Duration) -> Result<(), Error> {
        self.woken(named(container)?).await?;
        let seconds = grace.as_secs() + u64::from(grace.subsec_nanos() > 0);
        let seconds = i32::try_from(seconds).unwrap_or(i32::MAX);
        let options = StopContainerOptionsBuilder::new().t(seconds).build();
        let asked = self.client.stop_container(named(container)?, Some(options));
        within("stopping a container", grace.saturating_add(ACT), asked).await
    }

    pub(super) async fn pause(&self, container: &str) -> Result<(), Error> {
        let asked = self.client.pause_container(named(container)?);
        let answer = within("pausing a container", ACT, asked).await;
        self.conflicting(answer, container, |state| !state.phase.is_up()).await
    }

    pub(super) async fn rename(&self, container: &str, new_name: &str) -> Result<(), Error> {
        let options = RenameContainerOptionsBuilder::new().name(named(new_name)?).build();
        let asked = self.client.rename_container(named(container)?, options);
        within("renaming a container", ACT, asked).await
    }

    pub(super) async fn unpause(&self, container: &str) -> Result<(), Error> {
        let asked = self.client.unpause_container(named(container)?);
        within("unpausing a container", ACT, asked).await
    }

    pub(super) async fn destroy_container(&self, container: &str) -> Result<(), Error> {
        // `v` takes the volumes without a name along, which nobody could find again.
        let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        let asked = self.client.remove_container(named(container)?, Some(options));
        absent(within("removing a container", ACT, asked).await).map(drop)
    }

    pub(super) async fn wait(&self, container: &str) -> Result<ExitStatus, Error> {
        const DOING: &str = "waiting for a container";
        let options = WaitContainerOptionsBuilder::new().condition("not-running").build();
        let answer = self.client.wait_container(named(container)?, Some(options)).next().await;
        let (code, error) = match answer {
            Some(Ok(ended)) => (ended.status_code, ended.error.and_then(|error| error.message)),
            // The client takes every exit code but 0 for an error.
            Some(Err(WireError::DockerContainerWaitError { error, code })) => (code, Some(error)),
            Some(Err(error)) => return self.lost(container, explain(DOING, error)).await,
            None => {
                return Err(broken(DOING, "the engine ended the answer without saying anything"));
            }
        };
        let error = error.filter(|error| !error.is_empty());
        let state = self.observe_container(container).await?;
        if state.is_none() && self.wire.is_podman().await? {
            return Ok(KILLED);
        }
        let exit = state.and_then(|state| state.exit);
        Ok(ExitStatus { code, oom_killed: exit.is_some_and(|exit| exit.oom_killed), error })
    }

    /// Returns how a container ended that Podman lost while it was waited for, or why the wait failed.
    async fn lost(&self, container: &str, error: Error) -> Result<ExitStatus, Error> {
        let lost = matches!(error, Error::Refused { status: 500, .. })
            && self.wire.is_podman().await?
            && self.observe_container(container).await?.is_none();
        if lost { Ok(KILLED) } else { Err(error) }
    }
}
