//! The living room: the life of one sandbox.
//!
//! A command is one walk along this spine: a [`SandboxSpec`] (the wish), [`observe()`] (what is),
//! [`plan_start`] (pure: what will happen, a question, or a refusal), [`apply()`] (make it true, or
//! take it back). What runs and where it came from is kept by [`Home`].

mod acquire;
mod apply;
mod apply_change;
mod back;
mod cancel;
mod certificates;
mod change;
mod checks;
mod choice;
mod copier;
mod drift;
mod error;
mod event;
mod files;
mod foreign;
mod given;
mod guest_files;
mod health;
mod history;
mod instance;
mod mount;
mod observe;
mod opencode;
mod password;
mod plan;
mod plan_rollback;
mod ports;
mod probe;
mod prove_mounts;
mod proxy;
mod question;
mod record;
mod refusal;
mod replace;
mod secret;
mod sight;
mod spec;
mod stall;
mod step;
mod undo;
mod variable;
mod version;
mod watch;
mod world;

pub use acquire::acquire;
pub use apply::{Outcome, apply, bring};
pub use back::{Recovered, recover};
pub use cancel::Cancel;
pub use certificates::{Certificates, certificate_blocks};
pub use change::{Cause, Journal, Kept, OwnerChange, Reached, RollbackPoint, VolumeCopy};
pub use checks::{Checks, UpdateCheck, UpdateRule, Warned};
pub use choice::{Acquire, Reuse};
pub use drift::{Drift, drift};
pub use error::{ApplyError, ProbeError, PullAttempt};
pub use event::{Event, Observer};
pub use files::{FileError, Lock, TryLock, private_dir, replace};
pub use foreign::{ForeignImage, foreign};
pub use given::{Found, GitIdentity, Given, SshAgent};
pub use health::reachable;
pub use history::{HistoryEntry, Verdict};
pub use instance::{Instance, ParseError as InstanceError};
pub use mount::{
    Access, FolderMount, MountError, MountWish, check_places, check_source, system_folder,
};
pub use observe::{Known, Observation, PortLook, PortState, Surroundings, observe};
pub use opencode::{Opencode, client};
pub use password::{
    Password, generate as generate_password, load as load_password, store as store_password,
};
pub use plan::{ARRIVING, Decision, Plan, plan_change, plan_start};
pub use plan_rollback::{Previous, plan_rollback};
pub use ports::{BuiltImage, ImageBuilder, Server};
pub use proxy::{Proxy, ProxyLook};
pub use question::{Consent, Question, Topic};
pub use record::{Home, ImageState, Record, Source, Unreadable};
pub use refusal::{Claim, FolderProblem, Refusal, stranger};
pub use replace::Change;
pub use secret::{
    SecretError, SecretForm, SecretRef, SecretSource, SecretValue, parse_secret, secret_value,
    secrets,
};
pub use sight::look_at;
pub use spec::{ImageSource, Owner, SandboxSpec, Workspace};
pub use step::Step;
pub use variable::{VariableError, check_name, looks_secret, parse_variable};
pub use version::{Mismatch, mismatch};
pub use watch::{Patience, Resolve, Sight, Watch};
pub use world::World;
