//! Copying an image to another place, byte for byte, with everything that refers to it.

use std::collections::BTreeSet;
use std::pin::Pin;

use occ_oci::{Descriptor, Digest, ManifestDigest, Tag};

use crate::client::Client;
use crate::error::{Error, Reason};
use crate::manifest::RawManifest;
use crate::push::{Pushed, StreamSource};

/// Most manifests of one copy: platforms, signatures, bills of materials and what refers to these.
const MANIFESTS: usize = 1000;
/// Most steps from the image to anything that belongs to it.
const DEPTH: usize = 10;

/// Something that a copy has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A blob is at the new place.
    Blob {
        /// Its digest.
        digest: Digest,
        /// Its size in bytes.
        size: u64,
        /// How it came there.
        how: Pushed,
    },
    /// A manifest is at the new place.
    Manifest(ManifestDigest),
    /// A tag stands for the image.
    Tag(Tag),
}

/// What a copy has done.
#[derive(Debug, Default)]
pub struct Copied {
    /// Manifests of the image itself, its platforms' included.
    pub manifests: usize,
    /// Manifests that refer to one of those, or to one of these.
    pub referrers: usize,
    /// Blobs that were there.
    pub already_there: usize,
    /// Blobs that the registry took over from a repository of its own.
    pub mounted: usize,
    /// Blobs that were sent.
    pub uploaded: usize,
    /// What was listed as referring to something and does not, or is not there: why, one each.
    pub skipped: Vec<Error>,
}

/// Copies a manifest, everything that it lists and needs, and everything that refers to any of it; then
/// lets the tags stand for it.
///
/// The tags come last: whatever cuts a copy off, no tag stands for half of one, and a second copy goes on.
///
/// # Errors
/// [`Error`] of either side.
pub async fn copy(
    from: &Client,
    to: &Client,
    digest: &ManifestDigest,
    tags: &[Tag],
    observer: &(dyn Fn(Event) + Send + Sync),
) -> Result<Copied, Error> {
    let mut work = Work {
        from,
        to,
        observer,
        manifests: BTreeSet::new(),
        blobs: BTreeSet::new(),
        copied: Copied::default(),
    };
    let root = from.manifest(digest).await?;
    work.manifest(&root, Kind::Image, 0).await?;
    for tag in tags {
        to.tag(&root, tag).await?;
        observer(Event::Tag(tag.clone()));
    }
    Ok(work.copied)
}

struct Work<'a> {
    from: &'a Client,
    to: &'a Client,
    observer: &'a (dyn Fn(Event) + Send + Sync),
    manifests: BTreeSet<ManifestDigest>,
    blobs: BTreeSet<Digest>,
    copied: Copied,
}

#[derive(Clone, Copy)]
enum Kind {
    Image,
    Referrer,
}

impl Work<'_> {
    /// Copies one manifest: what it lists, what it needs, itself, and then what refers to it.
    fn manifest<'b>(
        &'b mut self,
        manifest: &'b RawManifest,
        kind: Kind,
        depth: usize,
    ) -> Pin<Box<dyn Future<Output = Result<(), Error>> + Send + 'b>> {
        Box::pin(async move {
            if !self.manifests.insert(manifest.digest().clone()) {
                return Ok(());
            }
            self.is_bounded(manifest, depth)?;
            let (listed, needed) = manifest.parts();
            for child in listed {
                let child = self.from.described(child).await?;
                self.manifest(&child, kind, depth + 1).await?;
            }
            for blob in needed {
                self.blob(blob).await?;
            }
            match manifest.subject() {
                Some(_) => self.to.attach(manifest).await.map(|_| ())?,
                None => self.to.push_manifest(manifest).await?,
            }
            match kind {
                Kind::Image => self.copied.manifests += 1,
                Kind::Referrer => self.copied.referrers += 1,
            }
            (self.observer)(Event::Manifest(manifest.digest().clone()));
            self.referrers(manifest.digest(), depth).await
        })
    }

    fn is_bounded(&self, manifest: &RawManifest, depth: usize) -> Result<(), Error> {
        let what = format!("manifest {}", manifest.digest());
        if depth > DEPTH {
            let reason = Reason::TooMany { limit: DEPTH, of: "manifests inside each other" };
            return Err(self.from.error(&what, reason));
        }
        if self.manifests.len() > MANIFESTS {
            let reason = Reason::TooMany { limit: MANIFESTS, of: "manifests" };
            return Err(self.from.error(&what, reason));
        }
        Ok(())
    }

    async fn referrers(&mut self, subject: &ManifestDigest, depth: usize) -> Result<(), Error> {
        for listed in self.from.referrers(subject).await?.listed {
            match self.from.referrer(subject, &listed).await {
                Ok(referrer) => self.manifest(&referrer, Kind::Referrer, depth + 1).await?,
                // Anybody who may push can list what is not there; the rest is copied none the less.
                Err(error) if is_junk(&error.reason) => self.copied.skipped.push(error),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn blob(&mut self, blob: &Descriptor) -> Result<(), Error> {
        if !self.blobs.insert(blob.digest.clone()) {
            return Ok(());
        }
        let mut source = StreamSource::new(self.from, self.from.blob(blob));
        let from = Some(self.from.repository());
        let how = match self.to.push_blob(blob, &mut source, from).await {
            Ok(how) => how,
            Err(error) => return Err(of_source(error)),
        };
        match how {
            Pushed::AlreadyThere => self.copied.already_there += 1,
            Pushed::Mounted => self.copied.mounted += 1,
            Pushed::Uploaded => self.copied.uploaded += 1,
        }
        (self.observer)(Event::Blob { digest: blob.digest.clone(), size: blob.size, how });
        Ok(())
    }
}

fn is_junk(reason: &Reason) -> bool {
    matches!(
        reason,
        Reason::NotFound | Reason::NotAbout { .. } | Reason::Manifest(_) | Reason::Bytes(_)
    )
}

/// Where reading failed, returns the reader's error: it names the registry that is to blame.
fn of_source(error: Error) -> Error {
    match error.reason {
        Reason::Source(cause) => match cause.downcast::<Error>() {
            Ok(reading) => *reading,
            Err(cause) => Error { reason: Reason::Source(cause), ..error },
        },
        reason => Error { reason, ..error },
    }
}
