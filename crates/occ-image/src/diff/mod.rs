//! What is different between two images, whoever made them.

mod files;
mod packages;
mod settings;
mod text;

use std::sync::atomic::AtomicBool;

use occ_oci::{DiffId, Digest};
use serde::Serialize;

pub use files::{FileChange, FileState};
pub use packages::{Inventory, PackageChange, PackageKind};
pub use settings::SettingChange;

use crate::layout::{LayoutError, StoredImage};
use crate::seen::Seen;

/// Version of [`Difference`] as JSON.
const VERSION: u32 = 1;

/// What is different between two images. `Display` shows it to people, with `{:#}` every file; `Serialize`
/// to programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Version of this form.
    pub version: u32,
    /// The first image.
    pub before: Side,
    /// The second image.
    pub after: Side,
    /// Whether the two are one image.
    pub identical: bool,
    /// Layers that both have, and those that only one has.
    pub layers: LayerChanges,
    /// Where the packages of both are known from.
    pub inventory: Inventory,
    /// Packages in other versions, by kind and name. Tools of the workshop are a kind of their own.
    pub packages: Vec<PackageChange>,
    /// Settings of containers, by name.
    pub settings: Vec<SettingChange>,
    /// Files, folders and links, by path.
    pub files: Vec<FileChange>,
}

/// One of two images.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Side {
    /// The entry it was found by.
    pub entry: String,
    /// What it runs on.
    pub platform: String,
    /// Digest of its manifest.
    pub digest: Digest,
    /// Bytes of its layers as they travel.
    pub size: u64,
    /// Bytes of its layers' archives.
    pub unpacked: u64,
}

/// Layers of two images.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LayerChanges {
    /// Layers with the same contents in both.
    pub shared: Vec<SharedLayer>,
    /// Layers of the first image alone, lowest first.
    pub removed: Vec<OwnLayer>,
    /// Layers of the second image alone, lowest first.
    pub added: Vec<OwnLayer>,
    /// Bytes that somebody who has the first image fetches for the second.
    pub to_fetch: u64,
}

/// A layer that two images share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SharedLayer {
    /// Digest of its archive.
    pub diff_id: DiffId,
    /// Whether it also travels in the same form.
    pub same_blob: bool,
    /// How it came to be, in the words of the second image's maker.
    pub history: String,
}

/// A layer that one of two images has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OwnLayer {
    /// Digest of its archive.
    pub diff_id: DiffId,
    /// Bytes as it travels.
    pub size: u64,
    /// How it came to be, in its maker's words.
    pub history: String,
}

/// Tells what is different between two images.
///
/// Layers that both have at the bottom are read once; every blob that is read is verified. Times of files and
/// their extended attributes are not looked at.
///
/// # Errors
/// [`LayoutError`].
pub fn diff(
    before: &StoredImage,
    after: &StoredImage,
    cancel: &AtomicBool,
) -> Result<Difference, LayoutError> {
    let mut was = Seen::default();
    was.add(before, layers_in_common(before, after), cancel)?;
    let mut is = was.clone();
    was.add(before, before.manifest.layers.len(), cancel)?;
    is.add(after, after.manifest.layers.len(), cancel)?;
    let (inventory, packages) = packages::compare((before, &was), (after, &is), cancel)?;
    Ok(Difference {
        version: VERSION,
        identical: before.descriptor.digest == after.descriptor.digest,
        before: side(before, &was),
        after: side(after, &is),
        layers: layers(before, after),
        inventory,
        packages,
        settings: settings::compare(&before.config.config, &after.config.config),
        files: files::compare(&was, &is),
    })
}

fn side(image: &StoredImage, seen: &Seen) -> Side {
    Side {
        entry: image.entry.clone(),
        platform: image.config.platform.to_string(),
        digest: image.descriptor.digest.clone(),
        size: image.manifest.layers.iter().map(|layer| layer.size).sum(),
        unpacked: seen.unpacked.iter().sum(),
    }
}

/// Returns how many layers are the same from the bottom on.
fn layers_in_common(one: &StoredImage, other: &StoredImage) -> usize {
    let pairs = one.layers().zip(other.layers());
    pairs.take_while(|((_, one), (_, other))| one == other).count()
}

fn layers(before: &StoredImage, after: &StoredImage) -> LayerChanges {
    let has = |image: &StoredImage, diff_id: &DiffId| image.layers().any(|(_, it)| it == diff_id);
    let blobs: Vec<&Digest> = before.manifest.layers.iter().map(|layer| &layer.digest).collect();
    let own = |image: &StoredImage, other: &StoredImage| -> Vec<OwnLayer> {
        image
            .layers()
            .zip(image.config.layer_history())
            .filter(|((_, diff_id), _)| !has(other, diff_id))
            .map(|((layer, diff_id), history)| OwnLayer {
                diff_id: diff_id.clone(),
                size: layer.size,
                history: history.to_owned(),
            })
            .collect()
    };
    let shared = after.layers().zip(after.config.layer_history());
    let shared = shared.filter(|((_, diff_id), _)| has(before, diff_id));
    LayerChanges {
        shared: shared
            .map(|((layer, diff_id), history)| SharedLayer {
                diff_id: diff_id.clone(),
                same_blob: blobs.contains(&&layer.digest),
                history: history.to_owned(),
            })
            .collect(),
        removed: own(before, after),
        added: own(after, before),
        to_fetch: after
            .manifest
            .layers
            .iter()
            .filter(|layer| !blobs.contains(&&layer.digest))
            .map(|layer| layer.size)
            .sum(),
    }
}
