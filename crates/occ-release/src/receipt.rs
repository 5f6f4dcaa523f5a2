//! The receipt: everything that a release published, with its proofs, as one signed file.

use std::collections::BTreeMap;

use jiff::Timestamp;
use occ_image::{Architecture, BuildKey, BuildPlan, Lock};
use occ_oci::{
    Digest, LayerDigest, Manifest, ManifestDigest, MediaType, Platform, Repository, Tag,
};
use occ_registry::{Client, Document, Error, RawManifest, Reason};
use serde::{Deserialize, Serialize};

use crate::base::BaseDecision;
use crate::channel::Channel;
use crate::made::{Made, MadeImage};
use crate::plan::{Before, ReleasePlan};
use crate::ports::{Judged, Scanned, Smoked};
use crate::tags::{PlannedTag, receipt_tag};

/// Which receipts this program understands.
pub const RECEIPT_FORMAT: &str = "opencode-cloud/receipt/v1";
/// Media type of a receipt.
pub const RECEIPT_TYPE: &str = "application/vnd.opencode-cloud.receipt.v1+json";
/// Largest receipt that is read, in bytes.
const LIMIT: u64 = 4 << 20;

/// What a release published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// [`RECEIPT_FORMAT`].
    pub format: String,
    /// As what it was released.
    pub channel: Channel,
    /// Version of `occ` that the images are for.
    pub product: semver::Version,
    /// When, as the images say.
    pub created: Timestamp,
    /// Number of the release.
    pub seq: u64,
    /// Commit that it was made from.
    pub revision: Option<String>,
    /// Branch of that commit.
    pub branch: Option<String>,
    /// Address of the run that made it.
    pub run_url: Option<String>,
    /// Version of `occ` that made it.
    pub occ: String,
    /// Where it went; it is signed for the first one's name.
    pub places: Vec<Repository>,
    /// Digest of what the recipe asked for.
    pub recipe: Digest,
    /// Digest of the lock.
    pub lock: Digest,
    /// How layers are compressed.
    pub compression: String,
    /// The base.
    pub base: ReceiptBase,
    /// The variants.
    pub variants: Vec<ReceiptVariant>,
    /// Packages of Debian in the base, by platform: names with their versions.
    pub packages: BTreeMap<String, BTreeMap<String, String>>,
    /// Tags.
    pub tags: Vec<PlannedTag>,
    /// What the tags that move stood for before.
    pub before: Vec<Before>,
    /// What is signed about what.
    pub proofs: Vec<ProofOf>,
    /// What came of running the images.
    pub smoke: Vec<Tried<Smoked>>,
    /// What is known of their weaknesses.
    pub scans: Vec<Tried<Scanned>>,
    /// What a policy says of the images.
    pub judged: Vec<Tried<Judged>>,
    /// What should be there and is not; empty for what this program releases.
    pub gaps: Vec<Gap>,
}

/// The base of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptBase {
    /// Its name, which is its tag.
    pub name: String,
    /// Its digest.
    pub digest: ManifestDigest,
    /// Whether it was built for this release, or used again, and why.
    pub decision: BaseDecision,
    /// Its images.
    pub images: Vec<ReceiptImage>,
}

/// A variant of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptVariant {
    /// Its name.
    pub name: String,
    /// Digest of the list of its images.
    pub digest: ManifestDigest,
    /// Its images.
    pub images: Vec<ReceiptImage>,
}

/// An image of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptImage {
    /// Its platform.
    pub platform: Platform,
    /// Its digest.
    pub digest: ManifestDigest,
    /// Digest of its configuration, which engines call its id.
    pub config: Digest,
    /// Key of everything that decided its bytes.
    pub key: BuildKey,
    /// Bytes that are fetched for it.
    pub size: u64,
    /// Its layers, lowest first.
    pub layers: Vec<ReceiptLayer>,
    /// Tools with their versions.
    pub tools: BTreeMap<String, String>,
}

