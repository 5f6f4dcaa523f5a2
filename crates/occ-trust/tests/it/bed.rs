//! A registry, an instance of everything that keyless signing needs, an image, and who may sign it.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use occ_oci::{Descriptor, Index, Manifest, MediaType, Repository, Tag};
use occ_registry::{Client, Patience, RawManifest, Registries, Settings};
use occ_testkit::{Change, Draft, FakeRegistry, Keyless, Referring, Who};
use occ_trust::{
    Admission, Asked, Case, Channel, Content, Decision, Entry, Evidence, Expectation, Identity,
    Mode, Policy, SIGNATURE, TrustRoot, Verdict, discover, judge,
};
use serde_json::{Value, json};

pub(crate) const PATH: &str = "acme/sandbox";
/// The name under which tests ask, whatever the registry is called.
pub(crate) const NAME: &str = "ghcr.io/acme/sandbox";
pub(crate) const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// Whoever may sign.
pub(crate) fn releaser() -> Who {
    Who::workflow(PATH, "release.yml", "refs/tags/v1.2.3")
}

/// Names exactly the releaser.
pub(crate) fn identity() -> Identity {
    let workflow = "https://github.com/acme/sandbox/.github/workflows/release.yml";
    let subject = format!("{workflow}@refs/tags/v<semver>").parse().expect("a rule");
    let issuer = "https://token.actions.githubusercontent.com".parse().expect("a text");
    let text = |text: &str| Some(text.parse().expect("a text"));
    Identity {
        source_repository: text("https://github.com/acme/sandbox"),
        source_repository_id: text("4242"),
        source_owner_id: text("77"),
        source_ref: Some("refs/tags/v<semver>".parse().expect("a rule")),
        runner_environment: text("github-hosted"),
        build_trigger: text("push"),
        ..Identity::new(issuer, subject)
    }
}

pub(crate) fn policy() -> Policy {
    Policy { identities: vec![identity()], ..Policy::default() }
}

/// Settings whose waits take no time.
pub(crate) fn settings() -> Settings {
    let pause = |_| {
        Box::pin(tokio::task::yield_now()) as std::pin::Pin<Box<dyn Future<Output = ()> + Send>>
    };
    Settings { patience: Patience::new(5).pausing(Arc::new(pause)), ..Settings::new(5) }
}

pub(crate) fn client(registry: &FakeRegistry) -> Client {
    client_with(settings(), registry)
}

/// A client that really waits, as writers that know nothing of each other have to.
pub(crate) fn patient_client(registry: &FakeRegistry) -> Client {
    let mut settings = Settings::new(5);
    settings.patience.settle = std::time::Duration::from_millis(400);
    client_with(settings, registry)
}

fn client_with(settings: Settings, registry: &FakeRegistry) -> Client {
    let repository = format!("{}/{PATH}", registry.host()).parse().expect("a repository");
    Registries::new(settings).client(&repository).expect("a client")
}

pub(crate) fn repository(text: &str) -> Repository {
    text.parse().expect("a repository")
}

pub(crate) fn tag(text: &str) -> Tag {
    text.parse().expect("a tag")
}

pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

/// An image of one layer, whose bytes depend on `name`.
pub(crate) struct Image {
    pub(crate) blobs: Vec<(Descriptor, Bytes)>,
    pub(crate) manifest: RawManifest,
}

