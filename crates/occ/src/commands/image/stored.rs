//! An image of a layout with everything that the layout has about it, on its way to registries.

use std::collections::BTreeSet;
use std::io::Read as _;

use occ_image::{EntryName, Layout, LayoutError};
use occ_oci::{Descriptor, ManifestDigest};
use occ_registry::{Cause, FileSource, Kind, MANIFEST_LIMIT, Part, RawManifest, Shelf, Whole};

use crate::exit::Exit;
use crate::failure::Failure;

/// How deep indexes may be in indexes, and what is about something in what is about something.
const DEPTH: usize = 4;

/// The blobs of a layout.
pub(super) struct StoredBlobs<'a>(pub(super) &'a Layout);

impl Shelf for StoredBlobs<'_> {
    type Blob = FileSource;

    fn open(&self, blob: &Descriptor) -> Result<FileSource, Cause> {
        Ok(FileSource::new(self.0.blob_file(blob)?))
    }
}

/// Returns the entry of a layout that is meant: the list of all its platforms, or one manifest by its digest.
pub(super) fn entry(layout: &Layout, name: &EntryName) -> Result<Descriptor, Failure> {
    let entries = layout.entries()?;
    let is_it = |entry: &&Descriptor| match name {
        EntryName::Name(name) => entry.ref_name() == Some(name),
        EntryName::Digest(digest) => entry.digest == *digest,
    };
    if let Some(entry) = entries.iter().find(is_it) {
        return Ok(entry.clone());
    }
    if let EntryName::Digest(digest) = name {
        let images = layout.images()?;
        if let Some(image) = images.into_iter().find(|image| image.descriptor.digest == *digest) {
            return Ok(image.descriptor);
        }
    }
    let known = entries.iter().filter_map(Descriptor::ref_name).map(str::to_owned).collect();
    Err(LayoutError::Unknown { wanted: name.to_string(), known }.into())
}

/// Reads a manifest of a layout.
pub(super) fn read(layout: &Layout, descriptor: &Descriptor) -> Result<RawManifest, Failure> {
    if descriptor.size > MANIFEST_LIMIT as u64 {
        let (what, size) = (descriptor.digest.to_string(), descriptor.size);
        return Err(LayoutError::TooLarge { what, size, limit: MANIFEST_LIMIT as u64 }.into());
    }
    let mut bytes = Vec::new();
    layout.blob(descriptor)?.read_to_end(&mut bytes)?;
    let parsed = RawManifest::parse(bytes, descriptor.media_type.clone());
    parsed.map_err(|error| Failure::of(Exit::Refused, &error))
}

/// Reads everything that a manifest of a layout lists, and everything that the layout has about any of it. A
/// blob that is missing is told here, before anything is sent.
pub(super) fn whole(layout: &Layout, root: &RawManifest) -> Result<Whole, Failure> {
    let mut about = Vec::new();
    for entry in layout.entries()?.iter().filter(|entry| entry.media_type.is_manifest()) {
        let manifest = read(layout, entry)?;
        if manifest.subject().is_some() {
            about.push(manifest);
        }
    }
    let mut reading = Reading { layout, about, seen: BTreeSet::new(), whole: Whole::default() };
    reading.part(root, Kind::Image, DEPTH)?;
    Ok(reading.whole)
}

struct Reading<'a> {
    layout: &'a Layout,
    /// What the layout has about other manifests.
    about: Vec<RawManifest>,
    seen: BTreeSet<ManifestDigest>,
    whole: Whole,
}

impl Reading<'_> {
    fn part(&mut self, manifest: &RawManifest, kind: Kind, depth: usize) -> Result<(), Failure> {
        if !self.seen.insert(manifest.digest().clone()) {
            return Ok(());
        }
        let (listed, needed) = manifest.parts();
        for child in listed {
            let child = read(self.layout, child)?;
            self.part(&child, kind, deeper(manifest, depth)?)?;
        }
        for blob in needed {
            drop(self.layout.blob_file(blob)?);
        }
        self.whole.parts.push(Part { manifest: manifest.clone(), kind });
        let is_about = |other: &&RawManifest| {
            let subject = other.subject().map(|subject| &subject.digest);
            subject == Some(manifest.digest().digest())
        };
        for other in self.about.iter().filter(is_about).cloned().collect::<Vec<_>>() {
            self.part(&other, Kind::Referrer, deeper(manifest, depth)?)?;
        }
        Ok(())
    }
}

fn deeper(manifest: &RawManifest, depth: usize) -> Result<usize, Failure> {
    depth.checked_sub(1).ok_or_else(|| {
        let message = format!("{} has lists in lists without end", manifest.digest());
        Failure::new(Exit::Refused, message)
    })
}
