//! What a registry has of releases: their receipts, and what its other names stand for.

use std::collections::BTreeSet;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use occ_oci::{ManifestDigest, Repository, Tag};
use occ_registry::{Client, Error, RawManifest};
use occ_trust::{Release, stands_for};

use crate::channel::Channel;
use crate::look::Trust;
use crate::receipt::{Receipt, fetch_receipt};
use crate::tags::{receipt_tag, released};

/// How many questions are asked at the same time.
const AT_ONCE: usize = 8;
/// How the tags begin under which registries without the API list what refers to a manifest.
const REFERRERS: &str = "sha256-";

/// A release as a registry has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The manifest around its receipt.
    pub envelope: ManifestDigest,
    /// Its receipt.
    pub receipt: Receipt,
    /// Why nobody should believe the receipt; none when somebody signed it whom the trust policy names.
    pub doubt: Option<String>,
}

/// What a registry has of releases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// Which.
    pub place: Repository,
    /// Its releases, newest first.
    pub releases: Vec<Published>,
    /// What the tags stand for that no receipt has for good: those that move, and those of others.
    pub points: Vec<(Tag, ManifestDigest)>,
}

/// Looks at all releases of a registry. A receipt that cannot be read is an error, and never one that is not there.
///
/// # Errors
/// [`Error`].
pub async fn survey(place: &Client, trust: Trust<'_>) -> Result<Survey, Error> {
    let tags: BTreeSet<Tag> = match place.tags().await {
        Ok(tags) => tags.into_iter().collect(),
        Err(error) if error.reason.is_not_found() => BTreeSet::new(),
        Err(error) => return Err(error),
    };
    let mut channels: Vec<Channel> = released(&tags).into_iter().map(Channel::Release).collect();
    if tags.contains(&receipt_tag(&Channel::Edge)) {
        channels.push(Channel::Edge);
    }
    let read = stream::iter(channels).map(|channel| async move {
        let fetched = fetch_receipt(place, &channel).await?;
        Ok::<_, Error>(match fetched {
            Some((envelope, receipt)) => Some(published(place, &envelope, receipt, trust).await),
            None => None,
        })
    });
    let read: Vec<Option<Published>> = read.buffered(AT_ONCE).try_collect().await?;
    let mut releases: Vec<Published> = read.into_iter().flatten().collect();
    releases.sort_by_key(|release| std::cmp::Reverse(release.receipt.seq));
    let fixed: BTreeSet<Tag> = releases.iter().flat_map(Published::fixed).collect();
    let points = points(place, &fixed, tags).await?;
    Ok(Survey { place: place.repository().clone(), releases, points })
}

async fn published(
    place: &Client,
    envelope: &RawManifest,
    receipt: Receipt,
    trust: Trust<'_>,
) -> Published {
    let Trust { policy, root, now } = trust;
    let doubt = match receipt.places.first() {
        Some(name) => {
            let release = Release { name, titles: &[], policy, root, now };
            release.verify(place, envelope).await.err().map(|error| error.to_string())
        }
        None => Some("it names no registry".to_owned()),
    };
    Published { envelope: envelope.digest().clone(), receipt, doubt }
}

/// Asks what tags stand for, but for those that are known to be fixed.
pub(crate) async fn points(
    place: &Client,
    fixed: &BTreeSet<Tag>,
    tags: BTreeSet<Tag>,
) -> Result<Vec<(Tag, ManifestDigest)>, Error> {
    let asked = |tag: &Tag| !fixed.contains(tag) && !tag.as_str().starts_with(REFERRERS);
    let asked = stream::iter(tags.into_iter().filter(asked)).map(|tag| async move {
        let is = stands_for(place, &tag).await?;
        Ok::<_, Error>(is.map(|is| (tag, is)))
    });
    let found: Vec<Option<_>> = asked.buffered(AT_ONCE).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

impl Published {
    /// Returns the tags that never move, that of the receipt among them.
    pub fn fixed(&self) -> Vec<Tag> {
        let planned = self.receipt.tags.iter().filter(|planned| !planned.moves);
        let receipt = self.receipt.channel.version().map(|_| receipt_tag(&self.receipt.channel));
        planned.map(|planned| planned.tag.clone()).chain(receipt).collect()
    }

    /// Returns the digests of its variants, their lists first, and that of the receipt.
    pub(crate) fn own(&self) -> Vec<&ManifestDigest> {
        let variants = &self.receipt.variants;
        let lists = variants.iter().map(|variant| &variant.digest);
        let images = variants.iter().flat_map(|variant| &variant.images);
        lists.chain(images.map(|image| &image.digest)).chain([&self.envelope]).collect()
    }

    /// Returns the digests of its base, the list first.
    pub(crate) fn base(&self) -> Vec<&ManifestDigest> {
        let base = &self.receipt.base;
        let images = base.images.iter().map(|image| &image.digest);
        std::iter::once(&base.digest).chain(images).collect()
    }
}
