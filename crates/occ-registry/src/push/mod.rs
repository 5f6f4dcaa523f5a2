//! Writing: blobs and manifests (distribution spec, "Push").

mod feed;
mod source;
mod upload;

use hyper::Method;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use occ_oci::{Descriptor, Digest, ManifestDigest, Repository, Tag};

pub use source::{FileSource, Source, StreamSource};
use upload::{Begun, Upload};

use crate::auth::Access;
use crate::client::Client;
use crate::error::{Error, Reason};
use crate::manifest::RawManifest;
use crate::pull::DIGEST;
use crate::wire::{Answer, Load};

/// Header of a registry that has taken notice of a manifest's subject.
const SUBJECT: HeaderName = HeaderName::from_static("oci-subject");
/// Longest body of a successful answer that is read, in bytes; nothing is done with it.
pub(crate) const UNREAD: usize = 64 * 1024;

/// How a blob came to be where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// It was there.
    AlreadyThere,
    /// The registry took it over from another repository of its own.
    Mounted,
    /// Its bytes were sent.
    Uploaded,
}

impl Client {
    /// Brings a blob: finds it there, has it mounted from another repository of the same registry, or
    /// sends it in pieces, going on where a connection broke.
    ///
    /// # Errors
    /// [`Error`]; [`Reason::Source`] when the bytes cannot be read or are not as long as described. That
    /// they have the described digest is for the registry to see.
    pub async fn push_blob(
        &self,
        blob: &Descriptor,
        source: &mut impl Source,
        from: Option<&Repository>,
    ) -> Result<Pushed, Error> {
        if self.has_blob(&blob.digest).await? {
            return Ok(Pushed::AlreadyThere);
        }
        let from = from.filter(|from| from.host() == self.host() && *from != self.repository());
        match upload::begin(self, blob, from).await? {
            Begun::Mounted => Ok(Pushed::Mounted),
            Begun::At(at) => {
                Upload::new(self, blob, at).send(source).await?;
                Ok(Pushed::Uploaded)
            }
        }
    }

    /// Puts a manifest under its digest.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn push_manifest(&self, manifest: &RawManifest) -> Result<(), Error> {
        self.put(manifest, &manifest.digest().to_string()).await.map(|_| ())
    }

    /// Lets a tag stand for a manifest: the same bytes under one more name.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn tag(&self, manifest: &RawManifest, tag: &Tag) -> Result<(), Error> {
        self.put(manifest, tag.as_str()).await.map(|_| ())
    }

    /// Lets another tag stand for a manifest that is there, byte for byte. What refers to the manifest
    /// refers to its digest, so it need not be moved.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn retag(&self, digest: &ManifestDigest, tag: &Tag) -> Result<RawManifest, Error> {
        let manifest = self.manifest(digest).await?;
        self.tag(&manifest, tag).await?;
        Ok(manifest)
    }

    /// Removes a manifest, and with it every tag that stands for it (distribution spec, "Deleting Manifests").
    /// Returns whether it was there. Many registries let nobody do that.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn delete_manifest(&self, digest: &ManifestDigest) -> Result<bool, Error> {
        let place = format!("manifests/{digest}");
        let mut call = self.call(Method::DELETE, &place, format!("manifest {digest}"));
        call.access = Access::Delete;
        call.takes = &[200, 202];
        match self.fetch(&call, UNREAD).await {
            Ok(_) => Ok(true),
            Err(error) if error.reason.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Puts a manifest under a name and returns the subject that the registry took notice of.
    pub(crate) async fn put(
        &self,
        manifest: &RawManifest,
        name: &str,
    ) -> Result<Option<Digest>, Error> {
        let mut call =
            self.call(Method::PUT, &format!("manifests/{name}"), format!("manifest {name}"));
        let media_type = HeaderValue::try_from(manifest.media_type().as_str())
            .map_err(|error| self.error(&call.what, Reason::Broken(error.into())))?;
        call.headers.insert(CONTENT_TYPE, media_type);
        call.access = Access::Push;
        call.body = Load::Held(manifest.bytes().clone());
        call.takes = &[200, 201, 202];
        let reply = self.fetch(&call, UNREAD).await?;
        taken_as(&reply.answer, manifest.digest().digest())
            .map_err(|reason| self.error(&call.what, reason))?;
        let subject = reply.answer.header(&SUBJECT);
        Ok(subject.and_then(|subject| subject.parse().ok()))
    }
}

/// Compares what a registry says it has taken with what it was sent. It may name it by an algorithm of
/// its own choice, which says nothing.
fn taken_as(answer: &Answer, expected: &Digest) -> Result<(), Reason> {
    let Some(stated) = answer.header(&DIGEST) else { return Ok(()) };
    let got: Digest =
        stated.parse().map_err(|_| Reason::Answer("its Docker-Content-Digest is no digest"))?;
    if got.algorithm() == expected.algorithm() && got != *expected {
        let expected = expected.clone();
        return Err(occ_oci::VerifyingError::Digest { expected, got }.into());
    }
    Ok(())
}