/// A layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptLayer {
    /// What it holds: `base/NAME`, `tool/NAME` or `guest`.
    pub name: String,
    /// Its digest.
    pub digest: LayerDigest,
    /// Its size in bytes.
    pub size: u64,
}

/// A signed statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofOf {
    /// Kind of statement.
    pub predicate_type: String,
    /// About what.
    pub subject: ManifestDigest,
    /// The manifest around the signed statement.
    pub referrer: ManifestDigest,
}

/// What came of looking at an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried<T> {
    /// Variant.
    pub variant: String,
    /// Platform.
    pub platform: Platform,
    /// What came of it.
    #[serde(flatten)]
    pub result: T,
}

/// Something that should be there and is not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The tag.
    pub tag: Tag,
    /// Why it is not there.
    pub why: String,
    /// The release that closed the gap.
    pub closed_by: Option<Channel>,
}

/// What a receipt is written from, beside the plan.
pub(crate) struct Findings<'a> {
    pub(crate) made: &'a Made,
    pub(crate) builds: &'a [BuildPlan],
    pub(crate) lock: &'a Lock,
    pub(crate) proofs: Vec<ProofOf>,
    pub(crate) smoke: Vec<Tried<Smoked>>,
    pub(crate) scans: Vec<Tried<Scanned>>,
    pub(crate) judged: Vec<Tried<Judged>>,
}

impl Receipt {
    pub(crate) fn new(plan: &ReleasePlan, findings: Findings<'_>) -> Self {
        let Findings { made, builds, lock, proofs, smoke, scans, judged } = findings;
        let images = |name: &str| {
            let subject = made.subject(name);
            let images = subject.map(|subject| subject.images.as_slice()).unwrap_or_default();
            images.iter().map(|image| ReceiptImage::of(image, builds)).collect::<Vec<_>>()
        };
        let digest = |name: &str| {
            let subject = made.subject(name).expect("every subject of the plan was made");
            subject.index.digest().clone()
        };
        let variants = plan.subjects().into_iter().filter(|name| *name != plan.base.name);
        Self {
            format: RECEIPT_FORMAT.to_owned(),
            channel: plan.channel,
            product: plan.product.clone(),
            created: plan.created,
            seq: plan.seq,
            revision: plan.revision.clone(),
            branch: plan.branch.clone(),
            run_url: plan.run_url.clone(),
            occ: env!("CARGO_PKG_VERSION").to_owned(),
            places: plan.places.clone(),
            recipe: plan.recipe.clone(),
            lock: plan.lock.clone(),
            compression: plan.compression.to_string(),
            base: ReceiptBase {
                name: plan.base.name.clone(),
                digest: digest(&plan.base.name),
                decision: plan.base.decision.clone(),
                images: images(&plan.base.name),
            },
            variants: variants
                .map(|name| ReceiptVariant {
                    name: name.to_owned(),
                    digest: digest(name),
                    images: images(name),
                })
                .collect(),
            packages: packages(plan, lock),
            tags: plan.tags.clone(),
            before: plan.before.clone(),
            proofs,
            smoke,
            scans,
            judged,
            gaps: Vec::new(),
        }
    }

    /// Returns the file: the same receipt is always the same bytes.
    ///
    /// # Panics
    /// Never: what a receipt is made of always has a JSON form.
    pub fn to_json(&self) -> Vec<u8> {
        let mut bytes =
            serde_json::to_vec_pretty(self).expect("texts, numbers and maps by text become JSON");
        bytes.push(b'\n');
        bytes
    }

    /// Returns the digests of everything that it has, the lists of images.
    pub fn indexes(&self) -> Vec<&ManifestDigest> {
        let variants = self.variants.iter().map(|variant| &variant.digest);
        variants.chain([&self.base.digest]).collect()
    }

    /// Returns what a tag of it stands for.
    pub fn digest_of(&self, name: &str) -> Option<&ManifestDigest> {
        if name == self.base.name {
            return Some(&self.base.digest);
        }
        self.variants.iter().find(|variant| variant.name == name).map(|variant| &variant.digest)
    }
}

