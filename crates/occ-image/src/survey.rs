//! What a build would do: every layer of some plans, whether it is kept already, and why not.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

use occ_layer::Compression;
use occ_oci::{Digest, Platform};

use crate::cache::{Cache, folder};
use crate::error::BuildError;
use crate::key::LayerKey;
use crate::plan::BuildPlan;
use crate::workshop::Workshop;

/// A layer as a build sees it before it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedLayer {
    /// What it holds: `base/NAME`, `guest` or `tool/NAME`.
    pub name: String,
    /// For which platforms it is; the guest's files are for all.
    pub platforms: Vec<Platform>,
    /// Variants whose images have it.
    pub variants: Vec<String>,
    /// The key of what it is made from.
    pub key: LayerKey,
    /// Whether it is kept, and how.
    pub state: LayerState,
    /// Bytes of other people's files that would be fetched for it.
    pub fetch: u64,
}

/// Whether a layer is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LayerState {
    /// It is, in these forms.
    Kept {
        /// Bytes of the uncompressed archive.
        size: u64,
        /// Compressions and the bytes they take.
        forms: Vec<(Compression, u64)>,
    },
    /// It has to be made: no earlier build made it of just this.
    Missing,
    /// It has to be made again: what is kept changed on disk.
    Damaged,
}

/// Looks at every layer of the plans, each once, lowest first.
///
/// # Errors
/// [`BuildError`] when the cache cannot be read.
pub fn survey(plans: &[BuildPlan], workshop: &Workshop) -> Result<Vec<PlannedLayer>, BuildError> {
    let folder = folder(&workshop.cache_dir);
    let nobody = AtomicBool::new(false);
    let cache = Cache::open(&folder, &|_| (), &nobody)?;
    let mut planned: Vec<PlannedLayer> = Vec::new();
    for plan in plans {
        for (name, key, files) in layers(plan) {
            if let Some(known) = planned.iter_mut().find(|layer| layer.key == key) {
                add(&mut known.platforms, plan.platform);
                add(&mut known.variants, plan.variant.clone());
                continue;
            }
            let state = cache.state(&key)?;
            let kept = matches!(state, LayerState::Kept { .. });
            let fetch = if kept { 0 } else { missing(&files, &cache) };
            planned.push(PlannedLayer {
                name,
                platforms: vec![plan.platform],
                variants: vec![plan.variant.clone()],
                key,
                state,
                fetch,
            });
        }
    }
    Ok(planned)
}

fn add<T: PartialEq>(list: &mut Vec<T>, item: T) {
    if !list.contains(&item) {
        list.push(item);
    }
}

/// Files of other people that a layer is made of, with their sizes.
type Files = BTreeMap<Digest, u64>;

fn layers(plan: &BuildPlan) -> Vec<(String, LayerKey, Files)> {
    let base = plan.base.layers().into_iter().enumerate().map(|(index, (name, key))| {
        let group = plan.base.groups.get(index);
        let packages = group.into_iter().flat_map(|group| &group.packages);
        let files = packages.map(|pin| (pin.digest.clone(), pin.size)).collect();
        (format!("base/{name}"), key, files)
    });
    let guest = ("guest".to_owned(), plan.guest_key(), Files::new());
    let tools = plan.tools.iter().map(|tool| {
        let mut files: Files =
            tool.packages.iter().map(|pin| (pin.digest.clone(), pin.size)).collect();
        // How large a file at an address is, is known when it is there.
        files.extend(tool.address().map(|(_, digest)| (digest.clone(), 0)));
        (format!("tool/{}", tool.tool.name), tool.key(), files)
    });
    base.chain(tools).chain([guest]).collect()
}

fn missing(files: &Files, cache: &Cache<'_>) -> u64 {
    files.iter().filter(|(digest, _)| !cache.file_path(digest).exists()).map(|(_, size)| size).sum()
}