pub(crate) fn image(name: &str) -> Image {
    let config = format!(r#"{{"architecture":"amd64","os":"linux","x":"{name}"}}"#);
    let blob = |kind: MediaType, bytes: String| {
        let bytes = Bytes::from(bytes);
        (Descriptor::of(kind, &bytes), bytes)
    };
    let config = blob(MediaType::ImageConfig, config);
    let layer = blob(MediaType::LayerTar, format!("the layer of {name}"));
    let manifest = Manifest::new(config.0.clone(), vec![layer.0.clone()]);
    let bytes = serde_json::to_vec(&manifest).expect("JSON");
    let manifest = RawManifest::parse(bytes, MediaType::ImageManifest).expect("a manifest");
    Image { blobs: vec![config, layer], manifest }
}

pub(crate) fn index(of: &[&Image]) -> RawManifest {
    let listed = of.iter().map(|image| image.manifest.descriptor()).collect();
    let bytes = serde_json::to_vec(&Index::new(listed)).expect("JSON");
    RawManifest::parse(bytes, MediaType::ImageIndex).expect("an index")
}

impl Image {
    pub(crate) async fn push(&self, client: &Client) {
        for (descriptor, bytes) in &self.blobs {
            client.push_blob(descriptor, &mut bytes.clone(), None).await.expect("a push");
        }
        client.push_manifest(&self.manifest).await.expect("a push");
    }
}

/// A statement of this kind about manifests, for the name that tests ask by.
pub(crate) fn statement_of(kind: &str, about: &[&RawManifest], annotations: &Value) -> Value {
    let subject = |manifest: &&RawManifest| {
        json!({
            "name": NAME,
            "digest": { "sha256": manifest.digest().digest().hex() },
            "annotations": annotations,
        })
    };
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": about.iter().map(subject).collect::<Vec<_>>(),
        "predicateType": kind,
        "predicate": {},
    })
}

/// A signature's statement with release number and version.
pub(crate) fn statement(about: &RawManifest, version: &str, seq: u64) -> Value {
    let annotations = json!({ "ref": NAME, "version": version, "seq": seq.to_string() });
    statement_of(SIGNATURE, &[about], &annotations)
}

pub(crate) fn bytes_of(document: &Value) -> Bytes {
    document.to_string().into()
}

/// The manifest around a file that is about another manifest.
pub(crate) fn about(subject: &RawManifest, kind: &str, file: &Bytes) -> (RawManifest, Descriptor) {
    let kind: MediaType = kind.parse().expect("a type");
    let file = Descriptor::of(kind.clone(), file);
    let of = Descriptor::new(
        subject.media_type().clone(),
        subject.digest().digest().clone(),
        subject.bytes().len() as u64,
    );
    let manifest = Manifest::attached(kind, file.clone(), of);
    let bytes = serde_json::to_vec(&manifest).expect("JSON");
    (RawManifest::parse(bytes, MediaType::ImageManifest).expect("a manifest"), file)
}

/// Attaches a file to a manifest.
pub(crate) async fn attach(
    client: &Client,
    subject: &RawManifest,
    kind: &str,
    file: &Bytes,
) -> RawManifest {
    let (manifest, descriptor) = about(subject, kind, file);
    let empty = Bytes::from_static(Manifest::EMPTY);
    let empty_of = Descriptor::of(MediaType::Empty, &empty);
    client.push_blob(&empty_of, &mut empty.clone(), None).await.expect("a push");
    client.push_blob(&descriptor, &mut file.clone(), None).await.expect("a push");
    client.attach(&manifest).await.expect("it is listed");
    manifest
}

pub(crate) fn put(name: &str, media_type: &MediaType, bytes: &[u8]) -> Change {
    let (repository, name) = (PATH.to_owned(), name.to_owned());
    Change::Put { repository, name, media_type: media_type.to_string(), bytes: bytes.to_vec() }
}

/// Evidence of bundles that every channel gave, without a registry.
pub(crate) fn evidence(subject: &RawManifest, contents: Vec<Content>) -> Evidence {
    let registry: occ_oci::Host = "ghcr.io".parse().expect("a host");
    let entries = contents.into_iter().enumerate().map(|(number, content)| Entry {
        registry: registry.clone(),
        channel: Channel::ReferrersTag,
        digest: occ_oci::Digest::sha256(&number.to_le_bytes()),
        content,
    });
    let mut evidence = Evidence::none(subject.digest().clone());
    evidence.entries = entries.collect();
    let answer = occ_trust::Answer::Listed { count: evidence.entries.len() };
    let channel = Channel::ReferrersTag;
    evidence.asked.push(occ_trust::Asking { registry: registry.to_string(), channel, answer });
    evidence
}

