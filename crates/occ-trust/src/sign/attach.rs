//! Putting signatures where everybody finds them.

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use occ_oci::{Descriptor, DiffId, Digest, Manifest, ManifestDigest, MediaType};
use occ_registry::{AT_ONCE, Attached, Client, Document, Error, RawManifest, Reason};
use serde_json::json;

use super::Bundle;
use super::legacy::LegacySignature;
use crate::discover::{SIMPLE_SIGNING, bundle_type, legacy_tag};
use crate::evidence::Channel;

const ANNOTATION_CONTENT: &str = "dev.sigstore.bundle.content";
const ANNOTATION_PREDICATE: &str = "dev.sigstore.bundle.predicateType";
const ANNOTATION_CREATED: &str = "org.opencontainers.image.created";

/// Something that was attached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// To what.
    pub subject: ManifestDigest,
    /// What: the manifest around it.
    pub referrer: ManifestDigest,
    /// How it is listed.
    pub listed: Attached,
}

/// Makes the manifest around a bundle; the same input gives the same bytes.
///
/// # Errors
/// When the manifest cannot be written.
pub fn referrer(
    bundle: &Bundle,
    subject: &RawManifest,
    created: Timestamp,
) -> Result<RawManifest, occ_registry::ManifestError> {
    let kind = bundle_type();
    let file = Descriptor::of(kind.clone(), bundle.bytes());
    let mut of = subject.descriptor();
    (of.artifact_type, of.platform) = (None, None);
    of.annotations.clear();
    let mut manifest = Manifest::attached(kind, file, of);
    let annotations = [
        (ANNOTATION_CONTENT, "dsse-envelope".to_owned()),
        (ANNOTATION_PREDICATE, bundle.predicate_type().to_owned()),
        (ANNOTATION_CREATED, created.to_string()),
    ];
    manifest.annotations.extend(annotations.map(|(name, value)| (name.to_owned(), value)));
    let bytes = serde_json::to_vec(&manifest).map_err(occ_registry::ManifestError::Shape)?;
    RawManifest::parse(bytes, MediaType::ImageManifest)
}

/// Attaches a bundle to every manifest that it is about. It may be done again, and changes nothing then.
///
/// # Errors
/// [`Error`]; what was attached before stays.
pub async fn attach(
    client: &Client,
    bundle: &Bundle,
    subjects: &[&RawManifest],
    created: Timestamp,
) -> Result<Vec<Attachment>, Error> {
    attach_all(client, &[(bundle, subjects.to_vec())], created).await
}

/// Attaches several bundles, each to every manifest that it is about: much quicker than one after the other where a
/// registry's lists have to be waited for.
///
/// # Errors
/// [`Error`]; what was attached before stays.
pub async fn attach_all(
    client: &Client,
    bundles: &[(&Bundle, Vec<&RawManifest>)],
    created: Timestamp,
) -> Result<Vec<Attachment>, Error> {
    let (mut manifests, mut about) = (Vec::new(), Vec::new());
    push(client, &MediaType::Empty, &Bytes::from_static(Manifest::EMPTY)).await?;
    let kind = bundle_type();
    // Whoever sends this to another thread needs futures that are there already.
    let sending: Vec<_> =
        bundles.iter().map(|(bundle, _)| push(client, &kind, bundle.bytes())).collect();
    stream::iter(sending).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
    for (bundle, subjects) in bundles {
        for subject in subjects {
            let made = referrer(bundle, subject, created);
            manifests.push(made.map_err(|error| wrong(client, error))?);
            about.push(subject.digest().clone());
        }
    }
    let listed = client.attach_all(&manifests).await?;
    let all = about.into_iter().zip(&manifests).zip(listed);
    let attached = all.map(|((subject, manifest), listed)| Attachment {
        subject,
        referrer: manifest.digest().clone(),
        listed,
    });
    Ok(attached.collect())
}

/// Adds a signature of cosign's first form to the tag where its readers look.
///
/// The tag has no lock. It is read back, and written again where another writer has lost the signature.
///
/// # Errors
/// [`Error`]; [`Reason::Contended`] when that happens again and again.
pub async fn attach_legacy(
    client: &Client,
    signature: &LegacySignature,
    subject: &RawManifest,
) -> Result<(), Error> {
    let tag = legacy_tag(subject.digest(), Channel::LegacySignatures);
    let tag = tag.map_err(|error| wrong(client, error))?;
    let kind = simple_signing();
    let mut layer = Descriptor::of(kind.clone(), signature.payload());
    layer.annotations = signature.annotations().clone();
    push(client, &kind, signature.payload()).await?;
    for _ in 0..10 {
        let mut layers = match client.resolve(&tag).await {
            Ok(there) => match there.manifest.document() {
                Document::Manifest(manifest) => manifest.layers.clone(),
                Document::Index(_) => {
                    return Err(wrong(client, "the tag for signatures holds an index"));
                }
            },
            Err(error) if error.reason.is_not_found() => Vec::new(),
            Err(error) => return Err(error),
        };
        if layers.contains(&layer) {
            return Ok(());
        }
        layers.push(layer.clone());
        let config = legacy_config(&layers);
        let config_type = MediaType::ImageConfig;
        push(client, &config_type, &config).await?;
        let manifest = Manifest::new(Descriptor::of(config_type, &config), layers);
        let bytes = serde_json::to_vec(&manifest).map_err(|error| wrong(client, error))?;
        let manifest = RawManifest::parse(bytes, MediaType::ImageManifest)
            .map_err(|error| wrong(client, error))?;
        client.tag(&manifest, &tag).await?;
    }
    let what = format!("tag {tag}");
    Err(Error { registry: client.host().to_string(), what, reason: Reason::Contended })
}

fn simple_signing() -> MediaType {
    MediaType::Other(SIMPLE_SIGNING.to_owned())
}

/// Writes the configuration that the first form has, because its manifest is called an image's.
fn legacy_config(layers: &[Descriptor]) -> Bytes {
    let ids: Vec<_> = layers.iter().map(|layer| DiffId::new(layer.digest.clone())).collect();
    let config = json!({
        "architecture": "",
        "config": {},
        "created": "0001-01-01T00:00:00Z",
        "history": layers.iter().map(|_| json!({ "created": "0001-01-01T00:00:00Z" })).collect::<Vec<_>>(),
        "os": "",
        "rootfs": { "type": "layers", "diff_ids": ids },
    });
    config.to_string().into()
}

async fn push(client: &Client, kind: &MediaType, bytes: &Bytes) -> Result<(), Error> {
    let blob = Descriptor::new(kind.clone(), Digest::sha256(bytes), bytes.len() as u64);
    client.push_blob(&blob, &mut bytes.clone(), None).await.map(drop)
}

fn wrong(client: &Client, error: impl Into<occ_registry::Cause>) -> Error {
    let registry = client.host().to_string();
    Error { registry, what: "a signature".to_owned(), reason: Reason::Source(error.into()) }
}
