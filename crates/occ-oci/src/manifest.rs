//! Descriptors, manifests and indexes: how blobs make an image (OCI image spec 1.1, descriptor, manifest,
//! image index).
//!
//! Reading takes what the specification allows: fields that are not known here are left out. Writing gives
//! the same bytes for the same value: fields in one order, annotations sorted.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

use crate::digest::Digest;
use crate::media_type::MediaType;
use crate::platform::Platform;

/// Texts by name that come along with a descriptor, a manifest or an index.
pub type Annotations = BTreeMap<String, String>;

/// Annotation in a layout's `index.json`: the name of what is described.
pub const ANNOTATION_REF_NAME: &str = "org.opencontainers.image.ref.name";

/// What a blob is, how it is called, and how long it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What it is.
    pub media_type: MediaType,
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// For a manifest: what kind of artifact it is, none for an image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<MediaType>,
    /// For a manifest: what its image runs on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<DescribedPlatform>,
    /// Annotations.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: Annotations,
}

impl Descriptor {
    /// Describes bytes.
    pub fn of(media_type: MediaType, bytes: &[u8]) -> Self {
        Self::new(media_type, Digest::sha256(bytes), bytes.len() as u64)
    }

    /// Describes a blob of which digest and size are known.
    pub fn new(media_type: MediaType, digest: Digest, size: u64) -> Self {
        Self {
            media_type,
            digest,
            size,
            artifact_type: None,
            platform: None,
            annotations: Annotations::new(),
        }
    }

    /// Returns the name it has in a layout.
    pub fn ref_name(&self) -> Option<&str> {
        self.annotations.get(ANNOTATION_REF_NAME).map(String::as_str)
    }
}

/// A platform as somebody described it, which need not be one that there are images for here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DescribedPlatform {
    /// Processor architecture, in Go's words.
    pub architecture: String,
    /// Operating system, in Go's words.
    pub os: String,
    /// Variant of the processor, such as `v8`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

impl DescribedPlatform {
    /// Returns the platform if it is one that there are images for.
    pub fn known(&self) -> Option<Platform> {
        let same = |platform: &Platform| {
            platform.os() == self.os && platform.architecture() == self.architecture
        };
        Platform::ALL.into_iter().find(same)
    }
}

impl fmt::Display for DescribedPlatform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.as_ref().map_or(Ok(()), |variant| write!(f, "/{variant}"))
    }
}

impl From<Platform> for DescribedPlatform {
    fn from(platform: Platform) -> Self {
        Self {
            architecture: platform.architecture().to_owned(),
            os: platform.os().to_owned(),
            variant: None,
        }
    }
}

/// The parts of one image, or of an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    schema_version: SchemaVersion,
    /// What the document says it is; not every one says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<MediaType>,
    /// What kind of artifact it is, none for an image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<MediaType>,
    /// The configuration.
    pub config: Descriptor,
    /// Layers, lowest first, or the files of an artifact.
    pub layers: Vec<Descriptor>,
    /// The manifest that this is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// Annotations.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: Annotations,
}

impl Manifest {
    /// Makes the manifest of an image.
    pub fn new(config: Descriptor, layers: Vec<Descriptor>) -> Self {
        Self {
            schema_version: SchemaVersion,
            media_type: Some(MediaType::ImageManifest),
            artifact_type: None,
            config,
            layers,
            subject: None,
            annotations: Annotations::new(),
        }
    }

    /// The configuration of an artifact that has none (image spec, "Guidance for an Empty Descriptor").
    pub const EMPTY: &'static [u8] = b"{}";

    /// Makes the manifest of one file that is about something: an artifact without a configuration.
    pub fn attached(kind: MediaType, file: Descriptor, subject: Descriptor) -> Self {
        Self { subject: Some(subject), ..Self::artifact(kind, file) }
    }

    /// Makes the manifest of one file that is no image: an artifact without a configuration.
    pub fn artifact(kind: MediaType, file: Descriptor) -> Self {
        Self {
            artifact_type: Some(kind),
            ..Self::new(Descriptor::of(MediaType::Empty, Self::EMPTY), vec![file])
        }
    }
}

/// A list of manifests, usually one for each platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    schema_version: SchemaVersion,
    /// What the document says it is; not every one says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<MediaType>,
    /// What is listed.
    pub manifests: Vec<Descriptor>,
    /// Annotations.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: Annotations,
}

impl Index {
    /// Makes an index.
    pub fn new(manifests: Vec<Descriptor>) -> Self {
        Self {
            schema_version: SchemaVersion,
            media_type: Some(MediaType::ImageIndex),
            manifests,
            annotations: Annotations::new(),
        }
    }
}

/// The number 2, the only one that manifests and indexes have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "u32", try_from = "u32")]
struct SchemaVersion;

impl From<SchemaVersion> for u32 {
    fn from(_: SchemaVersion) -> Self {
        2
    }
}

impl TryFrom<u32> for SchemaVersion {
    type Error = String;

    fn try_from(number: u32) -> Result<Self, Self::Error> {
        if number == Self.into() { Ok(Self) } else { Err(format!("schema version {number}")) }
    }
}

/// Engines write `null` where a list or map is empty.
pub(crate) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
