//! Archives that engines load: what `docker save` writes, and at once an OCI layout (image spec, "Image
//! Layout").

use std::io::Read;

use occ_engine::ImageId;
use occ_image::{Archive, ArchivePart};
use occ_oci::{ANNOTATION_REF_NAME, Digest, Index};
use serde_json::json;

use super::PART;
use super::found::Found;
use super::incoming::{Incoming, IncomingLayer};

/// A layer's bytes, as they go into an archive.
pub(super) struct Content {
    /// Which layer.
    pub(super) layer: usize,
    /// How many.
    pub(super) size: u64,
    pub(super) bytes: Box<dyn Read + Send>,
}

/// Returns where an archive has a blob.
fn path(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm().name(), digest.hex())
}

fn layer(incoming: &Incoming, content: Content) -> ArchivePart {
    let path = path(&incoming.layers[content.layer].blob.digest);
    ArchivePart::reader(&path, content.size, content.bytes)
}

/// Returns the image with some of its layers; the engine has the others.
pub(super) fn finished(incoming: &Incoming, name: &str, contents: Vec<Content>) -> Archive {
    let config = incoming.config.to_vec();
    partial(incoming, config, Some(name), incoming.layers.len(), contents)
}

/// Returns an image of the lowest layers alone, with its id. It is there to hold what the engine has of the image
/// so far, and nobody runs it.
pub(super) fn unfinished(
    incoming: &Incoming,
    upto: usize,
    contents: Vec<Content>,
) -> (Archive, ImageId) {
    let diff_ids: Vec<_> = incoming.layers[..upto].iter().map(|layer| &layer.diff_id).collect();
    let facts = incoming.facts("");
    let config = json!({
        "architecture": facts.architecture,
        "os": "linux",
        "config": { "Labels": { occ_image::guest::LABEL_CONTRACT: PART } },
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
    });
    let config = config.to_string().into_bytes();
    let id = ImageId(Digest::sha256(&config).to_string());
    (partial(incoming, config, None, upto, contents), id)
}

fn partial(
    incoming: &Incoming,
    config: Vec<u8>,
    name: Option<&str>,
    upto: usize,
    contents: Vec<Content>,
) -> Archive {
    let config_path = path(&Digest::sha256(&config));
    let manifest = docker_manifest(&config_path, name, &incoming.layers[..upto]);
    let documents =
        [ArchivePart::bytes("manifest.json", manifest), ArchivePart::bytes(&config_path, config)];
    let layers = contents.into_iter().map(|content| layer(incoming, content));
    Archive::new(documents.into_iter().chain(layers).collect())
}

/// Returns the image with all its layers, in both forms and as it is in the registry.
pub(super) fn whole(
    incoming: &Incoming,
    found: &Found,
    name: &str,
    contents: Vec<Content>,
) -> Archive {
    let config_path = path(&Digest::sha256(&incoming.config));
    let manifest = &found.manifest;
    let layout = json!({ "imageLayoutVersion": "1.0.0" }).to_string().into_bytes();
    let mut parts = vec![
        ArchivePart::bytes("oci-layout", layout),
        ArchivePart::bytes("index.json", index(found, name)),
        ArchivePart::bytes(
            "manifest.json",
            docker_manifest(&config_path, Some(name), &incoming.layers),
        ),
        ArchivePart::bytes(&config_path, incoming.config.to_vec()),
        ArchivePart::bytes(&path(manifest.digest().digest()), manifest.bytes().to_vec()),
    ];
    parts.extend(contents.into_iter().map(|content| layer(incoming, content)));
    Archive::new(parts)
}

fn index(found: &Found, name: &str) -> Vec<u8> {
    let mut described = found.manifest.descriptor();
    let tag = name.rsplit_once(':').map_or("latest", |(_, tag)| tag);
    described.platform = Some(found.platform.into());
    described.annotations = [
        ("io.containerd.image.name".to_owned(), format!("docker.io/library/{name}")),
        (ANNOTATION_REF_NAME.to_owned(), tag.to_owned()),
    ]
    .into();
    json!(Index::new(vec![described])).to_string().into_bytes()
}

/// What an engine before 25 reads.
fn docker_manifest(config: &str, name: Option<&str>, layers: &[IncomingLayer]) -> Vec<u8> {
    let layers: Vec<String> = layers.iter().map(|layer| path(&layer.blob.digest)).collect();
    let names = name.map(|name| vec![name]);
    json!([{ "Config": config, "RepoTags": names, "Layers": layers }]).to_string().into_bytes()
}
