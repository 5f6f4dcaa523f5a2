//! Peers and benches for the tests of the command line: a hermetic runner, a terminal, a container
//! daemon of one's own, a registry, everything that keyless signing needs, and images that stand in for the real one.
//!
//! Everything here panics with what was expected and what was seen: a missing program or daemon is
//! a failed test, never a skipped one.

#![expect(clippy::missing_panics_doc, reason = "a test that cannot go on panics, everywhere here")]

mod api;
mod bench;
mod daemon;
mod disk;
mod environment;
mod fake_registry;
mod hub;
mod keyless;
mod pty;
mod registry;
mod root;
mod run;
mod running;
mod settled;
mod sshd;
mod stand_in;

pub use api::{Answer, Api};
pub use bench::{Bench, Places};
pub use daemon::Daemon;
pub use disk::SmallDisk;
pub use environment::free_port;
pub use fake_registry::{Change, Door, FakeRegistry, Fault, Harm, Referring, Request};
pub use hub::Hub;
pub use keyless::{Draft, Keyless, Logged, OldSignature, San, Sct, Who};
pub use pty::Terminal;
pub use registry::Registry;
pub use root::{as_root, is_root};
pub use run::Run;
pub use running::Running;
pub use settled::Settled;
pub use sshd::Sshd;
pub use stand_in::{Manner, StandIn};
