//! An image in a layout.

use std::fs::File;

use occ_oci::{Descriptor, DiffId, ImageConfig, Manifest, MediaType, Verifying};

use super::{Layout, LayoutError};

/// The largest bill of materials that is read, in bytes.
const SBOM_LIMIT: u64 = 32 << 20;

/// An image in a layout, its documents read and verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredImage {
    /// The entry it was found by: a name or a digest.
    pub entry: String,
    /// Its manifest, described.
    pub descriptor: Descriptor,
    /// Its manifest.
    pub manifest: Manifest,
    /// Its configuration.
    pub config: ImageConfig,
    layout: Layout,
}

impl StoredImage {
    pub(super) fn read(
        layout: &Layout,
        entry: String,
        descriptor: Descriptor,
    ) -> Result<Self, LayoutError> {
        let manifest = layout.manifest(&descriptor)?;
        if !manifest.config.media_type.is_image_config() {
            return Err(LayoutError::MediaType {
                digest: manifest.config.digest,
                found: manifest.config.media_type,
                expected: "the configuration of an image",
            });
        }
        let config: ImageConfig = layout.document(&manifest.config)?;
        let (layers, diff_ids) = (manifest.layers.len(), config.rootfs.diff_ids.len());
        if layers != diff_ids {
            let digest = descriptor.digest;
            return Err(LayoutError::Layers { digest, layers, diff_ids });
        }
        Ok(Self { entry, descriptor, manifest, config, layout: layout.clone() })
    }

    /// Returns its layers, lowest first.
    pub fn layers(&self) -> impl Iterator<Item = (&Descriptor, &DiffId)> {
        self.manifest.layers.iter().zip(&self.config.rootfs.diff_ids)
    }

    /// Opens a blob of it; reading it to the end verifies it.
    ///
    /// # Errors
    /// [`LayoutError::Missing`], or when it cannot be read.
    pub fn blob(&self, descriptor: &Descriptor) -> Result<Verifying<File>, LayoutError> {
        self.layout.blob(descriptor)
    }

    /// Returns its bill of materials, if the layout has one.
    ///
    /// # Errors
    /// [`LayoutError`].
    pub fn sbom(&self) -> Result<Option<Vec<u8>>, LayoutError> {
        for entry in self.layout.entries()? {
            if !is_sbom(&entry) {
                continue;
            }
            let manifest = self.layout.manifest(&entry)?;
            let about = manifest.subject.is_some_and(|it| it.digest == self.descriptor.digest);
            if let (true, [file]) = (about, &manifest.layers[..]) {
                return self.layout.bytes(file, SBOM_LIMIT).map(Some);
            }
        }
        Ok(None)
    }
}

/// Whether an entry of a layout is a bill of materials.
pub(super) fn is_sbom(entry: &Descriptor) -> bool {
    entry.media_type.is_manifest() && entry.artifact_type == Some(MediaType::CycloneDx)
}
