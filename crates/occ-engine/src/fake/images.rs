//! Images of a fake engine: read from real archives, or made up by a test.

use std::collections::BTreeMap;
use std::io::{self, Read};

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::world::World;
use crate::context::hex;
use crate::details::{ImageDetails, ImageStep};
use crate::error::Error;
use crate::facts::ImageFacts;
use crate::image::ImageId;

/// Largest file of an archive that is kept whole: manifests, configurations, and the layers of tests.
const KEPT: u64 = 8 << 20;

/// An image, as far as a fake engine looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FakeImage {
    config: Vec<u8>,
    size: u64,
}

impl FakeImage {
    /// Makes up an image; equal labels and architecture give the same id.
    pub fn new(labels: &[(&str, &str)], architecture: &str) -> Self {
        let labels: BTreeMap<_, _> = labels.iter().copied().collect();
        let config = serde_json::json!({
            "architecture": architecture, "os": "linux", "config": { "Labels": labels },
            "rootfs": { "type": "layers", "diff_ids": [] },
        });
        Self { config: config.to_string().into_bytes(), size: 1 << 20 }
    }

    /// Makes up an image with this configuration (OCI image specification, "Image Configuration").
    pub fn configured(config: &serde_json::Value) -> Self {
        Self { config: config.to_string().into_bytes(), size: 1 << 20 }
    }

    /// Returns the configuration's bytes.
    pub fn config(&self) -> &[u8] {
        &self.config
    }

    /// Returns the id: SHA-256 of the configuration's bytes, as OCI has it.
    pub fn id(&self) -> ImageId {
        ImageId(format!("sha256:{}", hex(&Sha256::digest(&self.config))))
    }
}

/// An image in the engine, with its names.
#[derive(Debug, Clone)]
pub(super) struct KeptImage {
    pub(super) facts: ImageFacts,
    config: Vec<u8>,
    pub(super) has_health_check: bool,
    pub(super) env: Vec<String>,
    details: ImageDetails,
}

impl KeptImage {
    pub(super) fn details(&self) -> ImageDetails {
        // Names come and go.
        ImageDetails { facts: self.facts.clone(), ..self.details.clone() }
    }
}

/// `manifest.json` of an archive in `docker save` form.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SavedImage {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    #[serde(default)]
    layers: Vec<String>,
}

/// The configuration of an image.
/// SPEC: OCI image specification, "Image Configuration".
#[derive(Deserialize)]
struct Config {
    architecture: String,
    #[serde(default)]
    os: String,
    variant: Option<String>,
    author: Option<String>,
    created: Option<String>,
    #[serde(default)]
    history: Vec<Step>,
    #[serde(default, rename = "config")]
    run: Option<RunConfig>,
    #[serde(default)]
    rootfs: RootFs,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
struct RunConfig {
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
    #[serde(default)]
    env: Option<Vec<String>>,
    #[serde(default)]
    healthcheck: Option<HealthCheck>,
    #[serde(default)]
    entrypoint: Option<Vec<String>>,
    #[serde(default)]
    cmd: Option<Vec<String>>,
    #[serde(default)]
    user: Option<String>,
    #[serde(default)]
    working_dir: Option<String>,
    #[serde(default)]
    exposed_ports: Option<Names>,
    #[serde(default)]
    volumes: Option<Names>,
    #[serde(default)]
    stop_signal: Option<String>,
}

/// Names, each with an empty object.
type Names = BTreeMap<String, serde_json::Value>;

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
struct HealthCheck {
    #[serde(default)]
    test: Vec<String>,
}

#[derive(Deserialize)]
struct Step {
    created: Option<String>,
    #[serde(default)]
    created_by: String,
    comment: Option<String>,
}

#[derive(Deserialize, Default)]
struct RootFs {
    #[serde(default)]
    diff_ids: Vec<String>,
}

/// One file of an archive.
pub(super) struct Saved {
    digest: String,
    bytes: Vec<u8>,
    size: u64,
}

impl Saved {
    fn is_whole(&self) -> bool {
        self.bytes.len() as u64 == self.size
    }
}

impl World {
    pub(super) fn keep_image(&mut self, image: &FakeImage, name: &str) {
        let config = serde_json::from_slice(&image.config).expect("a fake image's configuration");
        self.keep(&image.id(), config, image.config.clone(), image.size);
        // Cannot fail: the image was put there a moment ago.
        self.name_image(&image.id(), name).expect("the image is there");
    }

