//! What is signed: statements about an image.

use std::collections::BTreeMap;

use occ_oci::{Annotations, Repository, Tag};
use occ_registry::RawManifest;
use serde_json::{Value, json};

use crate::statement::{CYCLONE_DX, PROVENANCE, SIGNATURE, STATEMENT, Statement, Subject};
use crate::verdict::{ANNOTATION_REF, ANNOTATION_SEQ, ANNOTATION_VERSION};

use super::provenance::{Builder, Provenance};

/// The name that an image is signed for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Repository.
    pub repository: Repository,
    /// Tag, when it is for one only.
    pub tag: Option<Tag>,
    /// Version, which is the tag without its `v`.
    pub version: Option<String>,
    /// Number of the release, which grows.
    pub seq: Option<u64>,
    /// What else is to be signed.
    pub more: Annotations,
}

impl Label {
    /// Names a repository only.
    pub fn of(repository: Repository) -> Self {
        Self { repository, tag: None, version: None, seq: None, more: Annotations::new() }
    }

    /// Returns what is signed about the name; what we name ourselves wins.
    fn annotations(&self) -> Annotations {
        let reference = self.tag.as_ref().map(|tag| format!("{}:{tag}", self.repository));
        let mut all = self.legacy_annotations();
        all.insert(
            ANNOTATION_REF.to_owned(),
            reference.unwrap_or_else(|| self.repository.to_string()),
        );
        all
    }

    /// The first form names the repository itself.
    pub(super) fn legacy_annotations(&self) -> Annotations {
        let mut all = self.more.clone();
        let seq = self.seq.map(|seq| seq.to_string());
        let own = [(ANNOTATION_VERSION, self.version.clone()), (ANNOTATION_SEQ, seq)];
        all.extend(own.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        all
    }
}

/// Something to be signed: a statement, as bytes that are ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToSign {
    pub(super) payload: Vec<u8>,
    pub(super) predicate_type: String,
}

impl ToSign {
    /// States that the images are signed for a name (cosign, `sign/v1`). An index and its manifests are
    /// best signed at once.
    pub fn signature(label: &Label, images: &[&RawManifest]) -> Self {
        Self::of(SIGNATURE, json!({}), label, images, &label.annotations())
    }

    /// States where the images come from (SLSA provenance).
    pub fn provenance(
        label: &Label,
        images: &[&RawManifest],
        provenance: &Provenance,
        builder: &Builder,
    ) -> Self {
        Self::of(PROVENANCE, provenance.predicate(builder), label, images, &Annotations::new())
    }

    /// States what is in the images: a bill of materials (`CycloneDX`, JSON).
    ///
    /// # Errors
    /// When the document is no JSON of that kind.
    pub fn bill_of_materials(
        label: &Label,
        images: &[&RawManifest],
        document: &[u8],
    ) -> Result<Self, NotABill> {
        let bill: Value = serde_json::from_slice(document).map_err(|_| NotABill)?;
        if bill["bomFormat"] != "CycloneDX" {
            return Err(NotABill);
        }
        Ok(Self::of(CYCLONE_DX, bill, label, images, &Annotations::new()))
    }

    /// Returns the kind of statement.
    pub fn predicate_type(&self) -> &str {
        &self.predicate_type
    }

    fn of(
        predicate_type: &str,
        predicate: Value,
        label: &Label,
        images: &[&RawManifest],
        annotations: &Annotations,
    ) -> Self {
        let text = |(name, value): (&String, &String)| (name.clone(), Value::from(value.clone()));
        let annotations: BTreeMap<_, _> = annotations.iter().map(text).collect();
        let subject = |image: &&RawManifest| {
            // By the hash that every reader compares, whatever the image is called by.
            let sha256 = occ_oci::Digest::sha256(image.bytes()).hex().to_owned();
            Subject {
                // Some readers refuse a subject without a name.
                name: label.repository.to_string(),
                digest: BTreeMap::from([("sha256".to_owned(), sha256)]),
                annotations: annotations.clone(),
            }
        };
        let statement = Statement {
            kind: STATEMENT.to_owned(),
            subject: images.iter().map(subject).collect(),
            predicate_type: predicate_type.to_owned(),
            predicate,
        };
        // A value of strings and values always has a JSON form.
        let payload = serde_json::to_vec(&statement).unwrap_or_default();
        Self { payload, predicate_type: predicate_type.to_owned() }
    }
}

/// A document is no bill of materials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no CycloneDX document in JSON form")]
pub struct NotABill;
