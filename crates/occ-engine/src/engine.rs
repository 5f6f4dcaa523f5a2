//! The port: what a sandbox needs of a container engine, and nothing more.

use std::collections::BTreeMap;
use std::future::Future;
use std::io::Read;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;

use crate::change::FileChange;
use crate::container::{ContainerId, ContainerSpec, ContainerState, ExitStatus};
use crate::details::ImageDetails;
use crate::error::Error;
use crate::exec::{ExecIo, ExecSpec};
use crate::facts::{EngineFacts, ImageFacts, VolumeFacts};
use crate::image::{Event, ImageId, Observer};
use crate::logs::{LogStream, LogsQuery};
use crate::stats::Stats;

/// A file put into a container that was created and not yet started, or a folder there that gets
/// another owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuestFile {
    /// Absolute path inside the container; parent folders must exist. With a `/` at its end, as in a tar
    /// archive, it is a folder.
    pub path: String,
    /// Contents; nothing for a folder.
    pub bytes: Vec<u8>,
    /// Permission bits, such as `0o400`.
    pub mode: u32,
    /// Owner and group inside the container.
    pub owner: (u32, u32),
}

/// Bytes of a tar archive as they come.
pub type ArchiveStream = Pin<Box<dyn Stream<Item = Result<Bytes, Error>> + Send>>;

/// A container engine, as far as a sandbox needs one.
///
/// Absence is an answer (`Ok(None)`), not an error; removing what is not there succeeds. Every name
/// is taken literally: the port never guesses and never prefixes.
pub trait Engine: Send + Sync {
    /// Returns what the engine is, in one call.
    fn facts(&self) -> impl Future<Output = Result<EngineFacts, Error>> + Send;

    /// Returns the image with this name (`repository:tag`, `repository@digest`) or id.
    fn image(&self, name: &str) -> impl Future<Output = Result<Option<ImageFacts>, Error>> + Send;

    /// Returns the image with this name or id, with its configuration and its history.
    fn image_details(
        &self,
        name: &str,
    ) -> impl Future<Output = Result<Option<ImageDetails>, Error>> + Send;

    /// Returns every image that has the label, whatever its value, sorted by its first name and id.
    fn images(&self, label: &str) -> impl Future<Output = Result<Vec<ImageFacts>, Error>> + Send;

