//! Doing what plans say: layers, made or found again, and images of them.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use occ_layer::Compression;

use crate::cache::{Cache, Layer, folder};
use crate::config::guest_history;
use crate::error::BuildError;
use crate::event::{Event, Observer, Part};
use crate::guest::OPENCODE;
use crate::image::Image;
use crate::key::LayerKey;
use crate::plan::{BasePlan, BuildPlan, ToolPlan};
use crate::workshop::Workshop;
use crate::{debian, guest_files, tools};

/// Builds the images of some plans.
///
/// Layers that an earlier build kept are used again, and a layer that several images share is made once.
/// `form` asks for layers compressed in one way; without it every layer comes in the form in which it is
/// kept, uncompressed if it has to be made. `cancel` is looked at often: programs at work are then asked to
/// stop and waited for. Nothing half-made stays, whatever the end.
///
/// # Errors
/// [`BuildError`].
pub fn build(
    plans: &[BuildPlan],
    form: Option<Compression>,
    workshop: &Workshop,
    observer: Observer<'_>,
    cancel: &AtomicBool,
) -> Result<Vec<Image>, BuildError> {
    build_on(plans, &[], form, workshop, observer, cancel)
}

/// Builds as [`build`] does, with layers that are elsewhere already and therefore need not be made: only what
/// is made here has a file.
///
/// # Errors
/// [`BuildError`].
pub fn build_on(
    plans: &[BuildPlan],
    given: &[Layer],
    form: Option<Compression>,
    workshop: &Workshop,
    observer: Observer<'_>,
    cancel: &AtomicBool,
) -> Result<Vec<Image>, BuildError> {
    let folder = folder(&workshop.cache_dir);
    let cache = Cache::open(&folder, observer, cancel)?.with_jobs(workshop.jobs);
    let given = given.iter().map(|layer| (layer.key.clone(), layer.clone())).collect();
    let maker = Maker { workshop, cache, form };
    let layers = maker.make(plans, given)?;
    plans.iter().map(|plan| maker.assemble(plan, &layers)).collect()
}

/// Returns the image that [`build`] would give for a plan without making anything; `None` when some layer of it
/// is not kept.
///
/// # Errors
/// [`BuildError`] when the cache cannot be read.
pub fn kept_image(plan: &BuildPlan, workshop: &Workshop) -> Result<Option<Image>, BuildError> {
    let (folder, nobody) = (folder(&workshop.cache_dir), AtomicBool::new(false));
    let cache = Cache::open(&folder, &|_| (), &nobody)?;
    let maker = Maker { workshop, cache, form: None };
    let mut layers = Layers::new();
    for work in works(std::slice::from_ref(plan)).into_values() {
        match maker.kept(&work)? {
            Some(kept) => layers.extend(kept.into_iter().map(|layer| (layer.key.clone(), layer))),
            None => return Ok(None),
        }
    }
    maker.assemble(plan, &layers).map(Some)
}

/// Returns every piece of work of some plans, once.
fn works(plans: &[BuildPlan]) -> BTreeMap<LayerKey, Work<'_>> {
    let mut works = BTreeMap::new();
    for plan in plans {
        let tools = plan.tools.iter().map(Work::Tool);
        let guest = (!plan.is_base()).then_some(Work::Guest(plan));
        for work in tools.chain(guest).chain([Work::Base(&plan.base)]) {
            works.entry(work.keys().swap_remove(0)).or_insert(work);
        }
    }
    works
}

/// Finished layers by key.
pub(crate) type Layers = BTreeMap<LayerKey, Layer>;

struct Maker<'a> {
    workshop: &'a Workshop,
    cache: Cache<'a>,
    form: Option<Compression>,
}

