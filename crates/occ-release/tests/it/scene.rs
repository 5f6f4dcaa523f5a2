//! Two registries, a recipe, a key, and hands that need no engine.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use jiff::Timestamp;
use occ_image::{Blob, BuildError, BuildPlan, Compression, Image, Layer, LayerKey, Lock, Recipe};
use occ_oci::{DiffId, Digest, LayerDigest, Platform, Repository};
use occ_registry::{Cause, Client, Patience, Registries, Settings};
use occ_release::{
    Channel, Event, Journal, Judged, Measure, Objection, Ports, Press, ReleasePlan, Scanned,
    Smoked, Source, Staged, Stopped, Trust, Wish, build_plans, lint, look,
};
use occ_testkit::{FakeRegistry, Referring};
use occ_trust::{Builder, Bundle, Policy, SigningKey, SigningWith, ToSign, TrustRoot, sign};

pub(crate) const PATH: &str = "acme/sandbox";
pub(crate) const VARIANTS: [&str; 4] = ["base", "omos", "omos-with-pi", "with-pi"];

/// Everything that releases are made with.
pub(crate) struct Scene {
    pub(crate) registries: [FakeRegistry; 2],
    pub(crate) places: Vec<Client>,
    pub(crate) recipe: Recipe,
    pub(crate) lock: Lock,
    pub(crate) policy: Policy,
    pub(crate) root: TrustRoot,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) hands: Hands,
    pub(crate) variants: Vec<&'static str>,
    pub(crate) platforms: Vec<Platform>,
}

/// What is needed from outside, without an outside.
pub(crate) struct Hands {
    key: SigningKey,
    layers: tempfile::TempDir,
    /// What comes of running an image, by variant; the others pass.
    pub(crate) smoke: RefCell<BTreeMap<String, Smoked>>,
    pub(crate) scanned: RefCell<Scanned>,
    /// Why a policy prohibits images, by variant; the others are approved.
    pub(crate) prohibited: RefCell<BTreeMap<String, String>>,
    /// Why nothing can be signed.
    pub(crate) no_signature: RefCell<Option<String>>,
    /// How many statements can still be signed.
    pub(crate) signatures: Cell<usize>,
    pub(crate) built: RefCell<Vec<LayerKey>>,
    pub(crate) smoked: RefCell<Vec<(String, Platform)>>,
    /// How many images may run at the same time, how many do, and how many did.
    pub(crate) at_once: Cell<NonZeroUsize>,
    running: Cell<usize>,
    pub(crate) most_running: Cell<usize>,
    pub(crate) now: Cell<Timestamp>,
}

impl Scene {
    /// Two variants for one platform: for what is done very often.
    pub(crate) fn small() -> Self {
        let platforms = vec![Platform::LinuxArm64];
        Self { variants: vec!["base", "omos"], platforms, ..Self::new() }
    }

    pub(crate) fn new() -> Self {
        let registries = [Referring::Api, Referring::Unknown].map(FakeRegistry::start);
        let places = registries.iter().map(client).collect();
        let key = SigningKey::generate().expect("a key").0;
        let policy = Policy { keys: vec![key.public().clone()], ..Policy::default() };
        let hands = Hands {
            key,
            layers: tempfile::tempdir().expect("a folder"),
            smoke: RefCell::default(),
            scanned: RefCell::new(Scanned { by: "nobody".to_owned(), weaknesses: Vec::new() }),
            prohibited: RefCell::default(),
            no_signature: RefCell::default(),
            signatures: Cell::new(usize::MAX),
            built: RefCell::default(),
            smoked: RefCell::default(),
            at_once: Cell::new(NonZeroUsize::MIN),
            running: Cell::default(),
            most_running: Cell::default(),
            now: Cell::new("2026-01-02T03:04:05Z".parse().expect("a time")),
        };
        Self {
            registries,
            places,
            recipe: Recipe::embedded().expect("a test reads it"),
            lock: lock(),
            policy,
            root: TrustRoot::embedded(),
            folder: tempfile::tempdir().expect("a folder"),
            hands,
            variants: VARIANTS.to_vec(),
            platforms: Platform::ALL.to_vec(),
        }
    }

    pub(crate) fn opencode(&self) -> String {
        let locked = &self.lock.tools["opencode"];
        locked.version(Platform::LinuxAmd64.into()).expect("it is locked").to_owned()
    }

    /// Returns the wish to release everything as the build of this letter.
    pub(crate) fn wish(&self, letter: &str) -> Wish {
        self.wish_as(&format!("v{}{letter}", self.opencode()))
    }

