//! Looking at registries before a release: their tags, their base, and what is released already.

use std::collections::BTreeSet;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use occ_image::{BuildPlan, Compression, Layer};
use occ_oci::{Descriptor, ImageConfig, ManifestDigest, MediaType, Platform, Tag};
use occ_registry::{AT_ONCE, Client, Document, Error, RawManifest};
use occ_trust::{Policy, Release, ReleaseError, TrustRoot, stands_for};

use crate::base::BaseSeen;
use crate::plan::{Standing, Wish, tags};

/// Largest configuration of an image that is read, in bytes.
const CONFIG_LIMIT: u64 = 1 << 20;

/// Whom readers believe, and when they read.
#[derive(Debug, Clone, Copy)]
pub struct Trust<'a> {
    /// Whom they believe.
    pub policy: &'a Policy,
    /// Who vouches for whom.
    pub root: &'a TrustRoot,
    /// The present moment.
    pub now: Timestamp,
}

/// Looks at all places of a wish. A registry that does not answer is an error, and never an empty one.
///
/// # Errors
/// [`Error`] of the first that cannot be asked.
pub async fn look(
    wish: &Wish,
    base: &str,
    places: &[Client],
    trust: Trust<'_>,
) -> Result<Vec<Standing>, Error> {
    let mut standings = Vec::new();
    for place in places {
        let tags = match place.tags().await {
            Ok(tags) => tags.into_iter().collect(),
            Err(error) if error.reason.is_not_found() => BTreeSet::new(),
            Err(error) => return Err(error),
        };
        let base = look_at_base(wish, base, place, trust).await?;
        let place = place.repository().clone();
        standings.push(Standing { place, tags, base, points: Vec::new() });
    }
    let known: BTreeSet<Tag> =
        standings.iter().flat_map(|standing| standing.tags.iter().cloned()).collect();
    let planned = tags(wish, base, &known).given;
    for (place, standing) in places.iter().zip(&mut standings) {
        let look = async |tag| {
            Ok::<_, Error>(stands_for(place, tag).await?.map(|is| (Tag::clone(tag), is)))
        };
        let looking = planned.iter().map(|planned| look(&planned.tag));
        let found = stream::iter(looking).buffered(AT_ONCE).try_collect::<Vec<_>>().await?;
        standing.points = found.into_iter().flatten().collect();
    }
    Ok(standings)
}

async fn look_at_base(
    wish: &Wish,
    name: &str,
    place: &Client,
    trust: Trust<'_>,
) -> Result<BaseSeen, Error> {
    let tag: Tag = name.parse().expect("hexadecimal digits make a tag");
    let index = match place.resolve(&tag).await {
        Ok(resolved) => resolved.manifest,
        Err(error) if error.reason.is_not_found() => return Ok(BaseSeen::Absent),
        Err(error) => return Err(error),
    };
    let digest = index.digest().clone();
    let release = Release {
        name: &wish.places[0],
        titles: &[],
        policy: trust.policy,
        root: trust.root,
        now: trust.now,
    };
    match release.verify(place, &index).await {
        Ok(_) => Ok(BaseSeen::Signed { digest, platforms: platforms(&index) }),
        Err(ReleaseError::Registry(error)) => Err(error),
        Err(error) => Ok(BaseSeen::Unsigned { digest, why: error.to_string() }),
    }
}

fn platforms(index: &RawManifest) -> Vec<Platform> {
    let is_for = |platform: &Platform| {
        index.parts().0.iter().any(|child| child.platform == Some((*platform).into()))
    };
    Platform::ALL.into_iter().filter(is_for).collect()
}

/// Why the base of a registry cannot be built on.
#[derive(Debug, thiserror::Error)]
pub enum BaseError {
    /// The registry cannot be asked.
    #[error(transparent)]
    Registry(#[from] Error),
    /// It is not what its name says.
    #[error("the base {digest} cannot be built on: {why}")]
    Unfit {
        /// Which.
        digest: ManifestDigest,
        /// Why.
        why: String,
    },
}

/// Returns the layers of a base that a registry has, as the plans of bases name them. Only documents are read:
/// the bytes stay where they are.
///
/// # Errors
/// [`BaseError`].
pub async fn base_layers(
    place: &Client,
    digest: &ManifestDigest,
    plans: &[BuildPlan],
) -> Result<Vec<Layer>, BaseError> {
    let unfit = |why: &str| BaseError::Unfit { digest: digest.clone(), why: why.to_owned() };
    let index = place.manifest(digest).await?;
    let mut layers = Vec::new();
    for plan in plans.iter().filter(|plan| plan.is_base()) {
        let is_it = |child: &&Descriptor| child.platform == Some(plan.platform.into());
        let child = index.parts().0.iter().find(is_it);
        let child = child.ok_or_else(|| unfit(&format!("it is not for {}", plan.platform)))?;
        let manifest = place.described(child).await?;
        let Document::Manifest(document) = manifest.document() else {
            return Err(unfit("it has lists in lists"));
        };
        let config = config(place, &document.config)
            .await?
            .ok_or_else(|| unfit("its configuration cannot be read"))?;
        let names = plan.base.layers();
        if names.len() != document.layers.len() || names.len() != config.rootfs.diff_ids.len() {
            return Err(unfit("it has another number of layers"));
        }
        for (((_, key), blob), diff_id) in
            names.into_iter().zip(&document.layers).zip(&config.rootfs.diff_ids)
        {
            let form =
                form(&blob.media_type).ok_or_else(|| unfit("a layer has an unknown form"))?;
            layers.push(Layer::elsewhere(key, diff_id.clone(), form, blob));
        }
    }
    Ok(layers)
}

async fn config(place: &Client, blob: &Descriptor) -> Result<Option<ImageConfig>, Error> {
    if blob.size > CONFIG_LIMIT {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    let mut stream = place.blob(blob);
    while let Some(piece) = stream.next().await? {
        bytes.extend_from_slice(&piece);
    }
    Ok(serde_json::from_slice(&bytes).ok())
}

fn form(media_type: &MediaType) -> Option<Compression> {
    match media_type {
        MediaType::LayerTar => Some(Compression::None),
        MediaType::LayerGzip => Some(Compression::Gzip),
        MediaType::LayerZstd => Some(Compression::Zstd),
        _ => None,
    }
}
