//! What applying a plan needs of the world.

use std::net::IpAddr;
use std::sync::Arc;

use crate::cancel::Cancel;
use crate::event::Observer;
use crate::files::Lock;
use crate::ports::ImageBuilder;
use crate::pull::Intake;
use crate::record::Home;
use crate::secret::SecretSource;

/// What applying needs of the world.
pub struct World<'a, E, S> {
    /// The engine.
    pub engine: &'a E,
    /// The way to the server.
    pub server: &'a S,
    /// Who builds images; not needed where nothing is built.
    pub builder: Option<Arc<dyn ImageBuilder>>,
    /// Where images come from that are not built.
    pub intake: &'a Intake,
    /// Who gets the values of secrets.
    pub secrets: &'a dyn SecretSource,
    /// Where our files are.
    pub home: &'a Home,
    /// Proof that no other process works on this sandbox.
    pub lock: &'a Lock,
    /// Receives the news.
    pub observer: Observer<'a>,
    /// A wish to stop.
    pub cancel: &'a Cancel,
    /// Now, RFC 3339, UTC.
    pub now: &'a (dyn Fn() -> String + Send + Sync),
    /// Version of this program.
    pub version: &'a str,
    /// Returns this host's addresses as they are now, for proving that every published one is
    /// locked: between the first step and that one they may change.
    pub host_addresses: &'a (dyn Fn() -> Vec<IpAddr> + Send + Sync),
}
