//! Manifests as they came: the bytes, their digest, and what they say, kept together.
//!
//! Whoever hands a manifest on hands on its bytes. Reading is strict where two readers could see two
//! documents in the same bytes (CVE-2021-41190).

use std::collections::BTreeSet;
use std::fmt;

use bytes::Bytes;
use occ_oci::{
    Descriptor, Digest, Hasher, Index, Manifest, ManifestDigest, MediaType, VerifyingError,
};
use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};

/// Largest manifest that is read, in bytes: what the specification lets a registry refuse.
pub const MANIFEST_LIMIT: usize = 4 * 1024 * 1024;

/// Fields that some reader of manifests takes notice of.
const FIELDS: [&str; 11] = [
    "schemaVersion",
    "mediaType",
    "artifactType",
    "config",
    "layers",
    "manifests",
    "subject",
    "annotations",
    "fsLayers",
    "history",
    "signatures",
];
/// Fields that an index never has.
const NOT_IN_INDEX: [&str; 5] = ["config", "layers", "fsLayers", "history", "signatures"];
/// Fields that a manifest never has.
const NOT_IN_MANIFEST: [&str; 4] = ["manifests", "fsLayers", "history", "signatures"];

/// Why bytes are refused as a manifest.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// There are too many.
    #[error("it has more than {MANIFEST_LIMIT} bytes")]
    TooLarge,
    /// Nobody said what they are.
    #[error("it comes without a media type")]
    NoMediaType,
    /// They are of a kind that is not understood, such as Docker's first version.
    #[error("{0} is not understood")]
    MediaType(MediaType),
    /// The document calls itself something else than whoever sent it.
    #[error("it is sent as {sent} and calls itself {says}")]
    TwoNames {
        /// What it was sent as.
        sent: MediaType,
        /// What it says.
        says: MediaType,
    },
    /// It has a field of the other kind of document.
    #[error("a document of type {sent} has no {field:?}")]
    TwoKinds {
        /// What it was sent as.
        sent: MediaType,
        /// The field.
        field: String,
    },
    /// A field is there twice, or in letters that another reader would take for the same field.
    #[error("the field {0:?} can be read in two ways")]
    TwoFields(String),
    /// It is not the document that its type says.
    #[error("it cannot be read")]
    Shape(#[source] serde_json::Error),
}

/// What a manifest says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Document {
    /// One image, or one artifact.
    Manifest(Box<Manifest>),
    /// A list of manifests.
    Index(Index),
}

/// A manifest as it came.
#[derive(Clone, PartialEq, Eq)]
pub struct RawManifest {
    bytes: Bytes,
    digest: ManifestDigest,
    media_type: MediaType,
    document: Document,
    subject: Option<Descriptor>,
}

impl RawManifest {
    /// Reads bytes that were sent as a media type and names them by their SHA-256.
    ///
    /// # Errors
    /// [`ManifestError`] when they are not that document, or could be read as another one.
    pub fn parse(bytes: impl Into<Bytes>, sent: MediaType) -> Result<Self, ManifestError> {
        let bytes = bytes.into();
        if bytes.len() > MANIFEST_LIMIT {
            return Err(ManifestError::TooLarge);
        }
        let document = match &sent {
            sent if sent.is_index() => Document::Index(read(&bytes, sent, &NOT_IN_INDEX)?),
            sent if sent.is_manifest() => {
                Document::Manifest(Box::new(read(&bytes, sent, &NOT_IN_MANIFEST)?))
            }
            _ => return Err(ManifestError::MediaType(sent)),
        };
        let says = match &document {
            Document::Manifest(manifest) => manifest.media_type.clone(),
            Document::Index(index) => index.media_type.clone(),
        };
        if let Some(says) = says
            && says != sent
        {
            return Err(ManifestError::TwoNames { sent, says });
        }
        let About { subject } = serde_json::from_slice(&bytes).map_err(ManifestError::Shape)?;
        let digest = ManifestDigest::new(Digest::sha256(&bytes));
        Ok(Self { bytes, digest, media_type: sent, document, subject })
    }

    /// Returns the same under the name it was asked for by, which may be of another algorithm.
    pub(crate) fn named(self, digest: &ManifestDigest) -> Result<Self, VerifyingError> {
        verify(&self.bytes, digest.digest())?;
        Ok(Self { digest: digest.clone(), ..self })
    }