    pub(crate) fn wish_as(&self, channel: &str) -> Wish {
        let now = self.hands.now.get();
        Wish {
            channel: channel.parse().expect("a channel"),
            product: "0.1.0".parse().expect("a version"),
            created: now,
            seq: now.as_second().unsigned_abs(),
            revision: Some(format!("{:x}{:032}", now.as_second(), 0)),
            branch: None,
            run_url: None,
            places: self.places.iter().map(|place| place.repository().clone()).collect(),
            variants: self.variants.iter().map(|name| (*name).to_owned()).collect(),
            platforms: self.platforms.clone(),
            compression: Compression::Gzip,
            promote: true,
        }
    }

    pub(crate) fn source(&self) -> Source<'_> {
        Source { recipe: &self.recipe, lock: &self.lock }
    }

    pub(crate) fn trust(&self) -> Trust<'_> {
        Trust { policy: &self.policy, root: &self.root, now: self.hands.now.get() }
    }

    /// Looks, and plans.
    pub(crate) async fn plan(&self, wish: &Wish) -> (ReleasePlan, Vec<BuildPlan>, Vec<Objection>) {
        let builds = build_plans(wish, &self.source()).expect("the recipe is answered");
        let base = builds.iter().find(|plan| plan.is_base()).expect("a base").variant.clone();
        let standings =
            look(wish, &base, &self.places, self.trust()).await.expect("registries answer");
        let plan = ReleasePlan::new(wish, &self.source(), &builds, &standings);
        let measure = Measure {
            variants: self.variants.clone(),
            platforms: &self.platforms,
            standings: &standings,
            newest: None,
            now: self.hands.now.get(),
        };
        let objections = lint(&plan, &measure);
        (plan, builds, objections)
    }

    /// Releases everything as the build of this letter.
    pub(crate) async fn release(&self, letter: &str) -> ReleasePlan {
        self.release_wish(&self.wish(letter)).await
    }

    pub(crate) async fn release_wish(&self, wish: &Wish) -> ReleasePlan {
        let (plan, builds, objections) = self.plan(wish).await;
        assert_eq!(objections, []);
        let mut journal = Journal::begin(&self.at(&plan), &plan).expect("a journal");
        self.run(&mut journal, &builds, &|_| ()).await.unwrap_or_else(|error| {
            panic!("{error}: {}", std::error::Error::source(&error).expect("a reason"))
        });
        plan
    }

    /// Returns the build plans that a plan was made of.
    pub(crate) fn builds_of(&self, plan: &ReleasePlan) -> Vec<BuildPlan> {
        let wish = Wish {
            created: plan.created,
            seq: plan.seq,
            revision: plan.revision.clone(),
            ..self.wish_as(&plan.channel.to_string())
        };
        let builds = build_plans(&wish, &self.source()).expect("the recipe is answered");
        assert!(plan.is_made_of(&builds));
        builds
    }

    /// Returns the configuration of one of the images that a release of now would have.
    pub(crate) async fn a_configuration(&self) -> Vec<u8> {
        let builds = build_plans(&self.wish(""), &self.source()).expect("plans");
        let images = self.hands.build(&builds[..1], Vec::new(), Compression::Gzip).await;
        images.expect("it is built")[0].config().to_vec()
    }

    pub(crate) fn at(&self, plan: &ReleasePlan) -> std::path::PathBuf {
        self.folder.path().join(plan.channel.to_string())
    }

    pub(crate) async fn run(
        &self,
        journal: &mut Journal,
        builds: &[BuildPlan],
        observer: &(dyn Fn(Event) + Send + Sync),
    ) -> Result<(), Stopped> {
        let press = Press {
            source: self.source(),
            builds,
            places: &self.places,
            policy: &self.policy,
            root: &self.root,
            ports: &self.hands,
            at_once: self.hands.at_once.get(),
            observer,
            cancel: &AtomicBool::new(false),
        };
        press.run(journal).await
    }

    /// Returns what every tag stands for, at both places.
    pub(crate) fn tags(&self) -> [BTreeMap<String, String>; 2] {
        self.registries.each_ref().map(|registry| {
            let tags = registry.tags(PATH).into_iter().filter(|tag| !tag.starts_with("sha256-"));
            tags.map(|tag| {
                let (_, bytes) = registry.manifest(PATH, &tag).expect("a tag stands for something");
                (tag, Digest::sha256(&bytes).to_string())
            })
            .collect()
        })
    }

    /// Makes the clients of the registries anew.
    pub(crate) fn with_clients(self) -> Self {
        let places = self.registries.iter().map(client).collect();
        Self { places, ..self }
    }

    /// Lets time pass.
    pub(crate) fn later(&self) {
        self.hands.now.set(self.hands.now.get() + jiff::SignedDuration::from_hours(1));
    }
}

