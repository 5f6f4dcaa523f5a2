//! Reading: tags, manifests, blobs (distribution spec, "Pull").

use bytes::Bytes;
use hyper::Method;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue};
use occ_oci::{Descriptor, Digest, ManifestDigest, MediaType, Pinned, Tag};

use crate::blob::BlobStream;
use crate::client::{Client, Reply};
use crate::error::{Error, Reason};
use crate::manifest::{MANIFEST_LIMIT, ManifestError, RawManifest, verify};

/// What is understood, in the order of preference.
const UNDERSTOOD: HeaderValue = HeaderValue::from_static(
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, \
     application/vnd.docker.distribution.manifest.v2+json",
);

/// Header with the digest that a registry says the answer has.
pub(crate) const DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// What a tag stood for at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The name that cannot move.
    pub pinned: Pinned,
    /// The manifest.
    pub manifest: RawManifest,
}

impl Client {
    /// Returns what a tag stands for at this moment. The digest is ours, of the bytes that came; the
    /// registry's word for it is only compared.
    ///
    /// # Errors
    /// [`Error`], [`Reason::NotFound`] when there is no such tag.
    pub async fn resolve(&self, tag: &Tag) -> Result<Resolved, Error> {
        let manifest = self.manifest_at(tag.as_str(), None).await?;
        let repository = self.repository().clone();
        Ok(Resolved { pinned: Pinned { repository, digest: manifest.digest().clone() }, manifest })
    }

    /// Returns the manifest of this digest.
    ///
    /// # Errors
    /// [`Error`], [`Reason::Bytes`] when other bytes come.
    pub async fn manifest(&self, digest: &ManifestDigest) -> Result<RawManifest, Error> {
        self.manifest_at(&digest.to_string(), Some(digest)).await
    }

    /// Returns the manifest that a descriptor describes, its size and type compared as well.
    ///
    /// # Errors
    /// As [`Client::manifest`].
    pub async fn described(&self, descriptor: &Descriptor) -> Result<RawManifest, Error> {
        let digest = ManifestDigest::new(descriptor.digest.clone());
        let manifest = self.manifest(&digest).await?;
        let wrong = |reason: Reason| self.error(&format!("manifest {digest}"), reason);
        compare_size(manifest.bytes(), descriptor).map_err(wrong)?;
        if *manifest.media_type() != descriptor.media_type {
            let (sent, says) = (manifest.media_type().clone(), descriptor.media_type.clone());
            return Err(wrong(ManifestError::TwoNames { sent, says }.into()));
        }
        Ok(manifest)
    }

    /// Returns whether there is a manifest of this digest.
    ///
    /// # Errors
    /// [`Error`] when that cannot be found out.
    pub async fn has_manifest(&self, digest: &ManifestDigest) -> Result<bool, Error> {
        self.has(&format!("manifests/{digest}"), &format!("manifest {digest}")).await
    }

    /// Returns whether there is a blob of this digest.
    ///
    /// # Errors
    /// [`Error`] when that cannot be found out.
    pub async fn has_blob(&self, digest: &Digest) -> Result<bool, Error> {
        self.has(&format!("blobs/{digest}"), &format!("blob {digest}")).await
    }

    /// Returns a blob as a stream that verifies; nothing is sent before its first piece is asked for.
    pub fn blob(&self, blob: &Descriptor) -> BlobStream {
        BlobStream::new(self.clone(), blob.clone())
    }

    /// Returns a small blob at once.
    ///
    /// # Errors
    /// [`Error`], [`Reason::TooLarge`] when it is described as larger than `limit` bytes.
    pub async fn blob_bytes(&self, blob: &Descriptor, limit: usize) -> Result<Bytes, Error> {
        if blob.size > limit as u64 {
            return Err(self.error(&format!("blob {}", blob.digest), Reason::TooLarge { limit }));
        }
        let mut stream = self.blob(blob);
        let mut bytes = Vec::new();
        while let Some(piece) = stream.next().await? {
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes.into())
    }

    async fn has(&self, place: &str, what: &str) -> Result<bool, Error> {
        let mut call = self.call(Method::HEAD, place, what);
        call.headers.insert(ACCEPT, UNDERSTOOD);
        match self.fetch(&call, 0).await {
            Ok(_) => Ok(true),
            Err(error) if error.reason.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn manifest_at(
        &self,
        name: &str,
        digest: Option<&ManifestDigest>,
    ) -> Result<RawManifest, Error> {
        let mut call =
            self.call(Method::GET, &format!("manifests/{name}"), format!("manifest {name}"));
        call.headers.insert(ACCEPT, UNDERSTOOD);
        let reply = self.fetch(&call, MANIFEST_LIMIT).await?;
        read(&reply, digest).map_err(|reason| self.error(&call.what, reason))
    }
}

/// Reads a manifest out of an answer.
fn read(reply: &Reply, digest: Option<&ManifestDigest>) -> Result<RawManifest, Reason> {
    let Reply { answer, body } = reply;
    if let Some(digest) = digest {
        verify(body, digest.digest())?;
    }
    if let Some(stated) = answer.headers.get(DIGEST) {
        let stated = stated.to_str().ok().and_then(|stated| stated.parse().ok());
        verify(body, &stated.ok_or(Reason::Answer("its Docker-Content-Digest is no digest"))?)?;
    }
    let manifest = RawManifest::parse(body.clone(), media_type(reply)?)?;
    Ok(match digest {
        Some(digest) => manifest.named(digest)?,
        None => manifest,
    })
}

/// Reads the type of an answer's body, parameters left out.
pub(crate) fn media_type(reply: &Reply) -> Result<MediaType, ManifestError> {
    let text = reply.answer.header(&CONTENT_TYPE).ok_or(ManifestError::NoMediaType)?;
    let name = text.split(';').next().unwrap_or_default().trim();
    name.parse().map_err(|_| ManifestError::NoMediaType)
}

fn compare_size(bytes: &[u8], descriptor: &Descriptor) -> Result<(), Reason> {
    let (got, expected) = (bytes.len() as u64, descriptor.size);
    match got.cmp(&expected) {
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Less => Err(occ_oci::VerifyingError::TooShort { expected, got }.into()),
        std::cmp::Ordering::Greater => Err(occ_oci::VerifyingError::TooLong { expected }.into()),
    }
}
