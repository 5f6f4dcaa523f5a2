//! Images and what refers to them, made for one test.

use bytes::Bytes;
use occ_oci::{Descriptor, Index, Manifest, MediaType};
use occ_registry::{Client, RawManifest};

/// An image of one layer.
pub(crate) struct Image {
    pub(crate) blobs: Vec<(Descriptor, Bytes)>,
    pub(crate) manifest: RawManifest,
}

/// Makes an image whose bytes all depend on `name`.
pub(crate) fn image(name: &str) -> Image {
    let config = format!(
        r#"{{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":[]}},"x":"{name}"}}"#
    );
    let layer = format!("the layer of {name}");
    let config = blob(MediaType::ImageConfig, config);
    let layer = blob(MediaType::LayerTar, layer);
    let manifest = Manifest::new(config.0.clone(), vec![layer.0.clone()]);
    // Other people's bytes are not ours: spaces and fields that nobody knows.
    let text = serde_json::to_string(&manifest).expect("JSON");
    let text = text.replacen('{', "{ \"unknown\": [1,  2],", 1);
    Image { blobs: vec![config, layer], manifest: raw(text, MediaType::ImageManifest) }
}

pub(crate) fn blob(media_type: MediaType, bytes: impl Into<Bytes>) -> (Descriptor, Bytes) {
    let bytes = bytes.into();
    (Descriptor::of(media_type, &bytes), bytes)
}

pub(crate) fn raw(text: impl Into<Bytes>, media_type: MediaType) -> RawManifest {
    RawManifest::parse(text, media_type).expect("a manifest")
}

/// Makes a list of manifests.
pub(crate) fn index(of: &[&RawManifest]) -> RawManifest {
    let listed = of.iter().map(|manifest| manifest.descriptor()).collect();
    raw(serde_json::to_vec(&Index::new(listed)).expect("JSON"), MediaType::ImageIndex)
}

/// Makes something about a manifest: a file of this kind, with an empty configuration.
pub(crate) fn about(subject: &RawManifest, kind: &str, text: &str) -> Image {
    let file = blob(kind.parse().expect("a type"), text.to_owned());
    let config = blob(MediaType::Empty, Manifest::EMPTY);
    let mut subject = subject.descriptor();
    subject.artifact_type = None;
    subject.annotations.clear();
    let mut manifest = Manifest::attached(kind.parse().expect("a type"), file.0.clone(), subject);
    manifest.annotations.insert("of".to_owned(), text.to_owned());
    let text = serde_json::to_vec(&manifest).expect("JSON");
    Image { blobs: vec![config, file], manifest: raw(text, MediaType::ImageManifest) }
}

impl Image {
    /// Pushes the blobs.
    pub(crate) async fn push_blobs(&self, client: &Client) {
        for (descriptor, bytes) in &self.blobs {
            client.push_blob(descriptor, &mut bytes.clone(), None).await.expect("a push");
        }
    }

    /// Pushes the blobs and the manifest, under its digest.
    pub(crate) async fn push(&self, client: &Client) {
        self.push_blobs(client).await;
        client.push_manifest(&self.manifest).await.expect("a push");
    }

    /// Pushes the blobs and lists the manifest with what it is about.
    pub(crate) async fn attach(&self, client: &Client) {
        self.push_blobs(client).await;
        client.attach(&self.manifest).await.expect("a push");
    }
}

/// Sorted digests of what is listed.
pub(crate) fn digests(listed: &[Descriptor]) -> Vec<String> {
    let mut digests: Vec<_> = listed.iter().map(|listed| listed.digest.to_string()).collect();
    digests.sort();
    digests
}

/// Sorted digests of images' manifests.
pub(crate) fn digests_of(images: &[&Image]) -> Vec<String> {
    let mut digests: Vec<_> =
        images.iter().map(|image| image.manifest.digest().to_string()).collect();
    digests.sort();
    digests
}