    /// Returns the image with this name or id.
    pub(super) fn kept(&self, name: &str) -> Option<&KeptImage> {
        let familiar = familiar(name);
        self.images.values().find(|image| {
            image.facts.id.0 == name
                || image.facts.tags.contains(&familiar)
                || image.facts.digests.contains(&familiar)
        })
    }

    /// Keeps the images of an archive in `docker save` form.
    pub(super) fn load(&mut self, files: &BTreeMap<String, Saved>) -> Result<(), Error> {
        let file = |path: &str| {
            files.get(path).ok_or_else(|| invalid(&format!("the archive has no {path}")))
        };
        let manifest: Vec<SavedImage> = parse(&file("manifest.json")?.bytes)?;
        for saved in manifest {
            let config_file = file(&saved.config)?;
            let config: Config = parse(&config_file.bytes)?;
            let diff_ids = &config.rootfs.diff_ids;
            let known = if self.facts.skips_layers { self.known_layers(diff_ids) } else { 0 };
            let layers =
                saved.layers.iter().enumerate().map(|(place, path)| match files.get(path) {
                    None if place < known => Ok(None),
                    _ => file(path).map(Some),
                });
            let layers = layers.collect::<Result<Vec<_>, _>>()?;
            check_layers(&layers, diff_ids)?;
            let id = ImageId(format!("sha256:{}", config_file.digest));
            let size = layers.iter().flatten().map(|layer| layer.size).sum();
            for (layer, diff_id) in layers.into_iter().zip(diff_ids) {
                if let Some(layer) = layer.filter(|layer| layer.is_whole()) {
                    self.layers.insert(diff_id.clone(), layer.bytes.clone());
                }
            }
            self.keep(&id, config, config_file.bytes.clone(), size);
            for tag in saved.repo_tags.into_iter().flatten() {
                self.name_image(&id, &tag)?;
            }
        }
        Ok(())
    }

    /// Returns how many of these layers, from the lowest on, an image here has just so.
    fn known_layers(&self, diff_ids: &[String]) -> usize {
        let shared = |image: &KeptImage| {
            let pairs = image.facts.layers.iter().zip(diff_ids);
            pairs.take_while(|(one, other)| one == other).count()
        };
        self.images.values().map(shared).max().unwrap_or(0)
    }

    /// Gives an image a name, taking it from the one that had it.
    pub(super) fn name_image(&mut self, id: &ImageId, name: &str) -> Result<(), Error> {
        let name = familiar(name);
        if !self.images.contains_key(id) {
            return Err(Error::NotFound { message: format!("No such image: {id}") });
        }
        for (other, image) in &mut self.images {
            image.facts.tags.retain(|tag| *tag != name);
            if other == id {
                image.facts.tags.push(name.clone());
            }
        }
        Ok(())
    }

    pub(super) fn unname_image(&mut self, name: &str) -> Result<(), Error> {
        let Some(image) = self.kept(name) else { return Ok(()) };
        let (id, by_id) = (image.facts.id.clone(), image.facts.id.0 == name);
        let others = image.facts.tags.len().saturating_sub(usize::from(!by_id));
        if by_id && image.facts.tags.len() > 1 {
            let message = format!("{id} is referenced in multiple repositories");
            return Err(Error::Conflict { message });
        }
        let last = by_id || others == 0;
        if last && let Some(user) = self.containers.iter().find(|found| found.spec.image == id) {
            let message = format!("container {} is using its referenced image", user.spec.name);
            return Err(Error::Conflict { message });
        }
        if last {
            self.images.remove(&id);
        } else if let Some(image) = self.images.get_mut(&id) {
            let name = familiar(name);
            image.facts.tags.retain(|tag| *tag != name);
        }
        Ok(())
    }

    fn keep(&mut self, id: &ImageId, config: Config, bytes: Vec<u8>, size: u64) {
        self.images.entry(id.clone()).or_insert_with(|| kept(id, config, bytes, size));
    }

