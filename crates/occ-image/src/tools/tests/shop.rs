//! A workshop for tools alone.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use occ_layer::tree::{Entry, Kind, LayerTree};
use occ_oci::{Digest, Platform};
use occ_testkit::SmallDisk;
use tempfile::TempDir;

use crate::cache::{Cache, folder};
use crate::error::BuildError;
use crate::event::Event;
use crate::lock::{Lock, ToolLock};
use crate::plan::ToolPlan;
use crate::recipe::{Architecture, Recipe, Source, Tool};
use crate::resolve::{Upgrade, Wanted};
use crate::tools;
use crate::workshop::{Programs, Workshop};

/// A workshop with an empty cache.
pub(super) struct Shop {
    pub(super) folder: TempDir,
    pub(super) workshop: Workshop,
    pub(super) patience: Duration,
    pub(super) kept: Option<Lock>,
    pub(super) upgrade: Upgrade,
    pub(super) cancel: AtomicBool,
    news: Mutex<Vec<Event>>,
}

impl Shop {
    pub(super) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let workshop = Workshop {
            cache_dir: folder.path().join("cache"),
            temp_dir: folder.path().to_owned(),
            programs: Programs::default(),
            environment: Vec::new(),
            jobs: std::num::NonZeroUsize::MIN,
        };
        Self {
            folder,
            workshop,
            patience: Duration::ZERO,
            kept: None,
            upgrade: Upgrade::Needed,
            cancel: AtomicBool::new(false),
            news: Mutex::default(),
        }
    }

    pub(super) fn set(&mut self, name: &str, value: impl std::fmt::Display) {
        self.workshop.environment.push((name.to_owned(), value.to_string()));
    }

    /// Puts the cache on a small disk, of this size.
    pub(super) fn on_small_disk(&self, size: &str) -> SmallDisk {
        SmallDisk::mount(&self.workshop.cache_dir, size)
    }

    /// Writes a program that is used instead of a real one.
    pub(super) fn script(&self, body: &str) -> PathBuf {
        let path = self.folder.path().join("script");
        std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// Panics unless it is the cache's disk that is full.
    #[track_caller]
    pub(super) fn assert_full(&self, what: Result<(), BuildError>) {
        match what {
            Err(BuildError::StorageFull { path }) => {
                assert!(path.starts_with(&self.workshop.cache_dir), "{path:?}");
            }
            other => panic!("{other:?}"),
        }
    }

    /// Does something with the cache.
    pub(super) fn with<T>(
        &self,
        work: impl FnOnce(&Cache<'_>) -> Result<T, BuildError>,
    ) -> Result<T, BuildError> {
        let observer = |event| self.news.lock().unwrap().push(event);
        let folder = folder(&self.workshop.cache_dir);
        work(&Cache::open(&folder, &observer, &self.cancel)?)
    }

    pub(super) fn resolve(&self, tool: &Tool) -> Result<ToolLock, BuildError> {
        let wanted =
            Wanted { kept: self.kept.as_ref(), upgrade: &self.upgrade, patience: self.patience };
        self.with(|cache| tools::resolve(tool, &wanted, &self.workshop, cache))
    }

    /// Lets what was resolved be the lock so far.
    pub(super) fn keep(&mut self, tool: ToolLock) {
        let recipe = Digest::sha256(b"");
        let tools = BTreeMap::from([(tool.name.clone(), tool)]);
        self.kept = Some(Lock { recipe, debian: Vec::new(), tools });
    }

    pub(super) fn fetch(&self, plan: &ToolPlan) -> Result<(), BuildError> {
        self.with(|cache| tools::fetch(&[plan], &self.workshop, cache))
    }

    pub(super) fn tree(&self, plan: &ToolPlan) -> Result<LayerTree, BuildError> {
        self.with(|cache| {
            let spool = cache.work_folder()?;
            tools::tree(plan, &self.workshop, cache, spool.path())
        })
    }

    /// Fetches a tool and returns what its layer would have.
    pub(super) fn entries(&self, plan: &ToolPlan) -> Result<BTreeMap<String, Entry>, BuildError> {
        self.fetch(plan)?;
        Ok(self.tree(plan)?.ordered()?)
    }

    /// Returns the news so far.
    pub(super) fn news(&self) -> Vec<Event> {
        self.news.lock().unwrap().clone()
    }
}

/// Returns a tool as a recipe has it; `lines` are those of its table.
pub(super) fn tool(name: &str, lines: &str) -> Tool {
    let text = format!(
        "version = 1\n[base]\ndistribution = \"debian\"\nsuite = \"trixie\"\ngroup = []\n\
         [system]\nshell = \"/bin/sh\"\nlang = \"C.UTF-8\"\ntimezone = \"UTC\"\n\
         [variant]\nbase = []\n[tool.{name}]\n{lines}\n"
    );
    let recipe = Recipe::parse("recipe", &text, &|_| unreachable!()).unwrap();
    recipe.tools[name].clone()
}

/// Returns the plan of a tool; `lock` is none for one from an address.
pub(super) fn plan(tool: &Tool, lock: Option<&ToolLock>, platform: Platform) -> ToolPlan {
    let architecture = Architecture::from(platform);
    let version = match &tool.source {
        Source::Url { version, .. } => version.clone(),
        _ => lock.unwrap().version(architecture).unwrap().to_owned(),
    };
    let packages = lock.map(|lock| lock.packages(architecture).cloned().collect());
    ToolPlan { platform, tool: tool.clone(), version, packages: packages.unwrap_or_default() }
}

/// Returns the bytes of a file.
pub(super) fn bytes(kind: &Kind) -> Vec<u8> {
    let Kind::File(content) = kind else { panic!("{kind:?} is no file") };
    let mut bytes = Vec::new();
    content.reader().read_to_end(&mut bytes).unwrap();
    bytes
}