/// One piece of work: everything that one hold on the cache makes.
enum Work<'a> {
    Guest(&'a BuildPlan),
    Base(&'a BasePlan),
    Tool(&'a ToolPlan),
}

impl Work<'_> {
    fn part(&self) -> Part {
        match self {
            Self::Guest(_) => Part::Guest,
            Self::Base(base) => Part::Base(base.platform),
            Self::Tool(tool) => Part::Tool(tool.tool.name.clone(), tool.platform),
        }
    }

    fn keys(&self) -> Vec<LayerKey> {
        match self {
            Self::Guest(plan) => vec![plan.guest_key()],
            Self::Base(base) => base.layers().into_iter().map(|(_, key)| key).collect(),
            Self::Tool(tool) => vec![tool.key()],
        }
    }
}

impl<'a> Maker<'a> {
    /// Makes every layer of the plans once, as many at a time as the workshop has jobs.
    fn make(&self, plans: &'a [BuildPlan], given: Layers) -> Result<Layers, BuildError> {
        let mut layers = given;
        let mut missing = Vec::new();
        for work in works(plans).into_values() {
            if work.keys().iter().all(|key| layers.contains_key(key)) {
                continue;
            }
            match self.kept(&work)? {
                Some(kept) => {
                    (self.cache.context().0)(Event::Reused(work.part()));
                    layers.extend(kept.into_iter().map(|layer| (layer.key.clone(), layer)));
                }
                None => missing.push(work),
            }
        }
        self.fetch(&missing)?;
        // The quick ones first, which can fail for want of something: the bases take longest.
        missing.sort_by_key(|work| matches!(work, Work::Base(_)));
        let made = self.side_by_side(&missing)?;
        layers.extend(made.into_iter().map(|layer| (layer.key.clone(), layer)));
        Ok(layers)
    }

    fn kept(&self, work: &Work<'_>) -> Result<Option<Vec<Layer>>, BuildError> {
        let part = work.part();
        let keys = work.keys();
        let mut layers = Vec::with_capacity(keys.len());
        for key in keys {
            match self.cache.layer(&key, &part, self.form)? {
                Some(layer) => layers.push(layer),
                None => return Ok(None),
            }
        }
        Ok(Some(layers))
    }

    /// Fetches for all layers at once: a package client asked once is much quicker than asked for each.
    fn fetch(&self, missing: &[Work<'_>]) -> Result<(), BuildError> {
        let tools: Vec<&ToolPlan> = missing
            .iter()
            .filter_map(|work| if let Work::Tool(tool) = work { Some(*tool) } else { None })
            .collect();
        tools::fetch(&tools, self.workshop, &self.cache)?;
        for work in missing {
            if let Work::Base(base) = work {
                let groups: Vec<_> = base.groups.iter().collect();
                debian::fetch(&base.suite, &groups, self.workshop, &self.cache)?;
            }
        }
        Ok(())
    }

    fn side_by_side(&self, works: &[Work<'_>]) -> Result<Vec<Layer>, BuildError> {
        let next = AtomicUsize::new(0);
        let failed = AtomicBool::new(false);
        let made = Mutex::new(Vec::new());
        let error = Mutex::new(None);
        let workers = self.workshop.jobs.get().min(works.len());
        thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(|| {
                    while !failed.load(Ordering::Relaxed) {
                        let Some(work) = works.get(next.fetch_add(1, Ordering::Relaxed)) else {
                            return;
                        };
                        match self.one(work) {
                            Ok(layers) => made.lock().expect("nobody panics").extend(layers),
                            Err(first) => {
                                failed.store(true, Ordering::Relaxed);
                                error.lock().expect("nobody panics").get_or_insert(first);
                            }
                        }
                    }
                });
            }
        });
        match error.into_inner().expect("nobody panics") {
            Some(error) => Err(error),
            None => Ok(made.into_inner().expect("nobody panics")),
        }
    }

    fn one(&self, work: &Work<'_>) -> Result<Vec<Layer>, BuildError> {
        let (observer, cancel) = self.cache.context();
        if cancel.load(Ordering::Relaxed) {
            return Err(BuildError::Cancelled);
        }
        let part = work.part();
        let key = work.keys().swap_remove(0);
        let _hold = self.cache.hold(key.hex())?;
        // Whoever held it before may have made just this.
        if let Some(kept) = self.kept(work)? {
            observer(Event::Reused(part));
            return Ok(kept);
        }
        observer(Event::Begin(part.clone()));
        let form = self.form.unwrap_or(Compression::None);
        let layers = match work {
            Work::Base(base) => debian::make(base, form, self.workshop, &self.cache)?,
            Work::Guest(plan) => {
                let tree = guest_files::tree(&plan.guest)?;
                vec![self.cache.put(&key, &part, form, tree)?]
            }
            Work::Tool(tool) => {
                let spool = self.cache.work_folder()?;
                let tree = tools::tree(tool, self.workshop, &self.cache, spool.path())?;
                // Its images say which opencode they have.
                vec![self.cache.put_noting(&key, &part, form, tree, OPENCODE)?]
            }
        };
        observer(Event::Done(part));
        Ok(layers)
    }

    fn assemble(&self, plan: &BuildPlan, layers: &Layers) -> Result<Image, BuildError> {
        let layer = |key: &LayerKey| layers.get(key).expect("every layer of every plan is made");
        let mut stack = Vec::new();
        for (name, key) in plan.base.layers() {
            stack
                .push((layer(&key).clone(), format!("base: {name} of Debian {}", plan.base.suite)));
        }
        for tool in &plan.tools {
            let source = tool.tool.source.kind();
            let history = format!("tool: {} {} from {source}", tool.tool.name, tool.version);
            stack.push((layer(&tool.key()).clone(), history));
        }
        if !plan.is_base() {
            // The uppermost: it differs between variants, and what lies under it can be shared by all.
            stack.push((layer(&plan.guest_key()).clone(), guest_history()));
        }
        let opencode = plan.opencode().map(|tool| layer(&tool.key()));
        let binary = opencode.map(|layer| self.cache.digest_in(layer, OPENCODE)).transpose()?;
        Ok(Image::assemble(plan, stack, binary.flatten().as_ref()))
    }
}