    /// Loads an image archive (`docker save` form) of `total` bytes. Where the engine says so
    /// ([`EngineFacts::skips_layers`]), layers that one of its images has in the same place above the same
    /// others need not be in it.
    fn load_image(
        &self,
        archive: Box<dyn Read + Send>,
        total: u64,
        observer: Observer<'_>,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// Opens an archive (`docker save` form) of the image with this name or id; `None` when there is no such
    /// image. The archive is the engine's own: which files it has beside those that `manifest.json` names, how
    /// they are called and in which order they come differs from engine to engine.
    fn save_image(
        &self,
        name: &str,
    ) -> impl Future<Output = Result<Option<ArchiveStream>, Error>> + Send;

    /// Gives an image a further name.
    fn tag_image(&self, id: &ImageId, name: &str)
    -> impl Future<Output = Result<(), Error>> + Send;

    /// Removes an image name, and the image when that was its last one.
    fn remove_image(&self, name: &str) -> impl Future<Output = Result<(), Error>> + Send;

    /// Returns the named volume.
    fn volume(&self, name: &str)
    -> impl Future<Output = Result<Option<VolumeFacts>, Error>> + Send;

    /// Returns every volume that has the label, whatever its value, sorted by name.
    fn volumes(&self, label: &str) -> impl Future<Output = Result<Vec<VolumeFacts>, Error>> + Send;

    /// Returns the size in bytes of every volume whose size the engine can tell. It reads all of
    /// them, which takes a while.
    fn volume_sizes(&self) -> impl Future<Output = Result<BTreeMap<String, u64>, Error>> + Send;

    /// Creates a volume with labels; returns whether it was new.
    fn create_volume(
        &self,
        name: &str,
        labels: &[(String, String)],
    ) -> impl Future<Output = Result<bool, Error>> + Send;

    /// Removes a volume and everything in it.
    fn remove_volume(&self, name: &str) -> impl Future<Output = Result<(), Error>> + Send;

    /// Returns the container with this name or id.
    fn container(
        &self,
        name: &str,
    ) -> impl Future<Output = Result<Option<ContainerState>, Error>> + Send;

    /// Returns every container that has the label, whatever its value and running or not, sorted by
    /// name. One that vanishes meanwhile is left out.
    fn containers(
        &self,
        label: &str,
    ) -> impl Future<Output = Result<Vec<ContainerState>, Error>> + Send;

    /// Creates a container; it does not run yet.
    ///
    /// # Errors
    /// [`Error::Conflict`] when the name is taken, [`Error::NotFound`] when the image is missing.
    fn create_container(
        &self,
        spec: &ContainerSpec,
    ) -> impl Future<Output = Result<ContainerId, Error>> + Send;

    /// Puts files into a container that is not running.
    fn upload(
        &self,
        container: &str,
        files: &[GuestFile],
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// Returns the contents of one plain file of a container, running or not; `None` when it is not
    /// there.
    fn download(
        &self,
        container: &str,
        path: &str,
    ) -> impl Future<Output = Result<Option<Vec<u8>>, Error>> + Send;

    /// Returns every path that is not in a container as it is in its image, sorted. What is mounted is not
    /// looked at.
    fn changes(
        &self,
        container: &str,
    ) -> impl Future<Output = Result<Vec<FileChange>, Error>> + Send;

    /// Opens a tar archive of what is in a folder of a container, running or not, and in what is
    /// mounted there; `None` when there is no such folder.
    ///
    /// Names in the archive are relative to the folder; a `./` may stand before them.
    fn read_archive(
        &self,
        container: &str,
        path: &str,
    ) -> impl Future<Output = Result<Option<ArchiveStream>, Error>> + Send;

    /// Unpacks a tar archive into a folder of a container, running or not, and into what is mounted
    /// there. Owners and modes are those of the archive.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the folder is missing, [`Error::Local`] when the archive cannot be
    /// read.
    fn write_archive(
        &self,
        container: &str,
        path: &str,
        archive: Box<dyn Read + Send>,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// Gives a container another name, whether it runs or not.
    ///
    /// # Errors
    /// [`Error::Conflict`] when the name is taken.
    fn rename_container(
        &self,
        container: &str,
        new_name: &str,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// Starts a container; starting a running one succeeds.
    ///
    /// # Errors
    /// [`Error::PortTaken`] when a published port cannot be bound.
    fn start_container(&self, container: &str) -> impl Future<Output = Result<(), Error>> + Send;

    /// Stops a container, killing it after `grace`; stopping a stopped one succeeds.
    fn stop_container(
        &self,
        container: &str,
        grace: Duration,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// Freezes the processes of a running container.
    ///
    /// # Errors
    /// [`Error::Conflict`] when it does not run.
    fn pause_container(&self, container: &str) -> impl Future<Output = Result<(), Error>> + Send;

    /// Lets a paused container go on.
    fn unpause_container(&self, container: &str) -> impl Future<Output = Result<(), Error>> + Send;

    /// Removes a container, killing it when it runs; its named volumes stay.
    fn remove_container(&self, container: &str) -> impl Future<Output = Result<(), Error>> + Send;

    /// Returns what a container uses at this moment; `None` when it does not run.
    fn stats(&self, container: &str) -> impl Future<Output = Result<Option<Stats>, Error>> + Send;

    /// Returns when the container stops running (at once when it does not run).
    fn wait_container(
        &self,
        container: &str,
    ) -> impl Future<Output = Result<ExitStatus, Error>> + Send;

    /// Opens a container's log.
    fn logs(
        &self,
        container: &str,
        query: &LogsQuery,
    ) -> impl Future<Output = Result<LogStream, Error>> + Send;

    /// Runs a program inside a running container and returns its exit code.
    fn exec(
        &self,
        container: &str,
        spec: &ExecSpec,
        io: ExecIo<'_>,
    ) -> impl Future<Output = Result<i64, Error>> + Send;
}

/// Ignores every event.
pub fn silent(_event: Event) {}
