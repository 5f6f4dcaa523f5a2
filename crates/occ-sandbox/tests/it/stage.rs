//! A stage: a fake engine, a fake server, a builder, a home in a temporary folder.

use std::collections::BTreeSet;
use std::io::Cursor;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use occ_engine::{ContainerSpec, ContainerState, ImageId, Mount, Phase, Source};
use occ_engine::{FakeEngine, FakeImage, Life, Volumes};
use occ_engine::{Isolation, Limits, LogRotation, RestartPolicy};
use occ_image::guest;
use occ_oci::{Descriptor, Manifest, MediaType};
use occ_opencode::{DoorError, DoorOpen, NotReady, Stage as Sign, Tried};
use occ_registry::{Registries, Settings};
use occ_sandbox::pull::{Intake, Way};
use occ_sandbox::{
    Acquire, ApplyError, BuiltImage, Cancel, Consent, Decision, Event, Given, Home, ImageBuilder,
    ImageSource, Instance, Known, Observation, Outcome, Password, Plan, PortState, Recovered,
    Reuse, SandboxSpec, SecretError, SecretRef, SecretSource, SecretValue, Server, TryLock,
    Workspace, World, apply, bring, observe, plan_start, recover,
};
use occ_testkit::{Change, FakeRegistry, Referring};
use occ_trust::{Mode, Notary, Policy, TrustRoot};

/// Name of the image that a build gives.
pub(crate) const BUILT: &str = "opencode-cloud-sandbox:0123456789ab";
/// Name of the image in a registry.
pub(crate) const PREBUILT: &str = "ghcr.io/prizz/opencode-cloud-sandbox:0.1.0";
/// Version of opencode in every image of ours.
pub(crate) const OPENCODE: &str = "1.18.33";

/// Labels of an image of ours.
pub(crate) const OURS: [(&str, &str); 3] = [
    (guest::LABEL_CONTRACT, guest::CONTRACT_VERSION),
    (guest::LABEL_OPENCODE, OPENCODE),
    (guest::LABEL_VERSION, "0.1.0"),
];

/// What the server in a sandbox does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Becomes ready, and is locked.
    Good,
    /// Never becomes ready.
    Silent,
    /// Lets everybody in.
    Open,
}

pub(crate) struct FakeServer {
    manner: Mutex<Manner>,
    /// Images whose server never becomes ready.
    broken: Mutex<BTreeSet<ImageId>>,
    /// Images whose server lists no session.
    forgetful: Mutex<BTreeSet<ImageId>>,
    engine: FakeEngine,
}

impl FakeServer {
    /// Returns the container that is reached at an address: its state and its wish.
    fn behind(&self, address: SocketAddr) -> Option<(ContainerState, ContainerSpec)> {
        let instance = Instance::first();
        [instance.container(), instance.trial()].iter().find_map(|name| {
            let state = self.engine.state(name)?;
            let bound = state.publish.iter().any(|bound| bound.host_port == address.port());
            (bound && state.phase == Phase::Running).then_some(())?;
            Some((state, self.engine.spec(name)?))
        })
    }
}

impl Server for FakeServer {
    async fn ready(
        &self,
        address: SocketAddr,
        password: &Password,
        version: Option<&str>,
        timeout: Duration,
        observer: &(dyn Fn(Duration, String) + Send + Sync),
    ) -> Result<String, NotReady> {
        observer(Duration::ZERO, "the health endpoint".to_owned());
        assert!(!password.expose().is_empty(), "a server without a password");
        let manner = *self.manner.lock().expect("lock");
        let broken = self.broken.lock().expect("lock").clone();
        let behind = self.behind(address);
        let is_broken = behind.is_some_and(|(state, _)| broken.contains(&state.image));
        if manner == Manner::Silent || is_broken {
            tokio::time::sleep(timeout).await;
            return Err(NotReady::Missing {
                stage: Sign::Health,
                elapsed: timeout,
                last_error: None,
            });
        }
        // Time for a container that ends at once to be noticed first.
        tokio::time::sleep(Duration::from_millis(20)).await;
        Ok(version.unwrap_or(OPENCODE).to_owned())
    }

    async fn sessions(
        &self,
        address: SocketAddr,
        _password: &Password,
        _timeout: Duration,
    ) -> Option<BTreeSet<String>> {
        let (state, spec) = self.behind(address)?;
        if self.forgetful.lock().expect("lock").contains(&state.image) {
            return Some(BTreeSet::new());
        }
        let data = mounted(&spec, DATA)?;
        let files = self.engine.files(&data)?;
        let names = files.keys().filter_map(|path| path.strip_prefix("session/"));
        Some(names.map(str::to_owned).collect())
    }

