//! What a blob is (OCI image spec, media types).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a blob is. Docker's older names are known too, because layouts that others wrote have them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum MediaType {
    /// A list of manifests, usually one for each platform.
    ImageIndex,
    /// Configuration and layers of one image, or the parts of an artifact.
    ImageManifest,
    /// How a container of an image starts.
    ImageConfig,
    /// A layer as it is.
    LayerTar,
    /// A layer compressed with gzip.
    LayerGzip,
    /// A layer compressed with zstd.
    LayerZstd,
    /// The two bytes `{}`: the configuration of an artifact that has none.
    Empty,
    /// A `CycloneDX` bill of materials as JSON.
    CycloneDx,
    /// Docker's list of manifests.
    DockerIndex,
    /// Docker's manifest, second version.
    DockerManifest,
    /// Docker's configuration.
    DockerConfig,
    /// Docker's layer as it is.
    DockerLayerTar,
    /// Docker's layer compressed with gzip.
    DockerLayerGzip,
    /// Something that is not known here.
    Other(String),
}

const KNOWN: [MediaType; 13] = [
    MediaType::ImageIndex,
    MediaType::ImageManifest,
    MediaType::ImageConfig,
    MediaType::LayerTar,
    MediaType::LayerGzip,
    MediaType::LayerZstd,
    MediaType::Empty,
    MediaType::CycloneDx,
    MediaType::DockerIndex,
    MediaType::DockerManifest,
    MediaType::DockerConfig,
    MediaType::DockerLayerTar,
    MediaType::DockerLayerGzip,
];

impl MediaType {
    /// Returns the name.
    pub fn as_str(&self) -> &str {
        match self {
            Self::ImageIndex => "application/vnd.oci.image.index.v1+json",
            Self::ImageManifest => "application/vnd.oci.image.manifest.v1+json",
            Self::ImageConfig => "application/vnd.oci.image.config.v1+json",
            Self::LayerTar => "application/vnd.oci.image.layer.v1.tar",
            Self::LayerGzip => "application/vnd.oci.image.layer.v1.tar+gzip",
            Self::LayerZstd => "application/vnd.oci.image.layer.v1.tar+zstd",
            Self::Empty => "application/vnd.oci.empty.v1+json",
            Self::CycloneDx => "application/vnd.cyclonedx+json",
            Self::DockerIndex => "application/vnd.docker.distribution.manifest.list.v2+json",
            Self::DockerManifest => "application/vnd.docker.distribution.manifest.v2+json",
            Self::DockerConfig => "application/vnd.docker.container.image.v1+json",
            Self::DockerLayerTar => "application/vnd.docker.image.rootfs.diff.tar",
            Self::DockerLayerGzip => "application/vnd.docker.image.rootfs.diff.tar.gzip",
            Self::Other(name) => name,
        }
    }

    /// Returns whether it is a list of manifests.
    pub fn is_index(&self) -> bool {
        matches!(self, Self::ImageIndex | Self::DockerIndex)
    }

    /// Returns whether it is a manifest.
    pub fn is_manifest(&self) -> bool {
        matches!(self, Self::ImageManifest | Self::DockerManifest)
    }

    /// Returns whether it is the configuration of an image.
    pub fn is_image_config(&self) -> bool {
        matches!(self, Self::ImageConfig | Self::DockerConfig)
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is no media type (RFC 6838).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a media type")]
pub struct ParseMediaTypeError(pub String);

impl FromStr for MediaType {
    type Err = ParseMediaTypeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(known) = KNOWN.iter().find(|known| known.as_str() == text) {
            return Ok(known.clone());
        }
        let is_name = |name: &str| {
            (1..=127).contains(&name.len())
                && name.starts_with(|c: char| c.is_ascii_alphanumeric())
                && name.chars().all(|c| c.is_ascii_alphanumeric() || "!#$&-^_.+".contains(c))
        };
        match text.split_once('/') {
            Some((kind, subtype)) if is_name(kind) && is_name(subtype) => {
                Ok(Self::Other(text.to_owned()))
            }
            _ => Err(ParseMediaTypeError(text.to_owned())),
        }
    }
}

impl From<MediaType> for String {
    fn from(media_type: MediaType) -> Self {
        media_type.as_str().to_owned()
    }
}

impl TryFrom<String> for MediaType {
    type Error = ParseMediaTypeError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}
