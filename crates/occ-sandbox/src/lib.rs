//! The living room: the life of one sandbox.
//!
//! A command is one walk along this spine: a [`SandboxSpec`] (the wish), [`observe()`] (what is),
//! [`plan_start`] (pure: what will happen, a question, or a refusal), [`apply()`] (make it true, or
//! take it back). What runs and where it came from is kept by [`Home`].

mod acquire;
mod apply;
mod cancel;
mod checks;
mod choice;
mod drift;
mod error;
mod event;
mod files;
mod foreign;
mod guest_files;
mod health;
mod instance;
mod observe;
mod opencode;
mod password;
mod plan;
mod ports;
mod probe;
mod question;
mod record;
mod refusal;
mod spec;
mod stall;
mod step;
mod undo;
mod version;
mod world;

pub use apply::{Outcome, apply, bring};
pub use cancel::Cancel;
pub use checks::{Checks, UpdateCheck, UpdateRule, Warned};
pub use choice::{Acquire, Reuse};
pub use drift::{Drift, drift};
pub use error::{ApplyError, ProbeError, PullAttempt};
pub use event::{Event, Observer};
pub use files::{FileError, Lock, TryLock, private_dir, replace};
pub use foreign::{ForeignImage, foreign};
pub use health::reachable;
pub use instance::{Instance, ParseError as InstanceError};
pub use observe::{Known, Observation, PortLook, PortState, Surroundings, observe};
pub use opencode::{Opencode, client};
pub use password::{
    Password, generate as generate_password, load as load_password, store as store_password,
};
pub use plan::{ARRIVING, Decision, Plan, plan_start};
pub use ports::{BuiltImage, ImageBuilder, Server};
pub use question::{Consent, Question, Topic};
pub use record::{Home, ImageState, Record, Source, Unreadable};
pub use refusal::{Claim, FolderProblem, Refusal, stranger};
pub use spec::{ImageSource, Owner, SandboxSpec, Workspace};
pub use step::Step;
pub use version::{Mismatch, mismatch};
pub use world::World;