/// The committed lock with one version of opencode for all architectures, which archives do not always have, and
/// with few packages: so that what follows from it takes no time.
fn lock() -> Lock {
    let mut lock = Lock::embedded().expect("a test reads it");
    for group in &mut lock.debian {
        group.packages.retain(|pin| pin.name == "git" || pin.name.starts_with("lib"));
        group.packages.truncate(4);
    }
    for tool in lock.tools.values_mut().filter(|tool| tool.packages.len() > 4) {
        tool.packages.truncate(1);
    }
    let opencode = lock.tools.get_mut("opencode").expect("it is locked");
    let version = opencode.packages[0].version.clone();
    for pin in &mut opencode.packages {
        pin.version.clone_from(&version);
    }
    lock
}

/// A client whose waits take no time.
fn client(registry: &FakeRegistry) -> Client {
    let pause = |_| {
        Box::pin(tokio::task::yield_now()) as std::pin::Pin<Box<dyn Future<Output = ()> + Send>>
    };
    let settings =
        Settings { patience: Patience::new(5).pausing(Arc::new(pause)), ..Settings::new(5) };
    let repository: Repository = format!("{}/{PATH}", registry.host()).parse().expect("a name");
    Registries::new(settings).client(&repository).expect("a client")
}

impl Hands {
    /// Makes a small layer whose bytes follow from its key, as those of a real one do.
    fn layer(&self, key: &LayerKey, form: Compression) -> Layer {
        let bytes = format!("the layer {key}").into_bytes();
        let digest = Digest::sha256(&bytes);
        let path = self.layers.path().join(digest.hex());
        std::fs::write(&path, &bytes).expect("a file");
        self.built.borrow_mut().push(key.clone());
        let size = bytes.len() as u64;
        let blob = Blob { compression: form, digest: LayerDigest::new(digest), size, path };
        let diff_id = DiffId::new(Digest::sha256(key.to_string().as_bytes()));
        Layer { key: key.clone(), diff_id, size, blob }
    }

    fn image(&self, plan: &BuildPlan, given: &[Layer], form: Compression) -> Image {
        let base = plan.base.layers().into_iter().map(|(_, key)| key);
        let tools = plan.tools.iter().map(occ_image::ToolPlan::key);
        let guest = (!plan.is_base()).then(|| plan.guest_key());
        let layers = base.chain(tools).chain(guest).map(|key| {
            let given = given.iter().find(|layer| layer.key == key).cloned();
            (given.unwrap_or_else(|| self.layer(&key, form)), key.to_string())
        });
        Image::assemble(plan, layers.collect(), None)
    }
}

impl Ports for Hands {
    async fn build(
        &self,
        plans: &[BuildPlan],
        given: Vec<Layer>,
        form: Compression,
    ) -> Result<Vec<Image>, BuildError> {
        Ok(plans.iter().map(|plan| self.image(plan, &given, form)).collect())
    }

    async fn smoke(&self, image: &Staged<'_>) -> Result<Smoked, Cause> {
        self.smoked.borrow_mut().push((image.variant.to_owned(), image.platform));
        self.running.update(|running| running + 1);
        self.most_running.update(|most| most.max(self.running.get()));
        tokio::time::sleep(Duration::from_millis(20)).await;
        self.running.update(|running| running - 1);
        let known = self.smoke.borrow().get(image.variant).cloned();
        Ok(known.unwrap_or(Smoked::Passed { held: 42, skipped: 0 }))
    }

    async fn scan(&self, image: &Staged<'_>) -> Result<Scanned, Cause> {
        assert!(image.built.sbom().starts_with(b"{"), "a bill of materials");
        Ok(self.scanned.borrow().clone())
    }

    async fn judge(&self, image: &Staged<'_>) -> Result<Judged, Cause> {
        let environment = "public-distribution".to_owned();
        Ok(match self.prohibited.borrow().get(image.variant) {
            Some(reason) => Judged::Prohibited { environment, reasons: vec![reason.clone()] },
            None => Judged::Approved { environment, notes: Vec::new() },
        })
    }

    async fn sign(&self, statement: &ToSign) -> Result<Bundle, Cause> {
        if let Some(why) = self.no_signature.borrow().clone() {
            return Err(why.into());
        }
        let left = self.signatures.get();
        self.signatures.set(left.checked_sub(1).ok_or("the credentials have expired")?);
        Ok(sign(&SigningWith::Key(&self.key), statement).await?)
    }

    async fn builder(&self) -> Result<Builder, Cause> {
        Ok(Builder::local())
    }

    fn now(&self) -> Timestamp {
        self.now.get()
    }
}

/// Returns how many files a folder has.
pub(crate) fn files(folder: &Path) -> usize {
    std::fs::read_dir(folder).expect("a folder").count()
}

pub(crate) fn channel(text: &str) -> Channel {
    text.parse().expect("a channel")
}
