//! From a recipe to a lock: every file of others by exact version, size and digest.

use std::collections::BTreeMap;
use std::time::Duration;

use occ_oci::Platform;

use crate::cache::{Cache, folder};
use crate::error::BuildError;
use crate::event::{Event, Observer, Part};
use crate::lock::{Lock, ToolLock};
use crate::plan::PlanError;
use crate::recipe::{Architecture, Recipe};
use crate::workshop::Workshop;
use crate::{debian, tools};
use std::sync::atomic::AtomicBool;

/// What is to be locked anew.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Upgrade {
    /// What the lock lacks, what the recipe no longer allows, what is no longer to be had.
    #[default]
    Needed,
    /// One tool, or one Debian package.
    One(String),
    /// Everything.
    All,
}

/// What a resolver has to respect.
pub(crate) struct Wanted<'a> {
    /// The lock so far.
    pub(crate) kept: Option<&'a Lock>,
    /// What of it may move.
    pub(crate) upgrade: &'a Upgrade,
    /// How long to wait for a file that a registry names and does not have yet.
    pub(crate) patience: Duration,
}

impl Wanted<'_> {
    /// Returns whether a tool or package of this name may move although it is locked.
    pub(crate) fn may_move(&self, name: &str) -> bool {
        match self.upgrade {
            Upgrade::Needed => false,
            Upgrade::One(one) => one == name,
            Upgrade::All => true,
        }
    }
}

/// What [`resolve`] is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockRequest {
    /// What may move.
    pub upgrade: Upgrade,
    /// Tools to lock although no variant has them; those of optional features.
    pub with: Vec<String>,
    /// How long to wait for a file that a registry names and does not have yet.
    pub patience: Duration,
}

impl Default for LockRequest {
    fn default() -> Self {
        Self { upgrade: Upgrade::Needed, with: Vec::new(), patience: Duration::from_secs(300) }
    }
}

/// Makes the lock of a recipe. Every file in it was fetched and its digest compared before this returns.
///
/// # Errors
/// [`BuildError`]; the file that is not there yet is named.
pub fn resolve(
    recipe: &Recipe,
    kept: Option<&Lock>,
    request: &LockRequest,
    workshop: &Workshop,
    observer: Observer<'_>,
    cancel: &AtomicBool,
) -> Result<Lock, BuildError> {
    let folder = folder(&workshop.cache_dir);
    let cache = Cache::open(&folder, observer, cancel)?;
    let wanted = Wanted { kept, upgrade: &request.upgrade, patience: request.patience };
    let mut lock = Lock { recipe: recipe.request(), debian: Vec::new(), tools: BTreeMap::new() };
    for platform in Platform::ALL {
        let part = Part::Base(platform);
        observer(Event::Begin(part.clone()));
        let architecture = Architecture::from(platform);
        let groups = debian::resolve(&recipe.base, architecture, &wanted, workshop, &cache)?;
        debian::fetch(&recipe.base.suite, &groups.iter().collect::<Vec<_>>(), workshop, &cache)?;
        lock.debian.extend(groups);
        observer(Event::Done(part));
    }
    for tool in recipe.locked_tools(&request.with).map_err(PlanError::from)? {
        let locked: ToolLock = tools::resolve(tool, &wanted, workshop, &cache)?;
        lock.tools.insert(tool.name.clone(), locked);
    }
    Ok(lock)
}
