//! The finished image: immutable configuration, manifest and layers.

use std::collections::BTreeMap;
use std::io;

use occ_oci::{ANNOTATION_REF_NAME, Descriptor, Digest, Index, Manifest, MediaType, Platform};
use serde::Serialize;
use serde_json::json;

use crate::archive::{Archive, Part};
use crate::cache::Layer;
use crate::config::ImageConfig;
use crate::key::BuildKey;
use crate::plan::BuildPlan;
use crate::sbom;

/// An image whose layers are files in a cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Name it gets in an engine.
    pub name: String,
    /// Key of the plan it was made from.
    pub key: BuildKey,
    /// For which platform it is.
    pub platform: Platform,
    /// Which variant of the recipe it is.
    pub variant: String,
    /// Labels, which are also the annotations of its manifest.
    pub labels: BTreeMap<String, String>,
    /// Layers, lowest first.
    pub layers: Vec<Layer>,
    config: Vec<u8>,
    sbom: Vec<u8>,
}

impl Image {
    /// Puts the layers of a plan, lowest first and each with its line of history, together; `binary` is the digest
    /// of the opencode in them.
    pub fn assemble(
        plan: &BuildPlan,
        layers: Vec<(Layer, String)>,
        binary: Option<&Digest>,
    ) -> Self {
        let labels = plan.labels_with(binary);
        let mut config = ImageConfig::new(plan, labels.clone());
        let mut kept = Vec::new();
        for (layer, history) in layers {
            config.push_layer(&layer.diff_id, history);
            kept.push(layer);
        }
        Self {
            name: plan.name(),
            key: plan.key(),
            platform: plan.platform,
            variant: plan.variant.clone(),
            labels,
            layers: kept,
            config: config.to_json(),
            sbom: sbom::render(plan),
        }
    }

    /// Returns the bytes of the configuration.
    pub fn config(&self) -> &[u8] {
        &self.config
    }

    /// Returns the bill of materials (`CycloneDX` 1.6, JSON).
    pub fn sbom(&self) -> &[u8] {
        &self.sbom
    }

    /// Returns the manifest over the layers in the form in which they are kept: what layouts and registries
    /// have.
    pub fn manifest(&self) -> Manifest {
        self.manifest_over(|layer| {
            let media_type = match layer.blob.compression {
                occ_layer::Compression::None => MediaType::LayerTar,
                occ_layer::Compression::Gzip => MediaType::LayerGzip,
                occ_layer::Compression::Zstd => MediaType::LayerZstd,
            };
            Descriptor::new(media_type, layer.blob.digest.digest().clone(), layer.blob.size)
        })
    }

    /// Returns the manifest over uncompressed layers: what [`Self::archive`] has. With layers that are kept
    /// uncompressed it is [`Self::manifest`].
    pub fn archive_manifest(&self) -> Manifest {
        self.manifest_over(|layer| {
            Descriptor::new(MediaType::LayerTar, layer.diff_id.digest().clone(), layer.size)
        })
    }

    fn manifest_over(&self, describe: impl FnMut(&Layer) -> Descriptor) -> Manifest {
        let config = Descriptor::of(MediaType::ImageConfig, &self.config);
        let mut manifest = Manifest::new(config, self.layers.iter().map(describe).collect());
        manifest.annotations.clone_from(&self.labels);
        manifest
    }

    /// Returns the digest of the configuration, which an engine without a containerd store calls the image's
    /// id.
    pub fn config_digest(&self) -> Digest {
        Digest::sha256(&self.config)
    }

    /// Returns the digest of [`Self::manifest`], by which layouts and registries know the image.
    pub fn manifest_digest(&self) -> Digest {
        Digest::sha256(&json(&self.manifest()))
    }

    /// Returns the digest of [`Self::archive_manifest`], which an engine with a containerd store that loaded
    /// the archive calls the image's id.
    pub fn archive_digest(&self) -> Digest {
        Digest::sha256(&json(&self.archive_manifest()))
    }

    /// Returns the image as one stream that every engine loads: an OCI layout (image spec, "Image Layout")
    /// which at once is what `docker save` writes.
    ///
    /// Layers are uncompressed, so that the engine need not do it, and verified while they pass; a damaged
    /// one ends the stream in an error.
    ///
    /// # Errors
    /// When a layer's file is gone.
    pub fn archive(&self) -> io::Result<Archive> {
        let manifest = json(&self.archive_manifest());
        let mut parts = vec![
            Part::bytes("oci-layout", json(&json!({ "imageLayoutVersion": "1.0.0" }))),
            Part::bytes("index.json", self.archive_index(&manifest)),
            Part::bytes("manifest.json", self.docker_manifest()),
            Part::bytes(&blob(&self.config_digest()), self.config.clone()),
            Part::bytes(&blob(&Digest::sha256(&manifest)), manifest),
        ];
        for layer in &self.layers {
            let path = blob(layer.diff_id.digest());
            parts.push(Part::reader(&path, layer.size, Box::new(layer.open()?)));
        }
        Ok(Archive::new(parts))
    }

    fn archive_index(&self, manifest: &[u8]) -> Vec<u8> {
        let mut described = Descriptor::of(MediaType::ImageManifest, manifest);
        let tag = self.name.rsplit_once(':').map_or("latest", |(_, tag)| tag);
        described.platform = Some(self.platform.into());
        described.annotations = BTreeMap::from([
            ("io.containerd.image.name".to_owned(), format!("docker.io/library/{}", self.name)),
            (ANNOTATION_REF_NAME.to_owned(), tag.to_owned()),
        ]);
        json(&Index::new(vec![described]))
    }

    /// What an engine before 25 reads.
    fn docker_manifest(&self) -> Vec<u8> {
        let layers: Vec<String> =
            self.layers.iter().map(|layer| blob(layer.diff_id.digest())).collect();
        let config = blob(&self.config_digest());
        json(&json!([{ "Config": config, "RepoTags": [self.name], "Layers": layers }]))
    }
}

/// Returns the one encoding of a document of an image.
pub(crate) fn json(document: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(document).expect("texts, numbers and maps by text become JSON")
}

/// Returns where a layout has a blob.
pub(crate) fn blob(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm().name(), digest.hex())
}
