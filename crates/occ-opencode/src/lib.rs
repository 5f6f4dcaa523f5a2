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
mod command;
mod door;
mod endpoint;
mod error;
mod event;
mod exchange;
#[cfg(feature = "fake")]
pub mod fake;
mod file;
mod health;
mod hedge;
mod line;
mod message;
mod operation;
mod query;
mod ready;
mod secret;
mod session;
mod sse;
mod terminal;
mod wire;

pub use client::{Answer, Client};
pub use command::Finished;
pub use door::{DoorError, DoorOpen, Tried, prove_locked};
pub use endpoint::{Credentials, Endpoint};
pub use error::Error;
pub use event::{EventStream, ServerEvent};
pub use exchange::{Exchange, Witness};
pub use file::FileEntry;
pub use health::{Health, Paths};
pub use line::{ServerLine, UnknownLine};
pub use message::{Message, MessageInfo, MessagePart, Tokens, Trouble};
pub use operation::{Operation, Request};
pub use ready::{Event, Expect, NotReady, Ready, Stage, wait_ready};
pub use secret::Secret;
pub use session::{Session, SessionId, SessionIdError, ShellOutput};
pub use terminal::{Terminal, TerminalLine};
