//! One image of a layout, as people ask about it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::AtomicBool;

use occ_oci::{Digest, MediaType};
use serde::Serialize;

use crate::layout::{LayoutError, StoredImage};
use crate::seen::Seen;
use crate::size::Size;

/// Version of [`Inspection`] as JSON.
const VERSION: u32 = 1;
/// Wasted files that are shown to people; all of them are in the value.
const SHOWN: usize = 10;

/// What there is to say about an image. `Display` shows it to people, `Serialize` to programs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inspection {
    /// Version of this form.
    pub version: u32,
    /// The entry it was found by.
    pub entry: String,
    /// Digest of its manifest.
    pub digest: Digest,
    /// Digest of its configuration.
    pub config: Digest,
    /// What it runs on, such as `linux/amd64`.
    pub platform: String,
    /// When it was made, as RFC 3339.
    pub created: Option<String>,
    /// As whom a container runs; empty for root.
    pub user: String,
    /// Where it starts.
    pub working_dir: String,
    /// With which program it starts.
    pub entrypoint: Vec<String>,
    /// With which arguments, if nobody gives others.
    pub cmd: Vec<String>,
    /// Environment, as `NAME=VALUE`.
    pub env: Vec<String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Layers, lowest first.
    pub layers: Vec<LayerInspection>,
    /// Bytes of all layers as they travel.
    pub size: u64,
    /// Bytes of all layers' archives.
    pub unpacked: u64,
    /// Paths that are seen.
    pub paths: usize,
    /// Bytes that nobody sees.
    pub waste: Waste,
    /// Whether the layout has its bill of materials.
    pub sbom: bool,
}

/// A layer of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LayerInspection {
    /// Digest of its blob.
    pub digest: Digest,
    /// Digest of its archive.
    pub diff_id: Digest,
    /// How it travels.
    pub media_type: MediaType,
    /// Bytes as it travels.
    pub size: u64,
    /// Bytes of its archive.
    pub unpacked: u64,
    /// How it came to be, in its maker's words.
    pub history: String,
}

/// Bytes in layers that upper layers hide.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Waste {
    /// Bytes that nobody sees.
    pub bytes: u64,
    /// The part of all files' bytes that is seen, in percent.
    pub efficiency: f64,
    /// The files, largest first.
    pub files: Vec<WastedFile>,
}

/// A file that an upper layer replaces or removes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct WastedFile {
    /// Its path, without a leading `/`.
    pub path: String,
    /// Its layer, counted from the lowest, which is 0.
    pub layer: usize,
    /// The layer that hides it.
    pub hidden_by: usize,
    /// Its size in bytes.
    pub size: u64,
}

/// Looks at an image: its documents, and every file of its layers. All of them are verified.
///
/// # Errors
/// [`LayoutError`].
pub fn inspect(image: &StoredImage, cancel: &AtomicBool) -> Result<Inspection, LayoutError> {
    let seen = Seen::through(image, cancel)?;
    let history = image.config.layer_history();
    let layers: Vec<LayerInspection> = image
        .layers()
        .zip(&seen.unpacked)
        .zip(history)
        .map(|(((layer, diff_id), unpacked), history)| LayerInspection {
            digest: layer.digest.clone(),
            diff_id: diff_id.digest().clone(),
            media_type: layer.media_type.clone(),
            size: layer.size,
            unpacked: *unpacked,
            history: history.to_owned(),
        })
        .collect();
    let run = image.config.config.clone();
    Ok(Inspection {
        version: VERSION,
        entry: image.entry.clone(),
        digest: image.descriptor.digest.clone(),
        config: image.manifest.config.digest.clone(),
        platform: image.config.platform.to_string(),
        created: image.config.created.clone(),
        user: run.user,
        working_dir: run.working_dir,
        entrypoint: run.entrypoint,
        cmd: run.cmd,
        env: run.env,
        labels: run.labels,
        size: layers.iter().map(|layer| layer.size).sum(),
        unpacked: layers.iter().map(|layer| layer.unpacked).sum(),
        layers,
        paths: seen.entries().count(),
        waste: waste(&seen),
        sbom: image.sbom()?.is_some(),
    })
}

fn waste(seen: &Seen) -> Waste {
    let contents = &seen.contents;
    let mut files: Vec<WastedFile> = contents
        .waste()
        .iter()
        .map(|file| WastedFile {
            path: file.path.clone(),
            layer: file.layer,
            hidden_by: file.hidden_by,
            size: file.size,
        })
        .collect();
    files.sort_by(|one, other| other.size.cmp(&one.size).then_with(|| one.cmp(other)));
    Waste { bytes: contents.wasted(), efficiency: contents.efficiency() * 100.0, files }
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} ({})", self.entry, self.platform)?;
        writeln!(f, "  manifest       {}", self.digest)?;
        writeln!(f, "  configuration  {}", self.config)?;
        for (name, value) in [
            ("created", self.created.as_deref().unwrap_or_default()),
            ("user", &self.user),
            ("folder", &self.working_dir),
            ("entrypoint", &self.entrypoint.join(" ")),
            ("command", &self.cmd.join(" ")),
        ] {
            if !value.is_empty() {
                writeln!(f, "  {name:13}  {value}")?;
            }
        }
        writeln!(f, "\nlayers ({}; {} unpacked)", Size(self.size), Size(self.unpacked))?;
        for (number, layer) in self.layers.iter().enumerate() {
            let (size, unpacked) = (Size(layer.size), Size(layer.unpacked));
            let LayerInspection { digest, history, .. } = layer;
            writeln!(f, "{number:4} {size:>10} {unpacked:>10}  {}  {history}", digest.short())?;
        }
        let Waste { bytes, efficiency, files } = &self.waste;
        writeln!(f, "\nefficiency {efficiency:.1} %, {} wasted", Size(*bytes))?;
        for WastedFile { path, layer, hidden_by, size } in files.iter().take(SHOWN) {
            writeln!(f, "{:>15}  {path} (layer {layer}, hidden by {hidden_by})", Size(*size))?;
        }
        if files.len() > SHOWN {
            writeln!(f, "{:>15}  and {} more", "", files.len() - SHOWN)?;
        }
        show_map(f, "labels", self.labels.iter().map(|(name, value)| format!("{name}={value}")))?;
        show_map(f, "environment", self.env.iter().cloned())
    }
}

fn show_map(
    f: &mut fmt::Formatter<'_>,
    title: &str,
    lines: impl ExactSizeIterator<Item = String>,
) -> fmt::Result {
    if lines.len() > 0 {
        writeln!(f, "\n{title}")?;
    }
    lines.into_iter().try_for_each(|line| writeln!(f, "  {line}"))
}