    /// Returns the bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Returns the digest of the bytes.
    pub fn digest(&self) -> &ManifestDigest {
        &self.digest
    }

    /// Returns what it was sent as.
    pub fn media_type(&self) -> &MediaType {
        &self.media_type
    }

    /// Returns what it says.
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// Returns the manifest that it is about.
    pub fn subject(&self) -> Option<&Descriptor> {
        self.subject.as_ref()
    }

    /// Returns how others find it. For something that is about a manifest that is also what a list of
    /// referrers has (distribution spec, "Listing Referrers").
    pub fn descriptor(&self) -> Descriptor {
        let size = self.bytes.len() as u64;
        let plain = Descriptor::new(self.media_type.clone(), self.digest.digest().clone(), size);
        if self.subject.is_none() {
            return plain;
        }
        match &self.document {
            Document::Manifest(manifest) => {
                let config = Some(&manifest.config.media_type);
                let kind = manifest.artifact_type.as_ref().or(config).cloned();
                let annotations = manifest.annotations.clone();
                Descriptor { artifact_type: kind, annotations, ..plain }
            }
            Document::Index(index) => {
                Descriptor { annotations: index.annotations.clone(), ..plain }
            }
        }
    }

    /// Returns the manifests that it lists, and the blobs that it needs.
    ///
    /// Addresses that a descriptor names beside its digest (`urls`) are not among what is read: a
    /// manifest cannot send anybody anywhere.
    pub fn parts(&self) -> (&[Descriptor], Vec<&Descriptor>) {
        match &self.document {
            Document::Index(index) => (&index.manifests, Vec::new()),
            Document::Manifest(manifest) => {
                (&[], std::iter::once(&manifest.config).chain(&manifest.layers).collect())
            }
        }
    }
}

impl fmt::Debug for RawManifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, {} bytes)", self.digest, self.media_type, self.bytes.len())
    }
}

/// Compares bytes with the digest that they are called by.
pub(crate) fn verify(bytes: &[u8], expected: &Digest) -> Result<(), VerifyingError> {
    let mut hasher = Hasher::new(expected.algorithm());
    hasher.update(bytes);
    let got = hasher.finish();
    if got == *expected {
        return Ok(());
    }
    Err(VerifyingError::Digest { expected: expected.clone(), got })
}

#[derive(serde::Deserialize)]
struct About {
    #[serde(default)]
    subject: Option<Descriptor>,
}

fn read<'a, T: Deserialize<'a>>(
    bytes: &'a [u8],
    sent: &MediaType,
    foreign: &[&str],
) -> Result<T, ManifestError> {
    let Fields(fields) = serde_json::from_slice(bytes).map_err(ManifestError::Shape)?;
    let mut folded = BTreeSet::new();
    for field in fields {
        // Go's reader, which engines use, takes any case for the same field.
        let known = FIELDS.iter().find(|known| known.eq_ignore_ascii_case(&field));
        let is_other_case = known.is_some_and(|known| **known != field);
        if is_other_case || !folded.insert(field.to_ascii_lowercase()) {
            return Err(ManifestError::TwoFields(field));
        }
        if foreign.contains(&field.as_str()) {
            return Err(ManifestError::TwoKinds { sent: sent.clone(), field });
        }
    }
    serde_json::from_slice(bytes).map_err(ManifestError::Shape)
}

