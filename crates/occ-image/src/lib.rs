//! The workshop: from a recipe and a lock to images, the same bytes every time.
//!
//! [`Recipe`] is what people write, [`resolve`] makes the [`Lock`] that answers it, [`BuildPlan`] is the pure
//! and complete description of the bytes that follows from both, [`build`] makes them. An [`Image`] goes into
//! an OCI [`Layout`] or, as an [`Archive`], into an engine. [`inspect`], [`diff`], [`survey`] and
//! [`Dockerfiles`] explain. What image and programs outside agree on is in [`guest`].
//!
//! Layers, lowest first: Debian packages by group, what their scripts left, one layer for each tool, the
//! guest's own files. Package clients of the machine fetch, what they bring is verified and kept by digest, and
//! finished layers are kept under a key of what they were made from.
//!
//! This crate opens no socket, reads no environment and no clock.

mod accounts;
mod archive;
mod build;
mod cache;
mod config;
mod debian;
mod diff;
mod dockerfile;
mod document;
mod environment;
mod error;
mod event;
pub mod guest;
mod guest_files;
mod image;
mod inspect;
mod key;
mod layout;
mod lock;
mod plan;
mod program;
mod pulse;
mod recipe;
mod release;
mod resolve;
mod saved;
mod sbom;
mod schema;
pub mod secrets;
mod seen;
mod size;
mod survey;
mod tools;
mod workshop;

pub use archive::{Archive, Part as ArchivePart};
pub use build::{build, build_on, kept_image};
pub use cache::{Blob, CacheEntry, EntryKind, Layer, Pruned, WorkFolder, list, prune, work_folder};
pub use diff::{
    Difference, FileChange, FileState, Inventory, LayerChanges, OwnLayer, PackageChange,
    PackageKind, SettingChange, SharedLayer, Side, diff,
};
pub use dockerfile::{Dockerfiles, UnwritableText};
pub use document::DocumentError;
pub use error::BuildError;
pub use event::{Event, Observer, Part};
pub use guest_files::{GuestContent, GuestEntry, managed_config_with_hosted_models};
pub use image::Image;
pub use inspect::{Inspection, LayerInspection, Waste, WastedFile, inspect};
pub use key::{BaseKey, BuildKey, LayerKey};
pub use layout::{
    Arriving, EntryName, Filling, Layout, LayoutError, LayoutPruned, ParseSelectorError, Selector,
    StoredImage,
};
pub use lock::{
    Change, DebianGroup, DebianPin, Lock, PackagePin, StaleLock, ToolLock, lock_changes,
};
pub use occ_layer::{Compression, ParseCompressionError};
pub use plan::{BasePlan, BuildPlan, PlanError, Target, ToolPlan};
pub use recipe::{
    Architecture, BaseRecipe, Distribution, FileContent, FileRecipe, GroupRecipe, PerArchitecture,
    ReadFile, Recipe, Source, SystemRecipe, Tool, UnknownName,
};
pub use release::{DEVELOPMENT, Release};
pub use resolve::{LockRequest, Upgrade, resolve};
pub use saved::SavedError;
pub use schema::recipe_schema;
pub use size::Size;
pub use survey::{LayerState, PlannedLayer, survey};
pub use workshop::{Programs, Workshop};
