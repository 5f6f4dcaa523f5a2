//! What was made, and how it gets to a registry: documents in memory, layers in files or at another place.

use std::collections::BTreeMap;
use std::fs::File;

use bytes::Bytes;
use occ_image::Image;
use occ_oci::{Descriptor, Digest, Manifest, ManifestDigest, MediaType, Platform};
use occ_registry::{
    Cause, Client, FileSource, Kind, ManifestError, Part, RawManifest, Shelf, Source, StreamSource,
    Whole,
};
use serde::Serialize;

/// Something that is published: a variant or the base, for all platforms.
#[derive(Debug, Clone)]
pub struct Subject {
    /// What the plan calls it.
    pub name: String,
    /// The list of its images.
    pub index: RawManifest,
    /// Its images, in the order of their platforms.
    pub images: Vec<MadeImage>,
}

/// An image, with its manifest as it is sent.
#[derive(Debug, Clone)]
pub struct MadeImage {
    /// The image.
    pub image: Image,
    /// Its manifest.
    pub manifest: RawManifest,
}

/// Everything that a release made.
#[derive(Debug, Clone)]
pub struct Made {
    /// The variants, and the base.
    pub subjects: Vec<Subject>,
}

impl Made {
    /// Puts images together, those of one variant in one list.
    ///
    /// # Errors
    /// [`ManifestError`] when one is larger than registries take.
    pub fn of(images: Vec<Image>) -> Result<Self, ManifestError> {
        let mut variants: Vec<(String, Vec<Image>)> = Vec::new();
        for image in images {
            match variants.iter_mut().find(|(name, _)| *name == image.variant) {
                Some((_, siblings)) => siblings.push(image),
                None => variants.push((image.variant.clone(), vec![image])),
            }
        }
        let subjects = variants.into_iter().map(|(name, mut images)| {
            images.sort_by_key(|image| image.platform);
            let index =
                raw(&Image::index(&images.iter().collect::<Vec<_>>()), MediaType::ImageIndex)?;
            let images = images.into_iter().map(|image| {
                let manifest = raw(&image.manifest(), MediaType::ImageManifest)?;
                Ok(MadeImage { image, manifest })
            });
            Ok(Subject { name, index, images: images.collect::<Result<_, ManifestError>>()? })
        });
        Ok(Self { subjects: subjects.collect::<Result<_, ManifestError>>()? })
    }

    /// Returns a subject by its name.
    pub fn subject(&self, name: &str) -> Option<&Subject> {
        self.subjects.iter().find(|subject| subject.name == name)
    }

    /// Returns an image by variant and platform.
    pub fn image(&self, variant: &str, platform: Platform) -> Option<&MadeImage> {
        self.subject(variant)?.images.iter().find(|it| it.image.platform == platform)
    }

    /// Returns everything but one subject, which is elsewhere, in the order in which a registry takes it.
    pub fn whole(&self, without: Option<&str>) -> Whole {
        let mut whole = Whole::default();
        for subject in self.subjects.iter().filter(|it| Some(it.name.as_str()) != without) {
            let images = subject.images.iter().map(|image| &image.manifest);
            for manifest in images.chain([&subject.index]) {
                whole.parts.push(Part { manifest: manifest.clone(), kind: Kind::Image });
            }
        }
        whole
    }

    /// Returns the digests of everything, by name.
    pub fn digests(&self) -> BTreeMap<String, ManifestDigest> {
        let named = self.subjects.iter().flat_map(|subject| {
            let images = subject.images.iter().map(|it| {
                (format!("{}@{}", subject.name, it.image.platform), it.manifest.digest().clone())
            });
            images.chain([(subject.name.clone(), subject.index.digest().clone())])
        });
        named.collect()
    }
}

impl Subject {
    /// Returns all its manifests, the list first.
    pub fn manifests(&self) -> Vec<&RawManifest> {
        std::iter::once(&self.index).chain(self.images.iter().map(|it| &it.manifest)).collect()
    }
}

/// The blobs of what was made.
pub(crate) struct Stock {
    held: BTreeMap<Digest, Held>,
}

#[derive(Clone)]
enum Held {
    Bytes(Bytes),
    File(std::path::PathBuf),
    /// At a registry that has the base.
    At(Client),
}

impl Stock {
    /// Lists the blobs; `base` is where layers are that have no file here.
    pub(crate) fn of(made: &Made, base: Option<&Client>) -> Self {
        let mut held = BTreeMap::new();
        held.insert(
            Digest::sha256(Manifest::EMPTY),
            Held::Bytes(Bytes::from_static(Manifest::EMPTY)),
        );
        for MadeImage { image, .. } in made.subjects.iter().flat_map(|subject| &subject.images) {
            let config = Bytes::copy_from_slice(image.config());
            held.insert(Digest::sha256(&config), Held::Bytes(config));
            for layer in &image.layers {
                let place = match base {
                    _ if layer.is_here() => Held::File(layer.blob.path.clone()),
                    Some(base) => Held::At(base.clone()),
                    None => continue,
                };
                held.insert(layer.blob.digest.digest().clone(), place);
            }
        }
        Self { held }
    }
}

/// Where one blob's bytes come from.
pub(crate) enum StockSource {
    Bytes(Bytes),
    File(FileSource),
    Stream(Box<StreamSource>),
}

impl Source for StockSource {
    async fn read(&mut self, offset: u64, most: usize) -> Result<Bytes, Cause> {
        match self {
            Self::Bytes(bytes) => bytes.read(offset, most).await,
            Self::File(file) => file.read(offset, most).await,
            Self::Stream(stream) => stream.read(offset, most).await,
        }
    }
}

impl Shelf for Stock {
    type Blob = StockSource;

    fn open(&self, blob: &Descriptor) -> Result<StockSource, Cause> {
        match self.held.get(&blob.digest) {
            Some(Held::Bytes(bytes)) => Ok(StockSource::Bytes(bytes.clone())),
            Some(Held::File(path)) => Ok(StockSource::File(FileSource::new(File::open(path)?))),
            Some(Held::At(client)) => {
                client.open(blob).map(|stream| StockSource::Stream(Box::new(stream)))
            }
            None => Err("nobody has its bytes".into()),
        }
    }
}

/// Writes a document as it is sent.
fn raw(document: &impl Serialize, kind: MediaType) -> Result<RawManifest, ManifestError> {
    let bytes = serde_json::to_vec(document).map_err(ManifestError::Shape)?;
    RawManifest::parse(bytes, kind)
}
