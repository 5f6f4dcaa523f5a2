//! The image that comes: its configuration, and how its layers belong to it.

use bytes::Bytes;
use occ_engine::{ImageFacts, ImageId};
use occ_layer::Compression;
use occ_oci::{Algorithm, Descriptor, DiffId, Digest, ImageConfig, Manifest, MediaType};
use occ_registry::Document;

use super::error::PullError;
use super::found::Found;

/// Largest configuration that is read, in bytes.
const CONFIG_LIMIT: u64 = 4 << 20;
/// Most layers of an image; engines take no more.
const LAYERS: usize = 127;

/// The image that comes.
#[derive(Debug)]
pub(super) struct Incoming {
    /// The configuration's bytes.
    pub(super) config: Bytes,
    /// The layers, lowest first.
    pub(super) layers: Vec<IncomingLayer>,
    digest: Digest,
    read: ImageConfig,
}

/// A layer as it travels, and what it unpacks to.
#[derive(Debug, Clone)]
pub(super) struct IncomingLayer {
    pub(super) blob: Descriptor,
    pub(super) diff_id: DiffId,
    pub(super) compression: Compression,
}

impl Incoming {
    /// Fetches the configuration and compares it with the manifest.
    pub(super) async fn read(found: &Found) -> Result<Self, PullError> {
        let Document::Manifest(manifest) = found.manifest.document() else {
            return Err(no_image(found.manifest.digest().digest(), "it is a list in a list"));
        };
        let config = &manifest.config;
        if !config.media_type.is_image_config() || manifest.artifact_type.is_some() {
            return Err(no_image(found.manifest.digest().digest(), "it is an artifact"));
        }
        if config.size > CONFIG_LIMIT {
            return Err(no_image(&config.digest, "the configuration is too large"));
        }
        let mut bytes = Vec::new();
        let mut stream = found.mirrors.blob(config);
        while let Some(piece) = stream.next().await? {
            bytes.extend_from_slice(&piece);
        }
        let read: ImageConfig = serde_json::from_slice(&bytes)
            .map_err(|error| no_image(&config.digest, &error.to_string()))?;
        if read.platform.known() != Some(found.platform) {
            let (name, platform) = (found.name.clone(), found.platform.to_string());
            let there = vec![read.platform.to_string()];
            return Err(PullError::Platform { name, platform, there });
        }
        let layers = layers(manifest, &read)?;
        Ok(Self { config: bytes.into(), layers, digest: config.digest.clone(), read })
    }

    /// Returns the id that engines give the image.
    pub(super) fn id(&self) -> ImageId {
        ImageId(self.digest.to_string())
    }

    /// Returns the image as an engine would describe it.
    pub(super) fn facts(&self, name: &str) -> ImageFacts {
        ImageFacts {
            id: self.id(),
            tags: vec![name.to_owned()],
            digests: Vec::new(),
            labels: self.read.config.labels.clone(),
            architecture: self.read.platform.architecture.clone(),
            size: self.layers.iter().map(|layer| layer.blob.size).sum(),
            created: self.read.created.clone(),
            layers: self.layers.iter().map(|layer| layer.diff_id.to_string()).collect(),
        }
    }

    /// Returns how many layers, from the lowest on, another image has just so.
    pub(super) fn shared_with(&self, others: &[String]) -> usize {
        let pairs = self.layers.iter().zip(others);
        pairs.take_while(|(layer, other)| layer.diff_id.to_string() == **other).count()
    }
}

fn layers(manifest: &Manifest, config: &ImageConfig) -> Result<Vec<IncomingLayer>, PullError> {
    let (blobs, diff_ids) = (&manifest.layers, &config.rootfs.diff_ids);
    let digest = &manifest.config.digest;
    if blobs.len() != diff_ids.len() {
        let problem =
            format!("{} layers, and {} by its configuration", blobs.len(), diff_ids.len());
        return Err(no_image(digest, &problem));
    }
    if blobs.len() > LAYERS {
        return Err(no_image(digest, &format!("it has more than {LAYERS} layers")));
    }
    let layer = |(blob, diff_id): (&Descriptor, &DiffId)| {
        let compression = match blob.media_type {
            MediaType::LayerTar | MediaType::DockerLayerTar => Compression::None,
            MediaType::LayerGzip | MediaType::DockerLayerGzip => Compression::Gzip,
            MediaType::LayerZstd => Compression::Zstd,
            ref other => return Err(no_image(&blob.digest, &format!("{other} is no layer"))),
        };
        let is_known = |digest: &Digest| digest.algorithm() == Algorithm::Sha256;
        if !is_known(&blob.digest) || !is_known(diff_id.digest()) {
            return Err(no_image(&blob.digest, "engines take layers by their SHA-256 only"));
        }
        let (blob, diff_id) = (blob.clone(), diff_id.clone());
        Ok(IncomingLayer { blob, diff_id, compression })
    };
    blobs.iter().zip(diff_ids).map(layer).collect()
}

fn no_image(digest: &Digest, problem: &str) -> PullError {
    PullError::NoImage { digest: digest.clone(), problem: problem.to_owned() }
}