/// A registry with a signed image.
pub(crate) struct Bed {
    pub(crate) registry: FakeRegistry,
    pub(crate) client: Client,
    pub(crate) keyless: Keyless,
    pub(crate) root: TrustRoot,
    pub(crate) policy: Policy,
    pub(crate) image: Image,
}

impl Bed {
    /// A registry with an image that nobody signed.
    pub(crate) async fn unsigned(referring: Referring) -> Self {
        let registry = FakeRegistry::start(referring);
        let client = client(&registry);
        let keyless = Keyless::start();
        let root = root_of(&keyless);
        let image = image("one");
        image.push(&client).await;
        Self { registry, client, keyless, root, policy: policy(), image }
    }

    /// The same, and signed as version 1.2.3, number 7.
    pub(crate) async fn signed(referring: Referring) -> Self {
        let bed = Self::unsigned(referring).await;
        bed.attach(&bed.good()).await;
        bed
    }

    /// A good signature.
    pub(crate) fn good(&self) -> Bytes {
        self.bundle(&Draft::of(&releaser(), &statement(&self.image.manifest, "1.2.3", 7)))
    }

    pub(crate) fn bundle(&self, draft: &Draft) -> Bytes {
        bytes_of(&self.keyless.bundle(draft))
    }

    pub(crate) async fn attach(&self, bundle: &Bytes) -> RawManifest {
        attach(&self.client, &self.image.manifest, BUNDLE, bundle).await
    }

    /// Asks for the image by the tag `latest`.
    pub(crate) fn asked(&self) -> Asked {
        Asked::tagged(repository(NAME), tag("latest"), self.image.manifest.clone())
    }

    /// The name of the tag that lists what refers to the image.
    pub(crate) fn list(&self) -> String {
        self.image.manifest.digest().to_string().replace(':', "-")
    }

    /// Looks and judges.
    pub(crate) async fn admission(&self) -> Admission {
        self.admission_with(None, &self.asked()).await
    }

    pub(crate) async fn admission_with(
        &self,
        expectation: Option<&Expectation>,
        asked: &Asked,
    ) -> Admission {
        let found = discover(std::slice::from_ref(&self.client), &asked.manifest).await;
        self.judge(expectation, asked, &found)
    }

    pub(crate) fn judge(
        &self,
        expectation: Option<&Expectation>,
        asked: &Asked,
        evidence: &Evidence,
    ) -> Admission {
        let (policy, root) = (&self.policy, &self.root);
        judge(&Case { policy, root, expectation, evidence, asked, now: now() })
    }

    /// Judges bundles without a registry.
    pub(crate) fn verdict(&self, bundles: &[Bytes]) -> Admission {
        let contents = bundles.iter().cloned().map(Content::Bundle).collect();
        self.judge(None, &self.asked(), &evidence(&self.image.manifest, contents))
    }
}

pub(crate) fn root_of(keyless: &Keyless) -> TrustRoot {
    TrustRoot::from_json(keyless.trusted_root().to_string().as_bytes()).expect("a trust root")
}

/// Says what came of it: the verdict, the code of an invalid one, and the decision.
pub(crate) fn told(admission: &Admission) -> String {
    let verdict = admission.verdict.as_ref().map_or("none", Verdict::name);
    let code = match &admission.verdict {
        Some(Verdict::Invalid { reason }) => format!(" {}", reason.code.name()),
        _ => String::new(),
    };
    let decision = match &admission.decision {
        Decision::Admitted(_) => "admitted",
        Decision::Refused(_) => "refused",
    };
    format!("{verdict}{code}, {decision}")
}

/// Codes of the findings, sorted.
pub(crate) fn codes(admission: &Admission) -> Vec<String> {
    let mut codes: Vec<_> =
        admission.findings.iter().map(|finding| finding.reason.code.name()).collect();
    codes.sort();
    codes
}

pub(crate) fn in_mode(mode: Mode) -> Policy {
    Policy { mode, ..policy() }
}
