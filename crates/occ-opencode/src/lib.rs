//! A client for the opencode server: the interpreter between this house and the program in the
//! sandbox.
//!
//! It speaks the v1 line of opencode's HTTP interface (measured with 1.18) in plain HTTP/1.1.
//! Every request has a deadline, because a server that has just begun to listen accepts requests
//! and never answers them; every JSON answer must say that it is JSON, because unknown paths
//! answer 200 with a web page. [`wait_ready`] builds on both, and [`prove_locked`] asks whether a
//! stranger is turned away.
//!
//! Nothing is spawned here: dropping a future ends its requests.

mod client;
mod door;
mod endpoint;
mod error;
mod event;
#[cfg(feature = "fake")]
pub mod fake;
mod health;
mod hedge;
mod line;
mod ready;
mod secret;
mod session;
mod sse;
mod wire;

pub use client::Client;
pub use door::{DoorError, DoorOpen, Tried, prove_locked};
pub use endpoint::{Credentials, Endpoint};
pub use error::Error;
pub use event::{EventStream, ServerEvent};
pub use health::{Health, Paths};
pub use line::{ServerLine, UnknownLine};
pub use ready::{Event, Expect, NotReady, Ready, Stage, wait_ready};
pub use secret::Secret;
pub use session::{Session, SessionId, SessionIdError, ShellOutput};
