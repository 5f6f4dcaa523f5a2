//! Reading a registry as its readers do: every manifest, every blob, every signature.

use std::collections::BTreeSet;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use occ_oci::{Descriptor, Digest, Repository};
use occ_registry::{Client, Document, Error, RawManifest};
use occ_trust::{Release, ReleaseError};
use serde::{Deserialize, Serialize};

use crate::look::Trust;

/// How many blobs are read at the same time.
const AT_ONCE: usize = 4;

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

/// Reads everything that is behind some lists of images, which are signed for a name. `fresh` are blobs that are read whole; of others it is
/// enough that they are there.
///
/// # Errors
/// [`ReadBackError`].
pub async fn read_back(
    name: &Repository,
    place: &Client,
    indexes: &[RawManifest],
    fresh: Fresh<'_>,
    trust: Trust<'_>,
) -> Result<ReadBack, ReadBackError> {
    let mut back = ReadBack::default();
    let mut blobs: Vec<Descriptor> = Vec::new();
    let mut known = BTreeSet::new();
    let release =
        Release { name, titles: &[], policy: trust.policy, root: trust.root, now: trust.now };
    let mut manifests = Vec::new();
    for index in indexes {
        manifests.push(place.manifest(index.digest()).await?);
        if let Document::Index(list) = index.document() {
            for child in &list.manifests {
                manifests.push(place.described(child).await?);
            }
        }
    }
    let proving = manifests.iter().map(|manifest| release.verify(place, manifest));
    let mut proofs = stream::iter(proving).buffer_unordered(AT_ONCE);
    while let Some(proof) = proofs.try_next().await? {
        back.signers.insert(proof.signer.to_string());
    }
    for manifest in &manifests {
        let needed = manifest.parts().1.into_iter().cloned();
        blobs.extend(needed.filter(|blob| known.insert(blob.digest.clone())));
    }
    back.manifests = manifests.len();
    let looked = stream::iter(blobs).map(|blob| look(place, blob, fresh)).buffer_unordered(AT_ONCE);
    let looked: Vec<Option<u64>> = looked.try_collect().await?;
    for bytes in looked {
        match bytes {
            Some(bytes) => (back.read, back.bytes) = (back.read + 1, back.bytes + bytes),
            None => back.seen += 1,
        }
    }
    Ok(back)
}

/// Which blobs are read whole.
#[derive(Debug, Clone, Copy)]
pub enum Fresh<'a> {
    /// All.
    All,
    /// These.
    Only(&'a BTreeSet<Digest>),
}

impl Fresh<'_> {
    fn has(self, digest: &Digest) -> bool {
        match self {
            Self::All => true,
            Self::Only(some) => some.contains(digest),
        }
    }
}

/// Reads a blob, or asks whether it is there; returns how many bytes were read.
async fn look(
    place: &Client,
    blob: Descriptor,
    fresh: Fresh<'_>,
) -> Result<Option<u64>, ReadBackError> {
    if !fresh.has(&blob.digest) {
        if place.has_blob(&blob.digest).await? {
            return Ok(None);
        }
        let (place, digest) = (place.host().to_string(), blob.digest);
        return Err(ReadBackError::Lost { place, digest });
    }
    let mut stream = place.blob(&blob);
    while stream.next().await?.is_some() {}
    Ok(Some(blob.size))
}
