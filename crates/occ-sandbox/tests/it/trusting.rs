//! A registry that lies in any way, or an image that nobody vouches for: nothing arrives, nothing starts, and
//! the reason is one sentence.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use occ_engine::{Engine as _, FakeImage};
use occ_oci::{MediaType, Tagged};
use occ_registry::{Client, RawManifest, Registries, Settings};
use occ_sandbox::pull::{Intake, Way};
use occ_sandbox::{Acquire, ApplyError, Consent, Decision, ImageSource, Reuse, SandboxSpec, Trust};
use occ_testkit::{Change, Fault, Harm};
use occ_trust::{
    Label, Mode, Notary, Policy, SigningKey, SigningWith, ToSign, TrustRoot, attach, sign,
};

use crate::stage::{OURS, REPOSITORY, Stage, wish};

/// A stage with a running sandbox whose registry has another image, and a key that the policy names.
struct Scene {
    stage: Stage,
    key: SigningKey,
    name: Tagged,
}

impl Scene {
    async fn new() -> Self {
        let mut stage = Stage::with_image();
        stage.start(&wish()).await.expect("start");
        let (name, _) = stage.publish(&other());
        let (key, _) = SigningKey::generate().expect("a key");
        stage.believe(Policy { keys: vec![key.public().clone()], ..Policy::default() });
        Self { stage, key, name: name.parse().expect("a name") }
    }

    fn client(&self) -> Client {
        Registries::new(Settings::new(1)).client(&self.name.repository).expect("a client")
    }

    /// Signs the image as release `seq`.
    async fn sign(&self, key: &SigningKey, seq: u64) -> RawManifest {
        let client = self.client();
        let manifest = client.resolve(&self.name.tag).await.expect("it is there").manifest;
        let label = Label { seq: Some(seq), ..Label::of(self.name.repository.clone()) };
        let statement = ToSign::signature(&label, &[&manifest]);
        let bundle = sign(&SigningWith::Key(key), &statement).await.expect("signed");
        let now = jiff::Timestamp::now();
        attach(&client, &bundle, &[&manifest], now).await.expect("attached");
        manifest
    }

    async fn bring(&self) -> Result<(), ApplyError> {
        let image = ImageSource::Prebuilt(vec![self.name.to_string()]);
        let spec = SandboxSpec { image, acquire: Acquire::Anew(Reuse::Kept), ..wish() };
        let Decision::Ready(plan) = self.stage.decide(&spec, &Consent::yes()).await else {
            panic!("asked")
        };
        self.stage.bring(&plan).await.map(drop)
    }

    /// Nothing arrives, and what runs is as it was; returns why.
    async fn refuses(&self, what: &str) -> String {
        let before = self.stage.things(&wish()).await;
        let state = self.stage.home.image_state().0;
        let error = self.bring().await.expect_err(what);
        assert_eq!(self.stage.things(&wish()).await, before, "{what}");
        assert_eq!(self.stage.home.image_state().0, state, "{what}");
        assert!(!self.arrived().await, "{what}: it was loaded");
        sentence(&error)
    }

    /// Whether the engine has the other image.
    async fn arrived(&self) -> bool {
        self.stage.engine.image(&other().id().0).await.expect("an engine").is_some()
    }

    fn trust(&self) -> Option<Trust> {
        self.stage.home.image_state().0.and_then(|state| state.trust)
    }

    fn mode(&mut self, mode: Mode) {
        self.stage.believe(Policy {
            mode,
            keys: vec![self.key.public().clone()],
            ..Policy::default()
        });
    }
}