    /// Returns an archive of an image; `None` when it is not there.
    pub(super) fn save(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let Some(image) = self.kept(name) else { return Ok(None) };
        let path = |digest: &str, end: &str| format!("{}{end}", digest.replace("sha256:", ""));
        let mut files = Vec::new();
        for diff_id in &image.facts.layers {
            let layer = self.layers.get(diff_id);
            let layer = layer.ok_or_else(|| invalid(&format!("{diff_id} was not kept")))?;
            files.push((path(diff_id, "/layer.tar"), layer.as_slice()));
        }
        let config = path(&image.facts.id.0, ".json");
        let layers: Vec<_> = files.iter().map(|(path, _)| path).collect();
        let names = Some(&image.facts.tags).filter(|tags| !tags.is_empty());
        let manifest =
            serde_json::json!([{ "Config": config, "RepoTags": names, "Layers": layers }]);
        let manifest = manifest.to_string();
        files.push((config, &image.config));
        files.push(("manifest.json".to_owned(), manifest.as_bytes()));
        packed(&files)
            .map(Some)
            .map_err(|source| Error::Local { doing: "pack the image archive", source })
    }
}

fn kept(id: &ImageId, config: Config, bytes: Vec<u8>, size: u64) -> KeptImage {
    let run = config.run.unwrap_or_default();
    let facts = ImageFacts {
        id: id.clone(),
        tags: Vec::new(),
        digests: Vec::new(),
        labels: run.labels.unwrap_or_default(),
        architecture: config.architecture,
        size,
        created: config.created,
        layers: config.rootfs.diff_ids,
    };
    let said = |text: Option<String>| text.filter(|text| !text.is_empty());
    let names = |names: Option<Names>| names.unwrap_or_default().into_keys().collect();
    let (env, has_health_check) = (run.env.unwrap_or_default(), run.healthcheck.is_some());
    let details = ImageDetails {
        facts: facts.clone(),
        os: config.os,
        variant: said(config.variant),
        author: said(config.author),
        entrypoint: run.entrypoint.unwrap_or_default(),
        command: run.cmd.unwrap_or_default(),
        env: env.clone(),
        user: said(run.user),
        working_dir: said(run.working_dir),
        ports: names(run.exposed_ports),
        volumes: names(run.volumes),
        stop_signal: said(run.stop_signal),
        health_check: run.healthcheck.unwrap_or_default().test,
        history: config.history.into_iter().map(step).collect(),
    };
    KeptImage { facts, config: bytes, has_health_check, env, details }
}

fn step(step: Step) -> ImageStep {
    ImageStep {
        created: step.created.as_deref().and_then(super::date::seconds),
        created_by: step.created_by,
        size: 0,
        comment: step.comment.filter(|comment| !comment.is_empty()),
    }
}

/// Returns the name as engines show it: without what is understood by itself.
fn familiar(name: &str) -> String {
    let short = name.strip_prefix("docker.io/").unwrap_or(name);
    let short = short.strip_prefix("library/").filter(|rest| !rest.contains('/')).unwrap_or(short);
    let last = short.rsplit('/').next().unwrap_or(short);
    if last.contains([':', '@']) { short.to_owned() } else { format!("{short}:latest") }
}

pub(super) fn read_archive(archive: Box<dyn Read + Send>) -> io::Result<BTreeMap<String, Saved>> {
    let mut files = BTreeMap::new();
    let mut archive = tar::Archive::new(archive);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.to_string_lossy().trim_start_matches("./").to_owned();
        let (mut hasher, mut bytes, mut size) = (Sha256::new(), Vec::new(), 0);
        let mut piece = vec![0; 64 * 1024];
        loop {
            let read = entry.read(&mut piece)?;
            if read == 0 {
                break;
            }
            hasher.update(&piece[..read]);
            size += read as u64;
            if size <= KEPT {
                bytes.extend_from_slice(&piece[..read]);
            }
        }
        files.insert(path, Saved { digest: hex(&hasher.finalize()), bytes, size });
    }
    Ok(files)
}

/// A layer that is not compressed must be the one the configuration names.
fn check_layers(layers: &[Option<&Saved>], diff_ids: &[String]) -> Result<(), Error> {
    if layers.len() != diff_ids.len() {
        return Err(invalid("the number of layers differs from the configuration"));
    }
    for (layer, diff_id) in layers.iter().zip(diff_ids) {
        let Some(layer) = layer else { continue };
        let compressed = layer.bytes.starts_with(&[0x1f, 0x8b]);
        if !compressed && *diff_id != format!("sha256:{}", layer.digest) {
            return Err(invalid(&format!("a layer is not {diff_id}")));
        }
    }
    Ok(())
}

fn packed(files: &[(String, &[u8])]) -> io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(bytes.len() as u64);
        header.set_mtime(0);
        archive.append_data(&mut header, path, *bytes)?;
    }
    archive.into_inner()
}

fn parse<T: for<'de> Deserialize<'de>>(bytes: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(bytes).map_err(|error| invalid(&error.to_string()))
}

fn invalid(message: &str) -> Error {
    Error::Refused { status: 500, message: message.to_owned() }
}
