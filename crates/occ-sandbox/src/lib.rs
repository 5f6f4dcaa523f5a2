//! The living room: the life of one sandbox.
//!
//! A command is one walk along this spine: a [`SandboxSpec`] (the wish), [`observe()`] (what is),
//! [`plan_start`] (pure: what will happen, a question, or a refusal), [`apply()`] (make it true, or
//! take it back). What runs and where it came from is kept by [`Home`].

mod acquire;
mod apply;
mod apply_change;
mod back;
mod backup;
mod beside;
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
mod fleet;
mod foreign;
mod given;
mod guest_files;
mod health;
mod history;
mod host_port;
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
mod prune;
pub mod pull;
mod question;
mod record;
mod refusal;
mod removal;
mod replace;
mod secret;
mod short_lived;
mod sight;
mod spec;
mod stage;
mod stages;
mod step;
mod undo;
mod variable;
mod version;
mod watch;
mod work;
mod world;

pub use acquire::acquire;
pub use apply::{Outcome, apply, bring};
pub use back::{Recovered, recover};
pub use backup::{
    BackupError, BackupWish, Created, Filled, Filling, Head as BackupHead, Manifest, Part,
    Verified, create_backup, fill_volumes, make_volumes, read_head, restored_record, verify_backup,
};
pub use beside::any_image;
pub use cancel::Cancel;
pub use certificates::{Certificates, certificate_blocks};
pub use change::{Cause, Journal, Kept, OwnerChange, Reached, RollbackPoint, VolumeCopy};
pub use checks::{Checks, UpdateCheck, UpdateRule, Warned};
pub use choice::{Acquire, Reuse};
pub use drift::{Drift, drift, drifts_once_stopped};
pub use error::{ApplyError, ProbeError, PullAttempt};
pub use event::{Event, Observer};
pub use files::{FileError, Lock, TryLock, private_dir, replace};
pub use fleet::{Remembered, Sandbox, gather, homes, named_by, remembered};
pub use foreign::{ForeignImage, foreign};
pub use given::{Found, GitIdentity, Given, SshAgent};
pub use health::reachable;
pub use history::{HistoryEntry, Verdict};
pub use host_port::{assign_port, suggest_port};
pub use instance::{AUTO, Instance, ParseError as InstanceError};
pub use mount::{
    Access, FolderMount, MountError, MountWish, check_places, check_source, system_folder,
};
pub use observe::{Known, Observation, PortLook, PortState, Surroundings, observe};
pub use opencode::{Opencode, client};
pub use password::{
    Password, generate as generate_password, load as load_password, store as store_password,
};
pub use plan::{ARRIVING, Decision, Plan, plan_change, plan_restart, plan_start};
pub use plan_rollback::{Previous, plan_rollback};
pub use ports::{BuiltImage, ImageBuilder, Server};
pub use proxy::{Proxy, ProxyLook};
pub use prune::{Image as UnusedImage, Leftovers, Seen, apply_prune, plan_prune};
pub use question::{Consent, Question, Topic};
pub use record::{Home, ImageState, Record, Source, Trust, Unreadable};
pub use refusal::{Claim, FolderProblem, Refusal, stranger};
pub use removal::{
    Farewell, Removal, Sized, Wish as RemovalWish, apply_removal, halt_for_removal, plan_removal,
};
pub use replace::{Change, Contents};
pub use secret::{
    SecretError, SecretForm, SecretRef, SecretSource, SecretValue, parse_secret, secret_value,
    secrets,
};
pub use short_lived::Said;
pub use sight::look_at;
pub use spec::{ImageSource, Owner, SandboxSpec, Workspace};
pub use stage::Stage;
pub use stages::{Forsaken, Marked, StageMark, Stages, forsaken};
pub use step::Step;
pub use variable::{VariableError, check_name, looks_secret, parse_variable};
pub use version::{Mismatch, mismatch};
pub use watch::{Patience, Resolve, Sight, Watch};
pub use work::{Loose, Repository, Unsaved, Work, observe_work};
pub use world::World;