/// Returns an error with its causes.
fn sentence(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn other() -> FakeImage {
    FakeImage::new(&[&OURS[..], &[("made", "later")]].concat(), "amd64")
}

#[tokio::test]
async fn an_image_that_somebody_named_has_signed_arrives_and_the_record_says_who() {
    let scene = Scene::new().await;
    scene.sign(&scene.key, 1).await;
    scene.bring().await.expect("verified");
    let Some(Trust::Verified { signer }) = scene.trust() else { panic!("{:?}", scene.trust()) };
    assert!(scene.key.public().id().starts_with(signer.trim_start_matches("key ")), "{signer}");
    let why = scene.stage.home.history().expect("read").pop().and_then(|entry| entry.why);
    assert!(why.is_some_and(|why| why.contains("signed by key")));
}

#[tokio::test]
async fn sig_003_what_is_certainly_not_signed_arrives_with_a_warning_unless_signatures_are_enforced()
 {
    let mut scene = Scene::new().await;
    scene.mode(Mode::Enforce);
    let why = scene.refuses("enforced").await;
    assert!(why.ends_with("is not signed"), "{why}");
    scene.mode(Mode::Warn);
    scene.bring().await.expect("a warning");
    assert_eq!(scene.trust(), Some(Trust::Unsigned));
    let events = scene.stage.events.lock().expect("lock");
    let warned = events.iter().any(|event| {
        matches!(event, occ_sandbox::Event::Unverified { said } if said.ends_with("is not signed"))
    });
    assert!(warned, "{events:?}");
}

#[tokio::test]
async fn nobody_is_asked_when_somebody_chose_that() {
    let mut scene = Scene::new().await;
    scene.mode(Mode::Off);
    scene.bring().await.expect("by choice");
    assert_eq!(scene.trust(), Some(Trust::UnverifiedByChoice));
}

#[tokio::test]
async fn attack_05_signatures_that_are_gone_after_one_was_seen_are_missed() {
    let scene = Scene::new().await;
    scene.sign(&scene.key, 1).await;
    scene.bring().await.expect("verified");
    let digest = scene.client().resolve(&scene.name.tag).await.expect("there").pinned.digest;
    let tag = digest.to_string().replace(':', "-");
    let (repository, name) = (REPOSITORY.to_owned(), tag);
    scene.stage.registry().change(Change::Forget { repository, name });
    let why = sentence(&scene.bring().await.expect_err("stripped"));
    assert!(why.contains("is not signed, but") && why.contains("was seen signed"), "{why}");
}

#[tokio::test]
async fn attack_05_a_registry_that_does_not_say_whether_it_is_signed_is_not_believed() {
    for (what, harm) in [
        ("500", Harm::status(500)),
        ("429", Harm::status(429)),
        ("403", Harm::status(403)),
        ("garbage", Harm::Answers { status: 200, headers: Vec::new(), body: b"{".to_vec() }),
        ("hung up", Harm::HangsUp),
    ] {
        let scene = Scene::new().await;
        scene.stage.registry().fault(Fault::on("GET", "/manifests/sha256-", harm).times(100));
        let why = scene.refuses(what).await;
        assert!(why.contains("could not be found out"), "{what}: {why}");
    }
}

#[tokio::test]
async fn attack_13_a_signature_of_somebody_else_is_worth_nothing() {
    let scene = Scene::new().await;
    let (stranger, _) = SigningKey::generate().expect("a key");
    scene.sign(&stranger, 9).await;
    let why = scene.refuses("a stranger").await;
    assert!(why.contains("whom nobody named"), "{why}");
    // One that counts beside it is enough.
    scene.sign(&scene.key, 1).await;
    scene.bring().await.expect("verified");
}

#[tokio::test]
async fn attack_01_a_moving_tag_does_not_go_back_to_an_older_release() {
    let scene = Scene::new().await;
    let moving = Tagged { tag: "latest".parse().expect("a tag"), ..scene.name.clone() };
    let old = scene.sign(&scene.key, 7).await;
    let put = |manifest: &RawManifest| Change::Put {
        repository: REPOSITORY.to_owned(),
        name: "latest".to_owned(),
        media_type: MediaType::ImageManifest.to_string(),
        bytes: manifest.bytes().to_vec(),
    };
    scene.stage.registry().change(put(&old));
    let newer = FakeImage::new(&[&OURS[..], &[("made", "last")]].concat(), "amd64");
    let (_, _) = scene.stage.publish(&newer);
    let new = scene.sign(&scene.key, 8).await;
    scene.stage.registry().change(put(&new));
    let scene = Scene { name: moving, ..scene };
    scene.bring().await.expect("the newer one");
    scene.stage.registry().change(put(&old));
    let why = scene.refuses("an older one").await;
    assert!(why.contains("number 7") && why.contains("number 8"), "{why}");
}

#[tokio::test]
async fn attack_03_bytes_that_are_not_what_was_signed_never_reach_the_engine() {
    let scene = Scene::new().await;
    scene.sign(&scene.key, 1).await;
    scene.stage.registry().fault(Fault::on("GET", "/blobs/", Harm::Flipped).times(100));
    scene.refuses("a flipped bit").await;
}

#[test]
fn the_way_to_registries_is_opened_once_and_again_only_where_that_failed() {
    let opened = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&opened);
    let intake = Intake::new("/nonexistent".into(), move || {
        if count.fetch_add(1, Ordering::Relaxed) == 0 {
            return Err("the settings are wrong".into());
        }
        let memory = "/nonexistent/seen".into();
        let notary = Notary { policy: Policy::default(), root: TrustRoot::embedded(), memory };
        Ok(Way { registries: Registries::new(Settings::new(1)), notary })
    });
    assert!(intake.way().is_err());
    for _ in 0..3 {
        intake.clone().way().expect("a way");
    }
    assert_eq!(opened.load(Ordering::Relaxed), 2);
}