    async fn locked(&self, address: SocketAddr, _timeout: Duration) -> Result<(), DoorError> {
        if *self.manner.lock().expect("lock") == Manner::Open {
            let path = "/path".to_owned();
            return Err(DoorOpen { address, path, tried: Tried::Nothing, status: 200 }.into());
        }
        Ok(())
    }
}

/// Values of secrets by their references.
#[derive(Default)]
pub(crate) struct FakeSecrets(pub(crate) Mutex<std::collections::BTreeMap<String, String>>);

impl SecretSource for FakeSecrets {
    fn value<'a>(
        &'a self,
        name: &'a str,
        from: &'a SecretRef,
    ) -> futures_util::future::BoxFuture<'a, Result<SecretValue, SecretError>> {
        let value = self.0.lock().expect("lock").get(&from.to_string()).cloned();
        let name = name.to_owned();
        let missing = SecretError { name, why: "there is no such thing".into(), source: None };
        Box::pin(async move { value.map(SecretValue::from).ok_or(missing) })
    }
}

/// Builds an image of ours, as an archive that the fake engine reads.
pub(crate) struct Builder;

impl ImageBuilder for Builder {
    fn name(&self) -> &str {
        BUILT
    }

    fn build(
        &self,
        _reuse: Reuse,
        cancel: &AtomicBool,
        observer: &(dyn Fn(occ_image::Event) + Send + Sync),
    ) -> Result<BuiltImage, occ_image::BuildError> {
        if cancel.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(occ_image::BuildError::Cancelled);
        }
        observer(occ_image::Event::Begin(occ_image::Part::Guest));
        let bytes = archive();
        Ok(BuiltImage { total: bytes.len() as u64, archive: Box::new(Cursor::new(bytes)) })
    }
}

fn archive() -> Vec<u8> {
    let labels: serde_json::Value = OURS
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).into()))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let config = serde_json::json!({
        "architecture": "amd64", "os": "linux", "config": { "Labels": labels, "built": true },
        "rootfs": { "type": "layers", "diff_ids": [] },
    });
    let manifest =
        serde_json::json!([{ "Config": "config.json", "RepoTags": [BUILT], "Layers": [] }]);
    let mut tar = tar::Builder::new(Vec::new());
    for (name, json) in [("config.json", &config), ("manifest.json", &manifest)] {
        let bytes = json.to_string().into_bytes();
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, bytes.as_slice()).expect("in memory");
    }
    tar.into_inner().expect("in memory")
}

/// Returns a wish for the first instance, on the default port, to be built here.
pub(crate) fn wish() -> SandboxSpec {
    SandboxSpec {
        instance: Instance::first(),
        user: 1000,
        bind: IpAddr::from([127, 0, 0, 1]),
        port: 3000,
        workspace: Workspace::Volume,
        given: Given::default(),
        isolation: Isolation::Strict,
        limits: Limits { memory: Some(2 << 30), cpu_millis: Some(2000), pids: Some(512) },
        restart: RestartPolicy::UnlessStopped,
        logs: LogRotation { max_size: 10 << 20, max_files: 3 },
        hosted_models: false,
        image: ImageSource::Build,
        acquire: Acquire::WhenMissing,
        start_timeout: Duration::from_secs(5),
        said: std::collections::BTreeMap::new(),
    }
}

/// The place of opencode's data inside.
const DATA: &str = "/home/opencode/.local/share/opencode";

fn mounted(spec: &ContainerSpec, place: &str) -> Option<String> {
    spec.mounts.iter().find_map(|mount| match mount {
        Mount::Volume { name, target, .. } if target == place => Some(name.clone()),
        _ => None,
    })
}

/// The copier copies once more when it is told to, and is done.
fn told(spec: &ContainerSpec, path: &str, volumes: &mut Volumes) -> Option<Life> {
    if spec.name != wish().instance.copier() || path != "/go" {
        return None;
    }
    copy(spec, volumes);
    Some(Life::exits(0).saying(Source::Stdout, "copied\n"))
}

fn copy(spec: &ContainerSpec, volumes: &mut Volumes) {
    for index in 0.. {
        let Some(to) = mounted(spec, &format!("/to/{index}")) else { break };
        let from = mounted(spec, &format!("/from/{index}"));
        let files = from.map(|from| volumes[&from].clone()).unwrap_or_default();
        volumes.insert(to, files);
    }
}

