//! What applying a plan needs besides the engine: someone who builds images, and a way to the
//! server.

use std::collections::BTreeSet;
use std::future::Future;
use std::io::Read;
use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use occ_opencode::{DoorError, NotReady};

use crate::choice::Reuse;
use crate::password::Password;

/// An image ready to be loaded into an engine.
pub struct BuiltImage {
    /// The archive, in `docker save` form.
    pub archive: Box<dyn Read + Send>,
    /// Its size in bytes.
    pub total: u64,
}

/// Builds the image on this machine.
pub trait ImageBuilder: Send + Sync {
    /// Returns the name the image has in the engine; equal names mean equal images.
    fn name(&self) -> &str;

    /// Builds, looking at `cancel` often.
    ///
    /// # Errors
    /// What the workshop says.
    fn build(
        &self,
        reuse: Reuse,
        cancel: &AtomicBool,
        observer: &(dyn Fn(occ_image::Event) + Send + Sync),
    ) -> Result<BuiltImage, occ_image::BuildError>;
}

/// A way to the opencode server of a sandbox.
pub trait Server: Send + Sync {
    /// Waits until the server is ready and returns the version it says of itself.
    fn ready(
        &self,
        address: SocketAddr,
        password: &Password,
        version: Option<&str>,
        timeout: Duration,
        observer: &(dyn Fn(Duration, String) + Send + Sync),
    ) -> impl Future<Output = Result<String, NotReady>> + Send;

    /// Returns the names of the sessions that the server lists, or none when it cannot say.
    fn sessions(
        &self,
        address: SocketAddr,
        password: &Password,
        timeout: Duration,
    ) -> impl Future<Output = Option<BTreeSet<String>>> + Send;

    /// Proves that requests without the password are refused.
    fn locked(
        &self,
        address: SocketAddr,
        timeout: Duration,
    ) -> impl Future<Output = Result<(), DoorError>> + Send;
}
