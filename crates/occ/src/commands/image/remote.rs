//! What an image in a registry is, without fetching a layer of it.

use occ_image::Size;
use occ_oci::{DescribedPlatform, Digest, ImageConfig, Manifest, ManifestDigest, Reference};
use occ_registry::{Client, Document, RawManifest};
use serde::Serialize;

use super::named::resolve;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Largest configuration that is read, in bytes.
const CONFIG_LIMIT: usize = 4 << 20;

/// An image of one platform; its JSON form is a promise.
#[derive(Debug, Serialize)]
pub(super) struct RemoteImage {
    reference: String,
    digest: ManifestDigest,
    /// The list that it was named by, when it was one.
    index: Option<ManifestDigest>,
    platform: String,
    /// The id that an engine gives it.
    image_id: Digest,
    created: Option<String>,
    user: String,
    entrypoint: Vec<String>,
    command: Vec<String>,
    /// Names only: a value may be a secret of whoever made it.
    environment: Vec<String>,
    ports: Vec<String>,
    labels: std::collections::BTreeMap<String, String>,
    layers: Vec<RemoteLayer>,
}

#[derive(Debug, Serialize)]
struct RemoteLayer {
    digest: Digest,
    /// Bytes, as they are fetched.
    size: u64,
}

/// Reads all platforms of an image.
pub(super) async fn inspect(
    reference: &Reference,
    context: &Context,
) -> Result<Vec<RemoteImage>, Failure> {
    let client = context.registries()?.client(reference.repository())?;
    let root = resolve(&client, reference).await?;
    let mut images = Vec::new();
    match root.document() {
        Document::Manifest(manifest) => {
            images.push(read(&client, reference, &root, manifest, None).await?);
        }
        Document::Index(index) => {
            for listed in index.manifests.iter().filter(|one| one.artifact_type.is_none()) {
                let raw = client.described(listed).await?;
                if let Document::Manifest(manifest) = raw.document() {
                    let index = Some(root.digest().clone());
                    images.push(read(&client, reference, &raw, manifest, index).await?);
                }
            }
        }
    }
    Ok(images)
}

async fn read(
    client: &Client,
    reference: &Reference,
    raw: &RawManifest,
    manifest: &Manifest,
    index: Option<ManifestDigest>,
) -> Result<RemoteImage, Failure> {
    let bytes = client.blob_bytes(&manifest.config, CONFIG_LIMIT).await?;
    let config: ImageConfig = serde_json::from_slice(&bytes).map_err(|error| {
        Failure::new(Exit::Refused, format!("{} is no image: {error}", raw.digest()))
    })?;
    let run = config.config;
    let layers = manifest.layers.iter();
    let name = |pair: &String| pair.split('=').next().unwrap_or_default().to_owned();
    Ok(RemoteImage {
        reference: reference.to_string(),
        digest: raw.digest().clone(),
        index,
        platform: DescribedPlatform::to_string(&config.platform),
        image_id: manifest.config.digest.clone(),
        created: config.created,
        user: run.user,
        entrypoint: run.entrypoint,
        command: run.cmd,
        environment: run.env.iter().map(name).collect(),
        ports: run.exposed_ports.into_iter().collect(),
        labels: run.labels.into_iter().collect(),
        layers: layers
            .map(|layer| RemoteLayer { digest: layer.digest.clone(), size: layer.size })
            .collect(),
    })
}

impl std::fmt::Display for RemoteImage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let total: u64 = self.layers.iter().map(|layer| layer.size).sum();
        writeln!(f, "{} ({})", self.reference, self.platform)?;
        let mut line = |name: &str, value: &str| writeln!(f, "  {name:<12} {value}");
        line("digest", &self.digest.to_string())?;
        line("image id", &self.image_id.to_string())?;
        line("created", self.created.as_deref().unwrap_or("-"))?;
        line("user", if self.user.is_empty() { "root" } else { &self.user })?;
        line("entrypoint", &self.entrypoint.join(" "))?;
        line("command", &self.command.join(" "))?;
        line("environment", &self.environment.join(" "))?;
        line("ports", &self.ports.join(" "))?;
        for (label, value) in &self.labels {
            line("label", &format!("{label}={value}"))?;
        }
        for layer in &self.layers {
            line("layer", &format!("{}  {}", layer.digest, Size(layer.size)))?;
        }
        line("to fetch", &Size(total).to_string())
    }
}