/// What the programs in our containers do: the copier copies, a server leaves its mark in its data.
pub(crate) fn programs(spec: &ContainerSpec, volumes: &mut Volumes) -> Life {
    if spec.name == wish().instance.copier() {
        copy(spec, volumes);
        return Life::runs().saying(Source::Stdout, "ready\n");
    }
    if spec.entrypoint.is_some() {
        return Life::exits(0);
    }
    let data = mounted(spec, DATA).expect("a server has data");
    let mark = spec.image.0.clone().into_bytes();
    volumes.get_mut(&data).expect("there").insert("opened by".to_owned(), mark);
    Life::runs()
}

/// Repository of images of ours in the registry of a stage.
pub(crate) const REPOSITORY: &str = "prizz/opencode-cloud-sandbox";

/// Returns where images come from: registries that are asked once.
pub(crate) fn intake(folder: PathBuf, policy: Policy) -> Intake {
    let memory = folder.join("trust.json");
    Intake::new(folder, move || {
        let settings = Settings::new(1);
        let patience = settings.patience.once();
        let registries = Registries::new(Settings { patience, ..settings });
        let policy = policy.clone();
        let notary = Notary { policy, root: TrustRoot::embedded(), memory: memory.clone() };
        Ok(Way { registries, notary })
    })
}

/// Everything a start needs.
pub(crate) struct Stage {
    registry: OnceLock<FakeRegistry>,
    intake: Intake,
    pub(crate) engine: FakeEngine,
    pub(crate) server: FakeServer,
    pub(crate) secrets: FakeSecrets,
    dir: tempfile::TempDir,
    pub(crate) home: Home,
    pub(crate) port: PortState,
    pub(crate) cancel: Cancel,
    pub(crate) events: Mutex<Vec<Event>>,
}

impl Stage {
    pub(crate) fn new(engine: FakeEngine) -> Self {
        let dir = tempfile::tempdir().expect("tempdir");
        let home = Home::new(dir.path(), &Instance::first());
        home.create().expect("create");
        let engine = engine.on_start(programs).on_upload(told);
        // Who signs what is a story of its own.
        let policy = Policy { mode: Mode::Off, ..Policy::default() };
        let server = FakeServer {
            manner: Mutex::new(Manner::Good),
            broken: Mutex::default(),
            forgetful: Mutex::default(),
            engine: engine.clone(),
        };
        Self {
            registry: OnceLock::new(),
            intake: intake(dir.path().join("pulls"), policy),
            engine,
            server,
            secrets: FakeSecrets::default(),
            home,
            dir,
            port: PortState::Free,
            cancel: Cancel::default(),
            events: Mutex::default(),
        }
    }

    /// Returns where a backup may lie; it goes with the stage.
    pub(crate) fn file(&self) -> PathBuf {
        self.dir.path().join("one.occ-backup")
    }

    /// Changes whose signatures are believed.
    pub(crate) fn believe(&mut self, policy: Policy) {
        self.intake = intake(self.dir.path().join("pulls"), policy);
    }

    /// Returns the registry of this stage.
    pub(crate) fn registry(&self) -> &FakeRegistry {
        self.registry.get_or_init(|| FakeRegistry::start(Referring::Unknown))
    }

    /// Puts an image into the registry and returns its full name and the digest that it has there.
    pub(crate) fn publish(&self, image: &FakeImage) -> (String, String) {
        let config = Descriptor::of(MediaType::ImageConfig, image.config());
        let manifest = serde_json::to_vec(&Manifest::new(config, Vec::new())).expect("JSON");
        let digest = Descriptor::of(MediaType::ImageManifest, &manifest).digest.to_string();
        let repository = REPOSITORY.to_owned();
        let bytes = image.config().to_vec();
        self.registry().change(Change::Blob { repository: repository.clone(), bytes });
        let media_type = MediaType::ImageManifest.to_string();
        let name = "0.1.0".to_owned();
        self.registry().change(Change::Put { repository, name, media_type, bytes: manifest });
        (format!("{}/{REPOSITORY}:0.1.0", self.registry().host()), digest)
    }

    /// An engine without images.
    pub(crate) fn empty() -> Self {
        Self::new(FakeEngine::new())
    }

    /// Replaces what programs in containers do.
    pub(crate) fn with_programs(
        engine: FakeEngine,
        programs: impl Fn(&ContainerSpec, &mut Volumes) -> Life + Send + Sync + 'static,
    ) -> Self {
        let stage = Self::new(engine);
        drop(stage.engine.clone().on_start(programs));
        stage
    }

    /// An engine that has the built image already.
    pub(crate) fn with_image() -> Self {
        Self::new(FakeEngine::new().with_image(BUILT, &FakeImage::new(&OURS, "amd64")))
    }

