//! The tag that lists what refers to a manifest where there is no API for it.

use occ_oci::{Descriptor, ManifestDigest, MediaType, ParseNameError, Tag};
use serde_json::{Map, Value, json};

use super::list::{LIST_LIMIT, list_call};
use crate::client::Client;
use crate::error::{Error, Reason};
use crate::manifest::{ManifestError, RawManifest};
use crate::pull::media_type;

/// Longest name of an algorithm and of an encoded digest in a tag (distribution spec, "Referrers Tag
/// Schema").
const LONGEST: (usize, usize) = (32, 64);

/// Returns the tag for a digest.
pub(super) fn of(digest: &ManifestDigest) -> Result<Tag, ParseNameError> {
    let cut = |text: &str, longest: usize| text.chars().take(longest).collect::<String>();
    let digest = digest.digest();
    let algorithm = cut(digest.algorithm().name(), LONGEST.0);
    format!("{algorithm}-{}", cut(digest.hex(), LONGEST.1)).parse()
}

/// What the tag stands for.
pub(super) enum Found {
    Nothing,
    NotAList,
    List(Document),
}

/// The list behind a tag, with everything that others wrote into it.
#[derive(Clone, PartialEq)]
pub(super) struct Document(Map<String, Value>);

impl Document {
    /// Returns an empty list.
    pub(super) fn empty() -> Self {
        let empty = json!({
            "schemaVersion": 2,
            "mediaType": MediaType::ImageIndex.as_str(),
            "manifests": [],
        });
        Self(empty.as_object().cloned().unwrap_or_default())
    }

    fn read(bytes: &[u8]) -> Result<Self, ManifestError> {
        serde_json::from_slice(bytes).map(Self).map_err(ManifestError::Shape)
    }

    /// Returns the entries.
    pub(super) fn entries(&self) -> &[Value] {
        self.0.get("manifests").and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// Returns whether a digest is listed.
    pub(super) fn has(&self, digest: &Value) -> bool {
        self.entries().iter().any(|entry| &entry["digest"] == digest)
    }

    /// Adds an entry whose digest is not listed yet.
    pub(super) fn add(&mut self, entry: &Value) {
        if !self.has(&entry["digest"]) {
            let entries = self.0.entry("manifests").or_insert_with(|| json!([]));
            if let Some(entries) = entries.as_array_mut() {
                entries.push(entry.clone());
            }
        }
    }

    /// Returns the manifest to put under the tag.
    pub(super) fn render(&self) -> Result<RawManifest, Reason> {
        let bytes = serde_json::to_vec(&self.0).map_err(|error| Reason::Source(error.into()))?;
        Ok(RawManifest::parse(bytes, MediaType::ImageIndex)?)
    }
}

/// Returns an entry of a list.
pub(super) fn entry(descriptor: &Descriptor) -> Result<Value, Reason> {
    serde_json::to_value(descriptor).map_err(|error| Reason::Source(error.into()))
}

impl Client {
    /// Reads the tag for a digest.
    pub(super) async fn referrers_tag(&self, digest: &ManifestDigest) -> Result<Found, Error> {
        let what = format!("referrers of {digest}");
        let wrong = |reason: Reason| self.error(&what, reason);
        let tag = of(digest).map_err(|error| wrong(Reason::Source(error.into())))?;
        let call = list_call(self, &format!("manifests/{tag}"), digest);
        let reply = match self.fetch(&call, LIST_LIMIT).await {
            Ok(reply) => reply,
            Err(error) if error.reason.is_not_found() => return Ok(Found::Nothing),
            Err(error) => return Err(error),
        };
        if !media_type(&reply).map_err(|error| wrong(error.into()))?.is_index() {
            return Ok(Found::NotAList);
        }
        let document = Document::read(&reply.body).map_err(|error| wrong(error.into()))?;
        // An object without a list of manifests lists nothing, and says so nowhere.
        let is_list = document.0.get("manifests").is_some_and(Value::is_array);
        Ok(if is_list { Found::List(document) } else { Found::NotAList })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_named_after_the_digest_and_cut_where_it_is_too_long() {
        let short: ManifestDigest = format!("sha256:{}", "a".repeat(64)).parse().expect("a digest");
        assert_eq!(of(&short).expect("a tag").as_str(), format!("sha256-{}", "a".repeat(64)));
        let long: ManifestDigest = format!("sha512:{}", "b".repeat(128)).parse().expect("a digest");
        assert_eq!(of(&long).expect("a tag").as_str(), format!("sha512-{}", "b".repeat(64)));
    }

    #[test]
    fn adding_keeps_what_others_wrote_and_adds_once() {
        let theirs =
            r#"{"schemaVersion":2,"manifests":[{"digest":"sha256:aa","data":"e30="}],"x":1}"#;
        let mut document = Document::read(theirs.as_bytes()).expect("a list");
        let ours = json!({"digest": "sha256:bb"});
        document.add(&ours);
        document.add(&ours);
        assert_eq!(document.entries().len(), 2);
        assert_eq!(document.entries()[0]["data"], "e30=");
        assert_eq!(document.0["x"], 1);
    }
}