impl ReceiptImage {
    fn of(made: &MadeImage, builds: &[BuildPlan]) -> Self {
        let image = &made.image;
        let build = builds
            .iter()
            .find(|build| build.variant == image.variant && build.platform == image.platform);
        let names = build.map(layer_names).unwrap_or_default();
        let layers = image.layers.iter().zip(names).map(|(layer, name)| ReceiptLayer {
            name,
            digest: layer.blob.digest.clone(),
            size: layer.blob.size,
        });
        let tools = build.into_iter().flat_map(|build| &build.tools);
        let sizes: u64 = image.layers.iter().map(|layer| layer.blob.size).sum();
        Self {
            platform: image.platform,
            digest: made.manifest.digest().clone(),
            config: image.config_digest(),
            key: image.key.clone(),
            size: sizes + image.config().len() as u64 + made.manifest.bytes().len() as u64,
            layers: layers.collect(),
            tools: tools.map(|tool| (tool.tool.name.clone(), tool.version.clone())).collect(),
        }
    }
}

fn layer_names(build: &BuildPlan) -> Vec<String> {
    let base = build.base.layers().into_iter().map(|(name, _)| format!("base/{name}"));
    let tools = build.tools.iter().map(|tool| format!("tool/{}", tool.tool.name));
    let guest = (!build.is_base()).then(|| "guest".to_owned());
    base.chain(tools).chain(guest).collect()
}

fn packages(plan: &ReleasePlan, lock: &Lock) -> BTreeMap<String, BTreeMap<String, String>> {
    let of = |platform: &Platform| {
        let groups = lock.groups(Architecture::from(*platform));
        let pins = groups.flat_map(|group| &group.packages);
        let versions = pins.map(|pin| (pin.name.clone(), pin.version.clone())).collect();
        (platform.to_string(), versions)
    };
    plan.base.keys.iter().map(|(platform, _)| of(platform)).collect()
}

/// Returns the manifest around a receipt.
///
/// # Errors
/// When it is larger than registries take.
pub(crate) fn envelope(bytes: &[u8]) -> Result<RawManifest, occ_registry::ManifestError> {
    let kind = MediaType::Other(RECEIPT_TYPE.to_owned());
    let file = occ_oci::Descriptor::of(kind.clone(), bytes);
    let manifest = Manifest::artifact(kind, file);
    let bytes = serde_json::to_vec(&manifest).map_err(occ_registry::ManifestError::Shape)?;
    RawManifest::parse(bytes, MediaType::ImageManifest)
}

/// Reads the receipt of a release at a place; none when there is none. Nothing is verified but digests: the
/// manifest around it, which is returned too, has the signatures.
///
/// # Errors
/// [`Error`].
pub async fn fetch_receipt(
    place: &Client,
    channel: &Channel,
) -> Result<Option<(RawManifest, Receipt)>, Error> {
    let tag = receipt_tag(channel);
    let manifest = match place.resolve(&tag).await {
        Ok(resolved) => resolved.manifest,
        Err(error) if error.reason.is_not_found() => return Ok(None),
        Err(error) => return Err(error),
    };
    let wrong = |why: &'static str| {
        let registry = place.host().to_string();
        Error { registry, what: format!("receipt {tag}"), reason: Reason::Answer(why) }
    };
    let Document::Manifest(document) = manifest.document() else {
        return Err(wrong("under its name is a list"));
    };
    let file = document.layers.first().filter(|file| file.media_type.as_str() == RECEIPT_TYPE);
    let file = file.ok_or_else(|| wrong("under its name is something else"))?;
    if file.size > LIMIT {
        return Err(wrong("it is too large"));
    }
    let mut bytes = Vec::new();
    let mut stream = place.blob(file);
    while let Some(piece) = stream.next().await? {
        bytes.extend_from_slice(&piece);
    }
    let receipt: Receipt =
        serde_json::from_slice(&bytes).map_err(|_| wrong("it cannot be understood"))?;
    if receipt.format != RECEIPT_FORMAT || receipt.channel != *channel {
        return Err(wrong("it is another release's"));
    }
    Ok(Some((manifest, receipt)))
}
