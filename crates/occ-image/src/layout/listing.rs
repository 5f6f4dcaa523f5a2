//! `index.json`, to be changed: what others wrote in it stays as they wrote it.

use occ_oci::{Annotations, Descriptor, Index, MediaType};
use serde::Serialize;
use serde_json::Value;

use super::{INDEX, Layout, LayoutError, document};
use crate::image::json;

/// What a layout lists.
pub(super) struct Listing {
    entries: Vec<Entry>,
    annotations: Annotations,
}

struct Entry {
    read: Descriptor,
    written: Written,
}

/// The entry's text: ours follows from what it says, theirs may have fields that are not known here.
#[derive(Serialize)]
#[serde(untagged)]
enum Written {
    Ours(Descriptor),
    Theirs(Value),
}

/// The order of fields is ours.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    schema_version: u32,
    media_type: MediaType,
    manifests: Vec<&'a Written>,
    #[serde(skip_serializing_if = "Annotations::is_empty")]
    annotations: &'a Annotations,
}

impl Listing {
    /// Reads it; a layout that is still to be filled lists nothing.
    pub(super) fn read(layout: &Layout) -> Result<Self, LayoutError> {
        if !layout.folder.join(INDEX).exists() {
            return Ok(Self { entries: Vec::new(), annotations: Annotations::new() });
        }
        let bytes = layout.index_bytes()?;
        let Index { manifests, annotations, .. } = document::parse(INDEX, &bytes)?;
        let mut texts: Value = document::parse(INDEX, &bytes)?;
        let texts = texts["manifests"].as_array_mut().map(std::mem::take).unwrap_or_default();
        let entries = manifests.into_iter().zip(texts);
        let entries =
            entries.map(|(read, text)| Entry { read, written: Written::Theirs(text) }).collect();
        Ok(Self { entries, annotations })
    }

    /// Returns what it lists.
    pub(super) fn entries(&self) -> impl Iterator<Item = &Descriptor> {
        self.entries.iter().map(|entry| &entry.read)
    }

    /// Lists an entry, in place of one with the same name or, without a name, of itself.
    pub(super) fn put(&mut self, entry: Descriptor) {
        let name = entry.ref_name();
        self.entries.retain(|old| match name {
            Some(_) => old.read.ref_name() != name,
            None => old.read.digest != entry.digest || old.read.ref_name().is_some(),
        });
        self.entries.push(Entry { read: entry.clone(), written: Written::Ours(entry) });
    }

    /// Keeps only what is wanted.
    pub(super) fn retain(&mut self, mut wanted: impl FnMut(&Descriptor) -> bool) {
        self.entries.retain(|entry| wanted(&entry.read));
    }

    /// Returns the text: names first, so that the order of writing leaves no trace.
    pub(super) fn to_json(&self) -> Vec<u8> {
        let mut entries: Vec<&Entry> = self.entries.iter().collect();
        entries.sort_by_key(|Entry { read, .. }| {
            (read.ref_name().is_none(), read.ref_name().unwrap_or_default(), &read.digest)
        });
        json(&Document {
            schema_version: 2,
            media_type: MediaType::ImageIndex,
            manifests: entries.into_iter().map(|entry| &entry.written).collect(),
            annotations: &self.annotations,
        })
    }
}
