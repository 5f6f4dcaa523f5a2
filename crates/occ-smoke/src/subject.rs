//! Who is examined, and what is expected of them.

use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::BoxFuture;
use occ_opencode::Client;

use crate::fault::Fault;
use crate::inside::{Inside, Talk};

/// What is expected of an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// The version of opencode; nothing where nobody pinned one.
    pub version: Option<String>,
    /// Digest of the program, as a label has it: `sha256:` and 64 digits; nothing where nobody says it.
    pub program: Option<String>,
    /// The number of the user that everything runs as.
    pub uid: u32,
    /// The folder that commands start in.
    pub workspace: PathBuf,
    /// How long the server may take to become ready.
    pub start: Duration,
}

/// An engine under examination.
pub struct Subject<'a> {
    /// The way to its server, with the password.
    pub client: Client,
    /// The way inside.
    pub inside: &'a dyn Talk,
    /// The way into another container of the same image, for what is asked of the program alone: one whose
    /// server ends at once still has a version. The same as `inside` where there is no other.
    pub aside: &'a dyn Inside,
    /// What is expected.
    pub expected: Expected,
    /// Comes when its container ended by itself, with how: nothing is to be waited for then.
    pub ended: BoxFuture<'a, String>,
    /// Other running containers on the same data.
    pub sharers: Vec<String>,
    /// The way to stop it and start it again; nothing where somebody works in it.
    pub life: Option<&'a dyn Life>,
}

/// What is wished of an examination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wish {
    /// Whether a model is asked.
    pub model: bool,
}

/// How it stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped {
    /// Exit code of the first process.
    pub code: i64,
    /// How long it took.
    pub took: Duration,
}

/// The end of an engine and its next beginning, on the same data.
pub trait Life: Send + Sync {
    /// Stops it, and removes what is not its data.
    fn stop(&self) -> BoxFuture<'_, Result<Stopped, Fault>>;

    /// Kills it, and removes what is not its data.
    fn kill(&self) -> BoxFuture<'_, Result<(), Fault>>;

    /// Starts it again, and returns the way to it. It need not be ready.
    fn start(&self) -> BoxFuture<'_, Result<Client, Fault>>;

    /// Starts another one, whose data are on a disk of `size` bytes.
    fn on_small_disk(&self, size: u64) -> BoxFuture<'_, Result<Box<dyn Other + '_>, Fault>>;
}

/// Another engine, for a while.
pub trait Other: Send + Sync {
    /// Returns the way to its server. It need not be ready.
    fn client(&self) -> Client;

    /// Returns the way inside.
    fn inside(&self) -> &dyn Inside;

    /// Ends it, with all that is in it.
    fn end(&self) -> BoxFuture<'_, Result<(), Fault>>;
}
