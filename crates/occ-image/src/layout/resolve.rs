//! From what is meant to the image that it is.

use occ_oci::{DescribedPlatform, Descriptor, Platform};

use super::{EntryName, Layout, LayoutError, Selector, StoredImage};

/// How deep indexes may be in indexes.
pub(super) const DEPTH: usize = 4;

/// An image that an entry leads to.
struct Candidate {
    manifest: Descriptor,
    platform: DescribedPlatform,
}

impl Layout {
    /// Finds an image.
    ///
    /// Where nothing says for which platform, the only one there is is taken, then the one for `usual`.
    ///
    /// # Errors
    /// [`LayoutError::Unknown`], [`LayoutError::Platform`], and whatever is wrong with the layout.
    pub fn image(&self, selector: &Selector, usual: Platform) -> Result<StoredImage, LayoutError> {
        let mut candidates = self.candidates(&selector.entry)?;
        let wanted = selector.platform.unwrap_or(usual);
        let fits = |candidate: &Candidate| candidate.platform.known() == Some(wanted);
        let goes_without_saying = selector.platform.is_none() && candidates.len() == 1;
        let found = candidates.iter().position(fits).or(goes_without_saying.then_some(0));
        match found {
            Some(found) => {
                let Candidate { manifest, .. } = candidates.swap_remove(found);
                StoredImage::read(self, selector.entry.to_string(), manifest)
            }
            None => Err(LayoutError::Platform {
                entry: selector.entry.to_string(),
                platform: wanted.to_string(),
                known: candidates.iter().map(|it| it.platform.to_string()).collect(),
            }),
        }
    }

    /// Reads all images that have a name, in the order in which they are listed.
    ///
    /// # Errors
    /// Whatever is wrong with the layout.
    pub fn images(&self) -> Result<Vec<StoredImage>, LayoutError> {
        let mut images = Vec::new();
        for entry in self.entries()?.into_iter().filter(is_image) {
            let Some(name) = entry.ref_name() else { continue };
            for manifest in self.manifests(&entry, DEPTH)? {
                images.push(StoredImage::read(self, name.to_owned(), manifest)?);
            }
        }
        Ok(images)
    }

    fn candidates(&self, wanted: &EntryName) -> Result<Vec<Candidate>, LayoutError> {
        let entries = self.entries()?;
        let mut manifests = Vec::new();
        match wanted {
            EntryName::Name(name) => {
                for entry in entries.iter().filter(|entry| entry.ref_name() == Some(name)) {
                    manifests.extend(self.manifests(entry, DEPTH)?);
                }
            }
            EntryName::Digest(digest) => {
                if let Some(entry) = entries.iter().find(|entry| entry.digest == *digest) {
                    manifests = self.manifests(entry, DEPTH)?;
                } else {
                    for entry in entries.iter().filter(|entry| entry.ref_name().is_some()) {
                        manifests.extend(self.manifests(entry, DEPTH)?);
                    }
                    manifests.retain(|manifest| manifest.digest == *digest);
                    manifests.truncate(1);
                }
            }
        }
        if manifests.is_empty() {
            let known = entries.iter().filter_map(Descriptor::ref_name).map(str::to_owned);
            let (wanted, known) = (wanted.to_string(), known.collect());
            return Err(LayoutError::Unknown { wanted, known });
        }
        manifests.into_iter().map(|manifest| self.candidate(manifest)).collect()
    }

    fn candidate(&self, manifest: Descriptor) -> Result<Candidate, LayoutError> {
        let platform = match &manifest.platform {
            Some(platform) => platform.clone(),
            None => StoredImage::read(self, String::new(), manifest.clone())?.config.platform,
        };
        Ok(Candidate { manifest, platform })
    }

    /// Returns the images' manifests behind an entry. What an index has beside images, such as signatures, is
    /// passed over.
    pub(super) fn manifests(
        &self,
        entry: &Descriptor,
        depth: usize,
    ) -> Result<Vec<Descriptor>, LayoutError> {
        if entry.media_type.is_manifest() {
            return Ok(vec![entry.clone()]);
        }
        if !entry.media_type.is_index() || depth == 0 {
            return Err(LayoutError::MediaType {
                digest: entry.digest.clone(),
                found: entry.media_type.clone(),
                expected: "an image index or manifest",
            });
        }
        let mut manifests = Vec::new();
        for inner in self.index(entry)?.manifests {
            if inner.media_type.is_index() {
                manifests.extend(self.manifests(&inner, depth - 1)?);
            } else if inner.media_type.is_manifest() && is_image(&inner) {
                manifests.push(inner);
            }
        }
        Ok(manifests)
    }
}

/// Builders list what they say of an image as one for the platform `unknown`.
fn is_image(manifest: &Descriptor) -> bool {
    let unknown = |platform: &DescribedPlatform| platform.os == "unknown";
    manifest.artifact_type.is_none() && !manifest.platform.as_ref().is_some_and(unknown)
}
