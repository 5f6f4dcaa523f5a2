//! The Docker Engine API, versions 1.41 (Docker 20.10) and up.

mod archive;
mod ask;
mod containers;
mod create;
mod details;
mod dial;
mod exec;
mod facts;
mod failure;
mod files;
mod frames;
mod images;
mod list;
mod logs;
mod pieces;
mod podman;
mod state;
mod stats;
mod tls;
mod version;
mod volumes;
mod wire;

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use bollard::errors::Error as WireError;
use bollard::{API_DEFAULT_VERSION, BollardRequest};

use self::failure::{broken, explain};
use self::wire::Wire;
use crate::change::FileChange;
use crate::container::{ContainerId, ContainerSpec, ContainerState, ExitStatus};
use crate::context::{Choice, ClientSettings};
use crate::details::ImageDetails;
use crate::engine::{ArchiveStream, Engine, GuestFile};
use crate::error::Error;
use crate::exec::{ExecIo, ExecSpec};
use crate::facts::{EngineFacts, ImageFacts, VolumeFacts};
use crate::image::{ImageId, Observer};
use crate::logs::{LogStream, LogsQuery};
use crate::stats::Stats;

/// How long a question may take.
const LOOK: Duration = Duration::from_secs(30);

/// How long a change may take: creating and starting copy files and set up networks.
const ACT: Duration = Duration::from_secs(120);

/// A Docker engine, reached as the docker client would reach it.
///
/// Connecting costs nothing: the first call opens the first connection and agrees on a version.
#[derive(Clone)]
pub struct Docker {
    client: bollard::Docker,
    wire: Arc<Wire>,
}

impl Docker {
    /// Chooses the engine as the docker client does; nothing is sent yet.
    ///
    /// # Errors
    /// [`Error::Endpoint`] and [`Error::ClientConfig`], as [`ClientSettings::choose`].
    pub fn connect(settings: &ClientSettings) -> Result<Self, Error> {
        let wire = Arc::new(Wire::new(settings.choose()?, settings.search_path.clone())?);
        let transport = {
            let wire = Arc::clone(&wire);
            move |request: BollardRequest| {
                let wire = Arc::clone(&wire);
                async move { wire.carry(request).await }
            }
        };
        // INVARIANT: this one timeout never strikes. It would end long answers too; every call
        // here brings its own.
        let client = bollard::Docker::connect_with_custom_transport(
            transport,
            Some("http://engine"),
            u64::from(u32::MAX),
            API_DEFAULT_VERSION,
        )
        .map_err(|error| broken("preparing the client", error))?;
        Ok(Self { client, wire })
    }

    /// Returns where the engine listens and who said so.
    pub fn choice(&self) -> &Choice {
        &self.wire.choice
    }
}

impl fmt::Debug for Docker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Docker").field(self.choice()).finish()
    }
}

impl Engine for Docker {
    async fn facts(&self) -> Result<EngineFacts, Error> {
        self.observe_facts().await
    }

    async fn image(&self, name: &str) -> Result<Option<ImageFacts>, Error> {
        self.observe_image(name).await
    }

    async fn image_details(&self, name: &str) -> Result<Option<ImageDetails>, Error> {
        self.observe_details(name).await
    }

    async fn images(&self, label: &str) -> Result<Vec<ImageFacts>, Error> {
        self.list_images(label).await
    }

    async fn load_image(
        &self,
        archive: Box<dyn Read + Send>,
        total: u64,
        observer: Observer<'_>,
    ) -> Result<(), Error> {
        self.load(archive, total, observer).await
    }

    async fn save_image(&self, name: &str) -> Result<Option<ArchiveStream>, Error> {
        self.save(name).await
    }

    async fn tag_image(&self, id: &ImageId, name: &str) -> Result<(), Error> {
        self.tag(id, name).await
    }

    async fn remove_image(&self, name: &str) -> Result<(), Error> {
        self.untag(name).await
    }

    async fn volume(&self, name: &str) -> Result<Option<VolumeFacts>, Error> {
        self.observe_volume(name).await
    }

    async fn volumes(&self, label: &str) -> Result<Vec<VolumeFacts>, Error> {
        self.list_volumes(label).await
    }

