//! The finished image: immutable configuration, manifest and layers.

use std::collections::BTreeMap;
use std::io;

use occ_oci::{Digest, Platform};
use serde_json::json;

use crate::archive::{Archive, Part};
use crate::cache::Layer;
use crate::key::BuildKey;
use crate::plan::BuildPlan;

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// An image whose layers are files in a cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Name it gets in an engine.
    pub name: String,
    /// Key of the plan it was made from.
    pub key: BuildKey,
    /// For which platform it is.
    pub platform: Platform,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Layers, lowest first.
    pub layers: Vec<Layer>,
    config: Vec<u8>,
    manifest: Vec<u8>,
}

impl Image {
    /// Puts layers, lowest first and each with its line of history, together.
    pub(crate) fn assemble(plan: &BuildPlan, layers: Vec<(Layer, String)>) -> Self {
        let mut config = plan.config();
        let mut kept = Vec::new();
        for (layer, history) in layers {
            config.push_layer(&layer.diff_id, history);
            kept.push(layer);
        }
        let config = config.to_json();
        let described: Vec<_> = kept
            .iter()
            .map(|layer| {
                let digest = layer.diff_id.to_string();
                json!({ "mediaType": LAYER, "digest": digest, "size": layer.size })
            })
            .collect();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": describe(CONFIG, &config),
            "layers": described,
        });
        Self {
            name: plan.name(),
            key: plan.key(),
            platform: plan.platform,
            labels: plan.labels(),
            layers: kept,
            config,
            manifest: manifest.to_string().into_bytes(),
        }
    }

    /// Returns the digest of the configuration, which an engine without a containerd store calls the image's
    /// id.
    pub fn config_digest(&self) -> Digest {
        Digest::sha256(&self.config)
    }

    /// Returns the digest of the manifest, which an engine with one calls so.
    pub fn manifest_digest(&self) -> Digest {
        Digest::sha256(&self.manifest)
    }

    /// Returns the image as one stream that every engine loads: an OCI layout (image spec, "Image Layout")
    /// which at once is what `docker save` writes.
    ///
    /// Layers are verified while they pass; a damaged one ends the stream in an error.
    ///
    /// # Errors
    /// When a layer's file is gone.
    pub fn archive(&self) -> io::Result<Archive> {
        let mut parts = vec![
            Part::bytes("oci-layout", json!({ "imageLayoutVersion": "1.0.0" }).to_string().into()),
            Part::bytes("index.json", self.index()),
            Part::bytes("manifest.json", self.docker_manifest()),
            Part::bytes(&blob(&self.config_digest()), self.config.clone()),
            Part::bytes(&blob(&self.manifest_digest()), self.manifest.clone()),
        ];
        for layer in &self.layers {
            let path = blob(layer.diff_id.digest());
            parts.push(Part::reader(&path, layer.size, Box::new(layer.open()?)));
        }
        Ok(Archive::new(parts))
    }

    fn index(&self) -> Vec<u8> {
        let mut described = describe(MANIFEST, &self.manifest);
        let tag = self.name.rsplit_once(':').map_or("latest", |(_, tag)| tag);
        let platform = &self.platform;
        described["platform"] =
            json!({ "architecture": platform.architecture(), "os": platform.os() });
        described["annotations"] = json!({
            "io.containerd.image.name": format!("docker.io/library/{}", self.name),
            "org.opencontainers.image.ref.name": tag,
        });
        json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [described] })
            .to_string()
            .into_bytes()
    }

    /// What an engine before 25 reads.
    fn docker_manifest(&self) -> Vec<u8> {
        let layers: Vec<String> =
            self.layers.iter().map(|layer| blob(layer.diff_id.digest())).collect();
        let config = blob(&self.config_digest());
        json!([{ "Config": config, "RepoTags": [self.name], "Layers": layers }])
            .to_string()
            .into_bytes()
    }
}

fn describe(media_type: &str, bytes: &[u8]) -> serde_json::Value {
    let digest = Digest::sha256(bytes).to_string();
    json!({ "mediaType": media_type, "digest": digest, "size": bytes.len() })
}

fn blob(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm().name(), digest.hex())
}
