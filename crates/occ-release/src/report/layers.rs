//! Which layers are in which images, as a matrix.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use occ_image::Size;
use occ_oci::LayerDigest;

use super::escaped;
use crate::receipt::{Receipt, ReceiptImage, ReceiptLayer};

/// In how many images every layer of a release is.
pub(super) struct Shared<'a>(BTreeMap<&'a LayerDigest, usize>);

impl<'a> Shared<'a> {
    pub(super) fn of(receipt: &'a Receipt) -> Self {
        let mut counts = BTreeMap::new();
        for image in receipt.variants.iter().flat_map(|variant| &variant.images) {
            let once: BTreeSet<&LayerDigest> = image.layers.iter().map(|it| &it.digest).collect();
            for digest in once {
                *counts.entry(digest).or_default() += 1;
            }
        }
        Self(counts)
    }

    /// Returns whether more than one image has it.
    pub(super) fn has(&self, layer: &ReceiptLayer) -> bool {
        self.images(layer) > 1
    }

    fn images(&self, layer: &ReceiptLayer) -> usize {
        self.0.get(&layer.digest).copied().unwrap_or_default()
    }
}

pub(super) fn write(receipt: &Receipt, page: &mut String) {
    let mut images: Vec<(&str, &ReceiptImage)> = Vec::new();
    for variant in &receipt.variants {
        images.extend(variant.images.iter().map(|image| (variant.name.as_str(), image)));
    }
    // Those of one platform share the most, and stand side by side.
    images.sort_by_key(|(_, image)| image.platform);
    let shared = Shared::of(receipt);
    let mut seen = BTreeSet::new();
    let layers = images.iter().flat_map(|(_, image)| &image.layers);
    let all: u64 = layers.clone().map(|layer| layer.size).sum();
    let layers: Vec<&ReceiptLayer> = layers.filter(|layer| seen.insert(&layer.digest)).collect();
    let once: u64 = layers.iter().map(|layer| layer.size).sum();
    _ = writeln!(
        page,
        "<h2>Layers of {}</h2>\n<p>{} images with {} of layers, of which a registry keeps {} once. \
         <span class=\"shared\">● shared with another image</span>, <span class=\"own\">◆ in this \
         image alone</span>.</p>",
        escaped(&receipt.channel.to_string()),
        images.len(),
        Size(all),
        Size(once)
    );
    page.push_str(
        "<div class=\"wide\"><table class=\"matrix\"><thead><tr><th>layer<th class=\"n\">size",
    );
    for (name, image) in &images {
        let platform = image.platform;
        _ = write!(page, "<th><span class=\"image\">{} {platform}</span>", escaped(name));
    }
    page.push_str("</tr></thead>\n");
    for layer in layers {
        _ = write!(page, "<tr><td>{}<td class=\"n\">{}", escaped(&layer.name), Size(layer.size));
        let (class, sign) = if shared.has(layer) { ("shared", '●') } else { ("own", '◆') };
        let in_images = shared.images(layer);
        for (_, image) in &images {
            if image.layers.iter().any(|own| own.digest == layer.digest) {
                _ = write!(page, "<td class=\"cell {class}\" title=\"in {in_images}\">{sign}");
            } else {
                page.push_str("<td class=\"cell\">");
            }
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</table></div>\n");
}
