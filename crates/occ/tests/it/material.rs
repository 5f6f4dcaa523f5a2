//! Images made for one test: a layout on disk, and the same in a registry of this process.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use occ_image::guest;
use occ_oci::{Descriptor, Digest, Index, Manifest, MediaType};
use occ_testkit::{Change, FakeRegistry};
use serde_json::json;

/// The repository that images of ours have.
pub(crate) const REPOSITORY: &str = "prizz/opencode-cloud-sandbox";

/// An image of this machine's platform.
#[derive(Clone)]
pub(crate) struct Image {
    pub(crate) config: Vec<u8>,
    pub(crate) layers: Vec<Vec<u8>>,
    pub(crate) manifest: Vec<u8>,
}

/// Returns an archive with one file, compressed.
pub(crate) fn layer(path: &str, bytes: &[u8]) -> (Vec<u8>, Digest) {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    archive.append_data(&mut header, path, bytes).unwrap();
    let archive = archive.into_inner().unwrap();
    let mut compressed = GzEncoder::new(Vec::new(), Compression::fast());
    compressed.write_all(&archive).unwrap();
    (compressed.finish().unwrap(), Digest::sha256(&archive))
}

pub(crate) fn architecture() -> &'static str {
    if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" }
}

/// Returns an image of ours with a layer for each text.
pub(crate) fn image(texts: &[&str]) -> Image {
    let layers = texts.iter().map(|text| layer(&format!("{}.txt", text.len()), text.as_bytes()));
    image_of(layers.collect())
}

/// Returns an image of ours with these layers, each with what it is said to unpack to.
pub(crate) fn image_of(layers: Vec<(Vec<u8>, Digest)>) -> Image {
    let (layers, diff_ids): (Vec<_>, Vec<_>) = layers.into_iter().unzip();
    let labels = json!({
        guest::LABEL_CONTRACT: guest::CONTRACT_VERSION,
        guest::LABEL_VERSION: "0.0.1",
        guest::LABEL_OPENCODE: "1.0.1",
    });
    let config = json!({
        "architecture": architecture(), "os": "linux", "config": { "Labels": labels },
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
    });
    let config = config.to_string().into_bytes();
    let described = layers.iter().map(|layer| Descriptor::of(MediaType::LayerGzip, layer));
    let manifest =
        Manifest::new(Descriptor::of(MediaType::ImageConfig, &config), described.collect());
    let manifest = serde_json::to_vec(&manifest).unwrap();
    Image { config, layers, manifest }
}

impl Image {
    pub(crate) fn digest(&self) -> String {
        Digest::sha256(&self.manifest).to_string()
    }

    /// Returns the id that an engine gives it.
    pub(crate) fn id(&self) -> String {
        Digest::sha256(&self.config).to_string()
    }

    pub(crate) fn blob(&self, layer: usize) -> String {
        Digest::sha256(&self.layers[layer]).to_string()
    }

    /// Puts it into a registry under a tag.
    pub(crate) fn publish(&self, registry: &FakeRegistry, tag: &str) {
        self.publish_in(registry, tag, MediaType::ImageManifest, &self.manifest);
    }

    /// Puts its blobs into a registry, and a document under a tag.
    pub(crate) fn publish_in(
        &self,
        registry: &FakeRegistry,
        tag: &str,
        media_type: MediaType,
        document: &[u8],
    ) {
        for bytes in self.layers.iter().chain([&self.config]) {
            let (repository, bytes) = (REPOSITORY.to_owned(), bytes.clone());
            registry.change(Change::Blob { repository, bytes });
        }
        let digest = self.digest();
        let manifest = (digest.as_str(), MediaType::ImageManifest, self.manifest.as_slice());
        for (name, media_type, bytes) in [manifest, (tag, media_type, document)] {
            registry.change(Change::Put {
                repository: REPOSITORY.to_owned(),
                name: name.to_owned(),
                media_type: media_type.to_string(),
                bytes: bytes.to_vec(),
            });
        }
    }

    /// Writes a layout in which an entry of this name lists it, with a bill of materials; returns the list's
    /// digest.
    pub(crate) fn write_layout(&self, folder: &Path, name: &str) -> String {
        let mut manifest = Descriptor::of(MediaType::ImageManifest, &self.manifest);
        let subject = manifest.clone();
        manifest.platform = Some(
            serde_json::from_value(json!({
                "architecture": architecture(), "os": "linux",
            }))
            .unwrap(),
        );
        let index = serde_json::to_vec(&Index::new(vec![manifest])).unwrap();
        let file = Descriptor::of(MediaType::CycloneDx, SBOM);
        let about = Manifest::attached(MediaType::CycloneDx, file, subject);
        let about = serde_json::to_vec(&about).unwrap();
        let mut listed = Descriptor::of(MediaType::ImageIndex, &index);
        let digest = listed.digest.to_string();
        listed.annotations = [(occ_oci::ANNOTATION_REF_NAME.to_owned(), name.to_owned())].into();
        let mut sbom = Descriptor::of(MediaType::ImageManifest, &about);
        sbom.artifact_type = Some(MediaType::CycloneDx);
        let blobs = folder.join("blobs/sha256");
        fs::create_dir_all(&blobs).unwrap();
        let parts = [
            &self.config,
            &self.manifest,
            &index,
            &about,
            &SBOM.to_vec(),
            &Manifest::EMPTY.to_vec(),
        ];
        for bytes in parts.into_iter().chain(&self.layers) {
            fs::write(blobs.join(Digest::sha256(bytes).hex()), bytes).unwrap();
        }
        let entries = serde_json::to_vec(&Index::new(vec![listed, sbom])).unwrap();
        fs::write(folder.join("index.json"), entries).unwrap();
        fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        digest
    }
}

const SBOM: &[u8] = br#"{"bomFormat":"CycloneDX","specVersion":"1.6"}"#;
