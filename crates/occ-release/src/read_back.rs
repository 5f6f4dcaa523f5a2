//! Reading a registry as its readers do: every manifest, every blob, every signature.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use occ_oci::{Descriptor, Digest, Repository};
use occ_registry::{AT_ONCE, Client, Document, Error, RawManifest};
use occ_trust::{Release, ReleaseError};
use serde::{Deserialize, Serialize};

use crate::look::Trust;

/// What was read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadBack {
    /// Manifests, each compared with its digest.
    pub manifests: usize,
    /// Blobs that were read to the end and compared with their digests.
    pub read: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Blobs of which only was asked whether they are there.
    pub seen: usize,
    /// Who signed.
    pub signers: BTreeSet<String>,
}

/// Why a registry does not have what it should.
#[derive(Debug, thiserror::Error)]
pub enum ReadBackError {
    /// It cannot be asked, or has not what it should.
    #[error(transparent)]
    Registry(#[from] Error),
    /// A blob is not there.
    #[error("{place} has lost the blob {digest}")]
    Lost {
        /// Which registry.
        place: String,
        /// Which blob.
        digest: Digest,
    },
    /// Its readers would not believe it.
    #[error(transparent)]
    Unverified(#[from] ReleaseError),
}

/// What came of comparing blobs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Compared {
    /// How many were read to the end and compared with their digests.
    pub(crate) blobs: usize,
    /// Their bytes.
    pub(crate) bytes: u64,
}

/// Reads blobs of a registry to the end and compares them with their digests.
///
/// # Errors
/// [`ReadBackError`].
pub(crate) async fn compare(
    place: &Client,
    blobs: Vec<Descriptor>,
) -> Result<Compared, ReadBackError> {
    let compared = Compared { blobs: blobs.len(), bytes: blobs.iter().map(|blob| blob.size).sum() };
    let read = async |blob: Descriptor| {
        let mut stream = place.blob(&blob);
        while stream.next().await?.is_some() {}
        Ok::<_, ReadBackError>(())
    };
    stream::iter(blobs).map(read).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
    Ok(compared)
}

/// Reads everything that is behind some lists of images, which are signed for a name: blobs too when it is to be the
/// `whole`; otherwise it is enough that they are there.
///
/// # Errors
/// [`ReadBackError`].
pub async fn read_back(
    name: &Repository,
    place: &Client,
    indexes: &[RawManifest],
    whole: bool,
    trust: Trust<'_>,
) -> Result<ReadBack, ReadBackError> {
    let reading = indexes.iter().map(|index| with_images(place, index));
    let manifests: Vec<Vec<RawManifest>> =
        stream::iter(reading).buffered(AT_ONCE).try_collect().await?;
    let manifests = manifests.concat();
    let mut back = ReadBack { manifests: manifests.len(), ..ReadBack::default() };
    let release =
        Release { name, titles: &[], policy: trust.policy, root: trust.root, now: trust.now };
    let proving = manifests.iter().map(|manifest| release.verify(place, manifest));
    let mut proofs = stream::iter(proving).buffer_unordered(AT_ONCE);
    while let Some(proof) = proofs.try_next().await? {
        back.signers.insert(proof.signer.to_string());
    }
    let needed = manifests.iter().flat_map(|manifest| manifest.parts().1);
    let blobs: BTreeMap<&Digest, &Descriptor> = needed.map(|blob| (&blob.digest, blob)).collect();
    if whole {
        let read = compare(place, blobs.into_values().cloned().collect()).await?;
        (back.read, back.bytes) = (read.blobs, read.bytes);
    } else {
        back.seen = blobs.len();
        let looking = blobs.into_keys().map(|digest| is_there(place, digest));
        stream::iter(looking).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
    }
    Ok(back)
}

/// Reads a list and what it lists.
async fn with_images(place: &Client, index: &RawManifest) -> Result<Vec<RawManifest>, Error> {
    let mut manifests = vec![place.manifest(index.digest()).await?];
    if let Document::Index(list) = index.document() {
        for child in &list.manifests {
            manifests.push(place.described(child).await?);
        }
    }
    Ok(manifests)
}

async fn is_there(place: &Client, digest: &Digest) -> Result<(), ReadBackError> {
    if place.has_blob(digest).await? {
        return Ok(());
    }
    let (place, digest) = (place.host().to_string(), digest.clone());
    Err(ReadBackError::Lost { place, digest })
}