    async fn volume_sizes(&self) -> Result<BTreeMap<String, u64>, Error> {
        self.measure_volumes().await
    }

    async fn create_volume(&self, name: &str, labels: &[(String, String)]) -> Result<bool, Error> {
        self.make_volume(name, labels).await
    }

    async fn remove_volume(&self, name: &str) -> Result<(), Error> {
        self.destroy_volume(name).await
    }

    async fn container(&self, name: &str) -> Result<Option<ContainerState>, Error> {
        self.observe_container(name).await
    }

    async fn containers(&self, label: &str) -> Result<Vec<ContainerState>, Error> {
        self.list_containers(label).await
    }

    async fn create_container(&self, spec: &ContainerSpec) -> Result<ContainerId, Error> {
        self.make_container(spec).await
    }

    async fn upload(&self, container: &str, files: &[GuestFile]) -> Result<(), Error> {
        self.put_files(container, files).await
    }

    async fn download(&self, container: &str, path: &str) -> Result<Option<Vec<u8>>, Error> {
        self.get_file(container, path).await
    }

    async fn changes(&self, container: &str) -> Result<Vec<FileChange>, Error> {
        self.observe_changes(container).await
    }

    async fn read_archive(
        &self,
        container: &str,
        path: &str,
    ) -> Result<Option<ArchiveStream>, Error> {
        self.open_archive(container, path).await
    }

    async fn write_archive(
        &self,
        container: &str,
        path: &str,
        archive: Box<dyn Read + Send>,
    ) -> Result<(), Error> {
        self.unpack_archive(container, path, archive).await
    }

    async fn rename_container(&self, container: &str, new_name: &str) -> Result<(), Error> {
        self.rename(container, new_name).await
    }

    async fn start_container(&self, container: &str) -> Result<(), Error> {
        self.start(container).await
    }

    async fn stop_container(&self, container: &str, grace: Duration) -> Result<(), Error> {
        self.stop(container, grace).await
    }

    async fn pause_container(&self, container: &str) -> Result<(), Error> {
        self.pause(container).await
    }

    async fn unpause_container(&self, container: &str) -> Result<(), Error> {
        self.unpause(container).await
    }

    async fn remove_container(&self, container: &str) -> Result<(), Error> {
        self.destroy_container(container).await
    }

    async fn stats(&self, container: &str) -> Result<Option<Stats>, Error> {
        self.observe_stats(container).await
    }

    async fn wait_container(&self, container: &str) -> Result<ExitStatus, Error> {
        self.wait(container).await
    }

    async fn logs(&self, container: &str, query: &LogsQuery) -> Result<LogStream, Error> {
        self.open_logs(container, query).await
    }

    async fn exec(&self, container: &str, spec: &ExecSpec, io: ExecIo<'_>) -> Result<i64, Error> {
        self.run(container, spec, io).await
    }
}

/// Waits for an answer, at most for `limit`.
async fn within<T>(
    doing: &'static str,
    limit: Duration,
    answer: impl Future<Output = Result<T, WireError>>,
) -> Result<T, Error> {
    match tokio::time::timeout(limit, answer).await {
        Ok(answer) => answer.map_err(|error| explain(doing, error)),
        Err(elapsed) => Err(broken(doing, elapsed)),
    }
}

/// Turns "not found" into an answer.
fn absent<T>(answer: Result<T, Error>) -> Result<Option<T>, Error> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Refuses a name that would change the meaning of the path it is put into.
fn named(name: &str) -> Result<&str, Error> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.-/:@".contains(c);
    let steps = |step: &str| step.is_empty() || step == "." || step == "..";
    if name.chars().all(plain) && !name.split('/').any(steps) {
        return Ok(name);
    }
    Err(Error::Refused { status: 400, message: format!("{name:?} is not a name") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_lead_to_another_address_of_the_engine() {
        for name in ["", ".", "a/../b", "/a", "a?force=1", "a#b", "a b", "ä"] {
            assert!(named(name).is_err(), "{name}");
        }
        let digest = "host:5000/a/b@sha256:00";
        assert_eq!(named(digest).expect("an image name"), digest);
    }
}
