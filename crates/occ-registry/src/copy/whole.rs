//! An image with everything that belongs to it, as far as manifests go.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;

use occ_oci::ManifestDigest;

use crate::client::Client;
use crate::error::{Error, Reason};
use crate::manifest::RawManifest;

/// Most manifests of one image: platforms, signatures, bills of materials and what refers to these.
const MANIFESTS: usize = 1000;
/// Most bytes of all of them, which are held at the same time.
const BYTES: usize = 16 * 1024 * 1024;
/// Most steps from the image to anything that belongs to it.
const DEPTH: usize = 10;

/// An image with everything that belongs to it.
#[derive(Debug, Default)]
pub struct Whole {
    /// The manifests, each once, and each after those that it lists.
    pub parts: Vec<Part>,
    /// What is listed as referring to something and does not, or is not there: why, one each.
    pub skipped: Vec<Error>,
}

impl Whole {
    /// Returns the bytes of all blobs, each once.
    pub fn bytes(&self) -> u64 {
        let blobs = self.parts.iter().flat_map(|part| part.manifest.parts().1);
        let sizes: BTreeMap<_, _> = blobs.map(|blob| (&blob.digest, blob.size)).collect();
        sizes.values().sum()
    }
}

/// A manifest, and what it is to the image.
#[derive(Debug, Clone)]
pub struct Part {
    /// The manifest.
    pub manifest: RawManifest,
    /// What it is.
    pub kind: Kind,
}

/// What a manifest is to an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The image itself, or one of its platforms.
    Image,
    /// It refers to the image, or to something that does.
    Referrer,
}

impl Client {
    /// Reads everything that a manifest lists, and everything that refers to any of it. No blob is read.
    ///
    /// # Errors
    /// [`Error`]; [`Reason::TooMany`] where lists in lists have no end.
    pub async fn whole(&self, root: &RawManifest) -> Result<Whole, Error> {
        let mut reading =
            Reading { from: self, seen: BTreeSet::new(), bytes: 0, whole: Whole::default() };
        reading.manifest(root, Kind::Image, 0).await?;
        Ok(reading.whole)
    }
}

struct Reading<'a> {
    from: &'a Client,
    seen: BTreeSet<ManifestDigest>,
    bytes: usize,
    whole: Whole,
}

impl Reading<'_> {
    /// Reads what a manifest lists, and then what refers to it.
    fn manifest<'b>(
        &'b mut self,
        manifest: &'b RawManifest,
        kind: Kind,
        depth: usize,
    ) -> Pin<Box<dyn Future<Output = Result<(), Error>> + Send + 'b>> {
        Box::pin(async move {
            if !self.seen.insert(manifest.digest().clone()) {
                return Ok(());
            }
            self.bytes += manifest.bytes().len();
            self.is_bounded(manifest, depth)?;
            for child in manifest.parts().0 {
                let child = self.from.described(child).await?;
                self.manifest(&child, kind, depth + 1).await?;
            }
            self.whole.parts.push(Part { manifest: manifest.clone(), kind });
            self.referrers(manifest.digest(), depth).await
        })
    }

    fn is_bounded(&self, manifest: &RawManifest, depth: usize) -> Result<(), Error> {
        let (limit, of) = if depth > DEPTH {
            (DEPTH, "manifests inside each other")
        } else if self.seen.len() > MANIFESTS {
            (MANIFESTS, "manifests")
        } else if self.bytes > BYTES {
            (BYTES, "bytes of manifests")
        } else {
            return Ok(());
        };
        let what = format!("manifest {}", manifest.digest());
        Err(self.from.error(&what, Reason::TooMany { limit, of }))
    }

    async fn referrers(&mut self, subject: &ManifestDigest, depth: usize) -> Result<(), Error> {
        for listed in self.from.referrers(subject).await?.listed {
            match self.from.referrer(subject, &listed).await {
                Ok(referrer) => self.manifest(&referrer, Kind::Referrer, depth + 1).await?,
                // Anybody who may push can list what is not there; the rest is taken none the less.
                Err(error) if is_junk(&error.reason) => self.whole.skipped.push(error),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn is_junk(reason: &Reason) -> bool {
    matches!(
        reason,
        Reason::NotFound | Reason::NotAbout { .. } | Reason::Manifest(_) | Reason::Bytes(_)
    )
}