/// The names of an object's fields, each as often as it is there.
struct Fields(Vec<String>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;

        impl<'de> Visitor<'de> for Names {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut names = Vec::new();
                while let Some((name, IgnoredAny)) = map.next_entry::<String, IgnoredAny>()? {
                    if names.len() == 100 {
                        return Err(A::Error::custom("more than 100 fields"));
                    }
                    names.push(name);
                }
                Ok(Fields(names))
            }
        }

        deserializer.deserialize_map(Names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = r#"{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2}"#;

    fn manifest(more: &str) -> String {
        format!(r#"{{"schemaVersion":2,"config":{CONFIG},"layers":[]{more}}}"#)
    }

    fn parse(text: &str, sent: MediaType) -> Result<RawManifest, ManifestError> {
        RawManifest::parse(text.as_bytes().to_vec(), sent)
    }

    #[test]
    fn bytes_are_kept_as_they_came() {
        let text = manifest(r#", "unknown" : {"b":1,"a":[ ]} "#);
        let raw = parse(&text, MediaType::ImageManifest).expect("a manifest");
        assert_eq!(raw.bytes(), text.as_bytes());
        assert_eq!(raw.digest().digest(), &Digest::sha256(text.as_bytes()));
        assert_eq!(raw.parts().1.len(), 1);
    }

    #[test]
    fn attack_19_a_document_that_is_two_is_neither() {
        for field in ["\"manifests\":[]", "\"fsLayers\":[]", "\"history\":[]"] {
            let text = manifest(&format!(",{field}"));
            let error = parse(&text, MediaType::ImageManifest).expect_err(field);
            assert!(matches!(error, ManifestError::TwoKinds { .. }), "{error:?}");
        }
        for field in [format!("\"config\":{CONFIG}"), "\"layers\":[]".to_owned()] {
            let text = format!(r#"{{"schemaVersion":2,"manifests":[],{field}}}"#);
            let error = parse(&text, MediaType::ImageIndex).expect_err(&field);
            assert!(matches!(error, ManifestError::TwoKinds { .. }), "{error:?}");
        }
    }

    #[test]
    fn attack_19_a_document_is_called_the_same_by_itself_and_by_its_sender() {
        let index = MediaType::ImageIndex;
        let text = manifest(&format!(r#","mediaType":"{index}""#));
        let error = parse(&text, MediaType::ImageManifest).expect_err("two names");
        assert!(matches!(error, ManifestError::TwoNames { .. }), "{error:?}");
        let text = manifest(r#","mediaType":"application/vnd.oci.image.manifest.v1+json""#);
        assert!(parse(&text, MediaType::DockerManifest).is_err());
        assert!(parse(&text, MediaType::ImageIndex).is_err());
        assert!(parse(&text, MediaType::ImageManifest).is_ok());
    }

    #[test]
    fn attack_19_a_field_cannot_be_there_twice_for_another_reader() {
        for field in ["\"Layers\":[]", "\"layers\":[]", "\"MANIFESTS\":[]", "\"x\":1,\"X\":2"] {
            let error = parse(&manifest(&format!(",{field}")), MediaType::ImageManifest);
            let error = error.expect_err(field);
            assert!(matches!(error, ManifestError::TwoFields(_)), "{field}: {error:?}");
        }
    }

    #[test]
    fn attack_20_sizes_and_digests_that_cannot_be_are_refused() {
        for (from, to) in [
            ("\"size\":2", "\"size\":-1"),
            ("\"size\":2", "\"size\":18446744073709551616"),
            ("\"size\":2", "\"size\":2.5"),
            ("sha256:44", "sha256:../"),
            ("sha256:", "md5:"),
        ] {
            let text = manifest("").replace(from, to);
            let error = parse(&text, MediaType::ImageManifest).expect_err(to);
            assert!(matches!(error, ManifestError::Shape(_)), "{to}: {error:?}");
        }
        let large = manifest(&format!(r#","x":"{}""#, "y".repeat(MANIFEST_LIMIT)));
        assert!(matches!(parse(&large, MediaType::ImageManifest), Err(ManifestError::TooLarge)));
    }

    #[test]
    fn other_kinds_of_documents_are_refused_by_name() {
        let first = "application/vnd.docker.distribution.manifest.v1+prettyjws";
        let error = parse("{}", first.parse().expect("a type")).expect_err("not understood");
        assert!(matches!(error, ManifestError::MediaType(_)), "{error:?}");
        let trailing = format!("{}{}", manifest(""), "{}");
        assert!(parse(&trailing, MediaType::ImageManifest).is_err());
    }

    #[test]
    fn attack_6_what_is_about_something_is_listed_with_its_own_kind() {
        let subject = CONFIG.replace("config", "manifest");
        let more = format!(
            r#","artifactType":"application/x.bundle","subject":{subject},"annotations":{{"a":"b"}}"#
        );
        let raw = parse(&manifest(&more), MediaType::ImageManifest).expect("a manifest");
        let listed = raw.descriptor();
        assert_eq!(listed.artifact_type.map(String::from).as_deref(), Some("application/x.bundle"));
        assert_eq!(listed.annotations["a"], "b");
        let without = more.replace(r#""artifactType":"application/x.bundle","#, "");
        let raw = parse(&manifest(&without), MediaType::ImageManifest).expect("a manifest");
        assert_eq!(raw.descriptor().artifact_type, Some(MediaType::ImageConfig));
    }
}
