//! How two releases differ, told from their receipts.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::channel::Channel;
use crate::receipt::{Receipt, ReceiptImage};

/// How two releases differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReleaseDiff {
    /// The earlier one.
    pub from: Channel,
    /// The later one.
    pub to: Channel,
    /// Whether the base is another.
    pub base_changed: bool,
    /// Tools with other versions, as (before, after); nothing where one is not there.
    pub tools: BTreeMap<String, (Option<String>, Option<String>)>,
    /// Packages of Debian with other versions.
    pub packages: BTreeMap<String, (Option<String>, Option<String>)>,
    /// Every image.
    pub images: Vec<ImageDiff>,
}

/// How an image differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImageDiff {
    /// Variant and platform, such as `omos linux/arm64`.
    pub name: String,
    /// Its bytes before; nothing when it was not there.
    pub size_before: Option<u64>,
    /// Its bytes after; nothing when it is not there.
    pub size_after: Option<u64>,
    /// Layers that both have.
    pub shared: usize,
    /// Layers that are new: their names with their bytes.
    pub new: Vec<(String, u64)>,
    /// Layers that are gone.
    pub gone: Vec<(String, u64)>,
}

impl ReleaseDiff {
    /// Compares two receipts.
    pub fn new(from: &Receipt, to: &Receipt) -> Self {
        Self {
            from: from.channel,
            to: to.channel,
            base_changed: from.base.digest != to.base.digest,
            tools: changed(&tools(from), &tools(to)),
            packages: changed(&packages(from), &packages(to)),
            images: images(from, to),
        }
    }
}

type Versions = BTreeMap<String, String>;

/// All tools of all variants; where architectures have different versions, each is named.
fn tools(receipt: &Receipt) -> Versions {
    let images = receipt.variants.iter().flat_map(|variant| &variant.images);
    merged(images.map(|image| &image.tools))
}

fn packages(receipt: &Receipt) -> Versions {
    merged(receipt.packages.values())
}

fn merged<'a>(all: impl Iterator<Item = &'a Versions>) -> Versions {
    let mut merged: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for versions in all {
        for (name, version) in versions {
            merged.entry(name.clone()).or_default().insert(version);
        }
    }
    let joined = |(name, versions): (String, BTreeSet<&str>)| {
        (name, versions.into_iter().collect::<Vec<_>>().join(" and "))
    };
    merged.into_iter().map(joined).collect()
}

fn changed(
    before: &Versions,
    after: &Versions,
) -> BTreeMap<String, (Option<String>, Option<String>)> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let of = |name: &String| (before.get(name).cloned(), after.get(name).cloned());
    let all = names.into_iter().map(|name| (name.clone(), of(name)));
    all.filter(|(_, (before, after))| before != after).collect()
}

fn images(from: &Receipt, to: &Receipt) -> Vec<ImageDiff> {
    let (before, after) = (by_name(from), by_name(to));
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    names
        .into_iter()
        .map(|name| image(name, before.get(name).copied(), after.get(name).copied()))
        .collect()
}

fn by_name(receipt: &Receipt) -> BTreeMap<String, &ReceiptImage> {
    let named = receipt.variants.iter().flat_map(|variant| {
        let name = |image: &ReceiptImage| format!("{} {}", variant.name, image.platform);
        variant.images.iter().map(move |image| (name(image), image))
    });
    named.collect()
}

fn image(name: &str, before: Option<&ReceiptImage>, after: Option<&ReceiptImage>) -> ImageDiff {
    let layers = |image: Option<&ReceiptImage>| {
        let layers = image.map(|image| image.layers.clone()).unwrap_or_default();
        layers.into_iter().map(|layer| (layer.digest, (layer.name, layer.size))).collect()
    };
    let (old, new): (BTreeMap<_, _>, BTreeMap<_, _>) = (layers(before), layers(after));
    let only = |one: &BTreeMap<_, (String, u64)>, other: &BTreeMap<_, _>| {
        let only = one.iter().filter(|(digest, _)| !other.contains_key(*digest));
        only.map(|(_, layer)| layer.clone()).collect::<Vec<_>>()
    };
    ImageDiff {
        name: name.to_owned(),
        size_before: before.map(|image| image.size),
        size_after: after.map(|image| image.size),
        shared: old.keys().filter(|digest| new.contains_key(digest)).count(),
        new: only(&new, &old),
        gone: only(&old, &new),
    }
}