    pub(crate) fn server_is(&self, manner: Manner) {
        *self.server.manner.lock().expect("lock") = manner;
    }

    /// Lets the server in an image never become ready.
    pub(crate) fn break_image(&self, image: &ImageId) {
        self.server.broken.lock().expect("lock").insert(image.clone());
    }

    /// Lets the server in an image list no session.
    pub(crate) fn forget_sessions(&self, image: &ImageId) {
        self.server.forgetful.lock().expect("lock").insert(image.clone());
    }

    /// Puts a file into the volume of opencode's data, as the running sandbox would.
    pub(crate) fn write_data(&self, path: &str, text: &str) {
        let volume = wish().instance.volume("data");
        self.engine.change(|world| {
            world.files_mut(&volume).insert(path.to_owned(), text.as_bytes().to_vec());
        });
    }

    pub(crate) async fn look(&self, spec: &SandboxSpec) -> Observation {
        let port = self.port.clone();
        let image = self.home.image_state().0.and_then(|state| state.image_id);
        let record = self.home.record().0;
        let known = Known { built: BUILT, record, image, closely: false };
        observe(&self.engine, spec, known, &move |_| port.clone()).await.expect("observe")
    }

    pub(crate) async fn decide(&self, spec: &SandboxSpec, consent: &Consent) -> Decision {
        plan_start(spec, &self.look(spec).await, BUILT, consent)
    }

    pub(crate) async fn plan(&self, spec: &SandboxSpec) -> Plan {
        match self.decide(spec, &Consent::yes()).await {
            Decision::Ready(plan) => plan,
            other => panic!("not ready: {other:?}"),
        }
    }

    pub(crate) async fn apply(
        &self,
        spec: &SandboxSpec,
        plan: &Plan,
    ) -> Result<Outcome, ApplyError> {
        let TryLock::Held(lock) = self.home.try_lock().expect("lock") else { panic!("busy") };
        let observer = |event| self.events.lock().expect("lock").push(event);
        self.apply_watched(spec, plan, &lock, &observer).await
    }

    /// Brings an image, by a plan that does only that.
    pub(crate) async fn bring(&self, plan: &Plan) -> Result<ImageId, ApplyError> {
        let TryLock::Held(lock) = self.home.try_lock().expect("lock") else { panic!("busy") };
        let observer = |event| self.events.lock().expect("lock").push(event);
        bring(plan, &self.world(&lock, &observer)).await
    }

    pub(crate) async fn apply_watched(
        &self,
        spec: &SandboxSpec,
        plan: &Plan,
        lock: &occ_sandbox::Lock,
        observer: occ_sandbox::Observer<'_>,
    ) -> Result<Outcome, ApplyError> {
        apply(plan, spec, &self.world(lock, observer)).await
    }

    pub(crate) fn world<'a>(
        &'a self,
        lock: &'a occ_sandbox::Lock,
        observer: occ_sandbox::Observer<'a>,
    ) -> World<'a, FakeEngine, FakeServer> {
        World {
            engine: &self.engine,
            server: &self.server,
            builder: Some(Arc::new(Builder)),
            intake: &self.intake,
            secrets: &self.secrets,
            home: &self.home,
            lock,
            observer,
            cancel: &self.cancel,
            now: &|| "2026-01-24T10:30:00Z".to_owned(),
            version: "0.1.0",
            host_addresses: &Vec::new,
        }
    }

    /// Ends a change that was cut off.
    pub(crate) async fn recover(&self) -> Result<Option<Recovered>, ApplyError> {
        let TryLock::Held(lock) = self.home.try_lock().expect("lock") else { panic!("busy") };
        let observer = |event| self.events.lock().expect("lock").push(event);
        recover(&self.world(&lock, &observer), wish().claim()).await
    }

    /// Looks, plans with every consent, applies.
    pub(crate) async fn start(&self, spec: &SandboxSpec) -> Result<Outcome, ApplyError> {
        let plan = self.plan(spec).await;
        self.apply(spec, &plan).await
    }

    /// Returns the containers and volumes of ours, one line each.
    pub(crate) async fn things(&self, spec: &SandboxSpec) -> Vec<String> {
        use occ_engine::Engine as _;
        let mut things = Vec::new();
        for name in [spec.instance.container(), spec.instance.probe()] {
            if let Some(state) = self.engine.container(&name).await.expect("container") {
                things.push(format!("{name}: {:?}", state.phase));
            }
        }
        for (name, _) in spec.volumes() {
            if self.engine.volume(&name).await.expect("volume").is_some() {
                things.push(name);
            }
        }
        things
    }
}
