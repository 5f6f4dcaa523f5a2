//! Finished images become entries of a layout.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::AtomicBool;

use occ_oci::{ANNOTATION_REF_NAME, Descriptor, Digest, Manifest, MediaType};

use super::change::Change;
use super::listing::Listing;
use super::resolve::DEPTH;
use super::store::Store;
use super::stored::is_sbom;
use super::{Layout, LayoutError};
use crate::event::{Event, Observer, Part};
use crate::image::Image;

/// Annotations of a bill of materials: when it was made, and how its file is called where it is saved.
const ANNOTATION_CREATED: &str = "org.opencontainers.image.created";
const ANNOTATION_TITLE: &str = "org.opencontainers.image.title";
const SBOM_TITLE: &str = "sbom.cdx.json";

impl Layout {
    /// Writes images into a layout, which is made if the folder is empty or not there.
    ///
    /// The images of a variant become one entry with the variant's name, in place of one that has it.
    /// Everything else stays, blobs that no entry leads to any more included: [`Layout::prune`] removes them.
    ///
    /// # Errors
    /// [`LayoutError`]; the layout then is as it was, but for blobs that nobody asks for.
    pub fn write(
        folder: &Path,
        images: &[Image],
        observer: Observer<'_>,
        cancel: &AtomicBool,
    ) -> Result<Self, LayoutError> {
        let variants = by_variant(images)?;
        let change = Change::begin(folder, observer, cancel)?;
        observer(Event::Begin(Part::Layout));
        let layout = &change.layout;
        let mut store = Store::new(&change);
        let mut listing = Listing::read(layout)?;
        let before = layout.listed_images(&listing);
        for (variant, images) in variants {
            for image in &images {
                let manifest = store.image(image)?;
                listing.put(store.sbom(image, &manifest)?);
            }
            let mut entry = store.document(MediaType::ImageIndex, &Image::index(&images))?;
            entry.annotations.insert(ANNOTATION_REF_NAME.to_owned(), variant.to_owned());
            listing.put(entry);
        }
        let after = layout.listed_images(&listing);
        let is_gone = |digest: &Digest| before.contains(digest) && !after.contains(digest);
        listing.retain(|entry| !layout.subject_of_sbom(entry).is_some_and(|it| is_gone(&it)));
        change.publish_index(&listing.to_json())?;
        observer(Event::Done(Part::Layout));
        Ok(layout.clone())
    }

    /// Returns the images behind all entries; an entry of somebody else that cannot be read has none.
    fn listed_images(&self, listing: &Listing) -> BTreeSet<Digest> {
        let manifests = listing.entries().filter(|entry| !is_sbom(entry));
        let manifests = manifests.flat_map(|it| self.manifests(it, DEPTH).unwrap_or_default());
        manifests.map(|manifest| manifest.digest).collect()
    }

    fn subject_of_sbom(&self, entry: &Descriptor) -> Option<Digest> {
        let manifest = is_sbom(entry).then(|| self.manifest(entry).ok())??;
        Some(manifest.subject?.digest)
    }
}

impl Store<'_> {
    fn image(&mut self, image: &Image) -> Result<Descriptor, LayoutError> {
        let manifest = image.manifest();
        for (layer, descriptor) in image.layers.iter().zip(&manifest.layers) {
            self.layer(layer, descriptor)?;
        }
        self.bytes(MediaType::ImageConfig, image.config())?;
        self.document(MediaType::ImageManifest, &manifest)
    }

    /// SPEC: image spec 1.1, manifest, "Guidelines for Artifact Usage": one file, no configuration, about an
    /// image.
    fn sbom(&mut self, image: &Image, subject: &Descriptor) -> Result<Descriptor, LayoutError> {
        let mut file = self.bytes(MediaType::CycloneDx, image.sbom())?;
        file.annotations.insert(ANNOTATION_TITLE.to_owned(), SBOM_TITLE.to_owned());
        self.bytes(MediaType::Empty, Manifest::EMPTY)?;
        let Descriptor { media_type, digest, size, .. } = subject.clone();
        let subject = Descriptor::new(media_type, digest, size);
        let mut manifest = Manifest::attached(MediaType::CycloneDx, file, subject);
        let created = image.labels.get_key_value(ANNOTATION_CREATED);
        manifest.annotations.extend(created.map(|(name, time)| (name.clone(), time.clone())));
        let mut entry = self.document(MediaType::ImageManifest, &manifest)?;
        entry.artifact_type = Some(MediaType::CycloneDx);
        Ok(entry)
    }
}

/// Sorts images by variant and, within it, by platform.
fn by_variant(images: &[Image]) -> Result<BTreeMap<&str, Vec<&Image>>, LayoutError> {
    let mut variants: BTreeMap<&str, Vec<&Image>> = BTreeMap::new();
    for image in images {
        let siblings = variants.entry(&image.variant).or_default();
        if siblings.iter().any(|sibling| sibling.platform == image.platform) {
            let (variant, platform) = (image.variant.clone(), image.platform.to_string());
            return Err(LayoutError::Twice { variant, platform });
        }
        siblings.push(image);
        siblings.sort_by_key(|image| image.platform);
    }
    Ok(variants)
}
