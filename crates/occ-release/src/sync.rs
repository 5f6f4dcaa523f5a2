//! Making a registry equal to another: what the first has of releases, the second gets, and never the other way.
//!
//! Nothing is removed at the second. A tag that never moves and stands for something else there is an objection,
//! because one of the two was tampered with.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use occ_oci::{Descriptor, ManifestDigest, Repository, Tag};
use occ_registry::{Client, Error, Event, RawManifest, copy};
use occ_trust::{Release, ReleaseError, stands_for};
use serde::{Deserialize, Serialize};

use crate::channel::Channel;
use crate::look::Trust;
use crate::survey::{Published, Survey, survey};
use crate::tags::receipt_tag;

/// How many questions are asked at the same time.
const AT_ONCE: usize = 8;

/// What makes the second registry equal to the first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncPlan {
    /// The first.
    pub from: Repository,
    /// The second.
    pub to: Repository,
    /// What the second has not, or not whole.
    pub lacking: Vec<Lacking>,
    /// Tags that it gets, in this order: those that never move, receipts, those that move.
    pub tags: Vec<SyncTag>,
    /// Tags that never move and stand for something else there.
    pub objections: Vec<SyncObjection>,
    /// What cannot be mended from the first, or is at the second alone, one sentence each. It stays as it is.
    pub told: Vec<String>,
}

/// Something that the second registry has not, or not whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lacking {
    /// The newest release that has it.
    pub channel: Channel,
    /// A variant, a base by its name, or `receipt`.
    pub name: String,
    /// Its digest.
    pub digest: ManifestDigest,
    /// Manifests of it that are not there.
    pub manifests: usize,
    /// What refers to it and is not there, or is not listed.
    pub referrers: usize,
    /// Blobs that are not there.
    pub blobs: usize,
    /// Bytes of these blobs.
    pub bytes: u64,
}

/// A tag that the second registry gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncTag {
    /// The tag.
    pub tag: Tag,
    /// What it stands for there.
    pub is: Option<ManifestDigest>,
    /// What it will stand for.
    pub to: ManifestDigest,
    /// Whether it may move.
    pub moves: bool,
    /// The name that it is signed for.
    pub name: Repository,
}

/// A tag that never moves and stands for something else at the second registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{} never moves, stands for {is} there and should stand for {}", .wanted.tag, .wanted.to)]
pub struct SyncObjection {
    /// What it stands for there.
    pub is: ManifestDigest,
    /// What it should be.
    pub wanted: SyncTag,
}

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Synced {
    /// Manifests and what refers to them, those that were there among them.
    pub manifests: usize,
    /// Blobs that were sent.
    pub blobs: usize,
    /// Tags that were given.
    pub tags: Vec<Tag>,
}

/// Why a registry is not made equal.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// Nothing was done, because tags that never move would.
    #[error("nothing was done: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Objections(Vec<SyncObjection>),
    /// A registry.
    #[error(transparent)]
    Registry(#[from] Error),
    /// Readers of the second registry would not believe it.
    #[error("{tag} is not given")]
    Unverified {
        /// The tag.
        tag: Tag,
        /// Why.
        #[source]
        source: ReleaseError,
    },
    /// Somebody else is at work there.
    #[error("{tag} was moved by somebody else since this was planned")]
    MovedMeanwhile {
        /// The tag.
        tag: Tag,
    },
}

impl SyncPlan {
    /// Returns whether both have the same.
    pub fn is_equal(&self) -> bool {
        self.lacking.is_empty() && self.tags.is_empty() && self.objections.is_empty()
    }
}

/// Compares two registries. The first is believed only where its receipts are signed.
///
/// # Errors
/// [`Error`] of a registry that cannot be asked.
pub async fn plan_sync(from: &Client, to: &Client, trust: Trust<'_>) -> Result<SyncPlan, Error> {
    let seen = survey(from, trust).await?;
    let mut told: Vec<String> = Vec::new();
    for release in &seen.releases {
        if let Some(doubt) = &release.doubt {
            let channel = release.receipt.channel;
            told.push(format!("{channel} is left out: nobody vouches for its receipt: {doubt}"));
        }
    }
    let comparing = Comparing { from, to };
    let lacking = comparing.images(&seen, &mut told).await?;
    let wanted = wanted(&seen, &mut told);
    let is = stream::iter(wanted.values()).map(|wanted| stands_for(to, &wanted.tag));
    let is: Vec<_> = is.buffered(AT_ONCE).try_collect().await?;
    let (mut tags, mut objections) = (Vec::new(), Vec::new());
    for (wanted, is) in wanted.values().zip(is) {
        match is {
            Some(is) if is == wanted.to => {}
            Some(is) if !wanted.moves => {
                let wanted = SyncTag { is: Some(is.clone()), ..wanted.clone() };
                objections.push(SyncObjection { is, wanted });
            }
            is => tags.push(SyncTag { is, ..wanted.clone() }),
        }
    }
    tags.sort_by_key(rank);
    told.extend(comparing.alone(&seen, &wanted).await?);
    let (from, to) = (from.repository().clone(), to.repository().clone());
    Ok(SyncPlan { from, to, lacking, tags, objections, told })
}

/// Receipts come after the images' tags, and what moves comes last.
fn rank(tag: &SyncTag) -> (bool, bool) {
    (tag.moves, tag.tag.as_str().starts_with("receipt-"))
}

fn believed(seen: &Survey) -> impl Iterator<Item = &Published> {
    seen.releases.iter().filter(|release| release.doubt.is_none())
}

/// Returns what tags should stand for: those that never move as the receipts say, and those that move as they do
/// at the first registry.
fn wanted(seen: &Survey, told: &mut Vec<String>) -> BTreeMap<Tag, SyncTag> {
    let mut wanted = BTreeMap::new();
    let mut moving = BTreeSet::new();
    let mut names: BTreeMap<&ManifestDigest, &Repository> = BTreeMap::new();
    for release in believed(seen) {
        let receipt = &release.receipt;
        let name = &receipt.places[0];
        let mut fix = |tag: &Tag, to: &ManifestDigest| {
            let (tag, to, name) = (tag.clone(), to.clone(), name.clone());
            let fixed = SyncTag { tag: tag.clone(), is: None, to, moves: false, name };
            wanted.entry(tag).or_insert(fixed);
        };
        for planned in &receipt.tags {
            if planned.moves {
                moving.insert(planned.tag.clone());
            } else if let Some(digest) = receipt.digest_of(&planned.of) {
                fix(&planned.tag, digest);
            }
        }
        let tag = receipt_tag(&receipt.channel);
        match receipt.channel {
            Channel::Release(_) => fix(&tag, &release.envelope),
            Channel::Edge => drop(moving.insert(tag)),
        }
        let known = receipt.indexes().into_iter().chain([&release.envelope]);
        names.extend(known.map(|digest| (digest, name)));
    }
    for (tag, to) in seen.points.iter().filter(|(tag, _)| moving.contains(tag)) {
        match names.get(to) {
            Some(name) => {
                let (tag, to, name) = (tag.clone(), to.clone(), (*name).clone());
                wanted.insert(tag.clone(), SyncTag { tag, is: None, to, moves: true, name });
            }
            None => told.push(format!("{tag} stands for {to} at the first, which no receipt has")),
        }
    }
    wanted
}

/// Both registries.
struct Comparing<'a> {
    from: &'a Client,
    to: &'a Client,
}

impl Comparing<'_> {
    /// Returns what is not there, or not whole.
    async fn images(&self, seen: &Survey, told: &mut Vec<String>) -> Result<Vec<Lacking>, Error> {
        let mut lacking = Vec::new();
        let mut known = BTreeSet::new();
        for release in believed(seen) {
            let receipt = &release.receipt;
            let variants = receipt.variants.iter().map(|it| (it.name.as_str(), &it.digest));
            let base = (receipt.base.name.as_str(), &receipt.base.digest);
            for (name, digest) in variants.chain([base, ("receipt", &release.envelope)]) {
                if !known.insert(digest) {
                    continue;
                }
                let none = Lacking {
                    channel: receipt.channel,
                    name: name.to_owned(),
                    digest: digest.clone(),
                    manifests: 0,
                    referrers: 0,
                    blobs: 0,
                    bytes: 0,
                };
                match self.one(none).await {
                    Ok(lacks) => lacking.extend(lacks),
                    Err(error) if error.reason.is_not_found() => {
                        told.push(format!(
                            "{name} of {} is not whole at the first",
                            receipt.channel
                        ));
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(lacking)
    }

    /// Returns what is not there of one thing; nothing when all is.
    async fn one(&self, mut lacking: Lacking) -> Result<Option<Lacking>, Error> {
        let root = self.from.manifest(&lacking.digest).await?;
        let whole = self.from.whole(&root).await?;
        let parts = stream::iter(&whole.parts).map(|part| self.has(&part.manifest));
        let has: Vec<bool> = parts.buffered(AT_ONCE).try_collect().await?;
        for (part, _) in whole.parts.iter().zip(has).filter(|(_, has)| !has) {
            match part.manifest.subject() {
                Some(_) => lacking.referrers += 1,
                None => lacking.manifests += 1,
            }
        }
        let mut seen = BTreeSet::new();
        let blobs = whole.parts.iter().flat_map(|part| part.manifest.parts().1);
        let blobs: Vec<&Descriptor> = blobs.filter(|blob| seen.insert(&blob.digest)).collect();
        let has = stream::iter(&blobs).map(|blob| self.to.has_blob(&blob.digest));
        let has: Vec<bool> = has.buffered(AT_ONCE).try_collect().await?;
        for (blob, _) in blobs.iter().zip(has).filter(|(_, has)| !has) {
            lacking.blobs += 1;
            lacking.bytes += blob.size;
        }
        let whole = lacking.manifests + lacking.referrers + lacking.blobs == 0;
        Ok((!whole).then_some(lacking))
    }

    /// Returns whether a manifest is there, and listed where it is about another one.
    async fn has(&self, manifest: &RawManifest) -> Result<bool, Error> {
        if !self.to.has_manifest(manifest.digest()).await? {
            return Ok(false);
        }
        let Some(subject) = manifest.subject() else { return Ok(true) };
        let subject = ManifestDigest::new(subject.digest.clone());
        let listed = self.to.referrers(&subject).await?.listed;
        Ok(listed.iter().any(|listed| listed.digest == *manifest.digest().digest()))
    }

    /// Tells what the second alone has.
    async fn alone(
        &self,
        seen: &Survey,
        wanted: &BTreeMap<Tag, SyncTag>,
    ) -> Result<Vec<String>, Error> {
        let tags = match self.to.tags().await {
            Ok(tags) => tags,
            Err(error) if error.reason.is_not_found() => Vec::new(),
            Err(error) => return Err(error),
        };
        let first: BTreeSet<&Tag> =
            seen.points.iter().map(|(tag, _)| tag).chain(wanted.keys()).collect();
        let is_list = |tag: &Tag| tag.as_str().starts_with("sha256-");
        let alone = tags.iter().filter(|tag| !first.contains(tag) && !is_list(tag));
        Ok(alone.map(|tag| format!("{tag} is at the second alone")).collect())
    }
}

/// Does what a plan says: brings what is lacking, looks at it as the second registry's readers do, and then gives
/// the tags. Tags that never move and stand for something else are changed only by `force`; without it nothing is
/// done as long as there is one. It may be done again, and goes on where it stopped.
///
/// # Errors
/// [`SyncError`].
pub async fn synchronize(
    plan: &SyncPlan,
    [from, to]: [&Client; 2],
    trust: Trust<'_>,
    force: bool,
    observer: &(dyn Fn(Event) + Send + Sync),
) -> Result<Synced, SyncError> {
    if !force && !plan.objections.is_empty() {
        return Err(SyncError::Objections(plan.objections.clone()));
    }
    let mut synced = Synced::default();
    for lacking in &plan.lacking {
        let copied = copy(from, to, &lacking.digest, &[], observer).await?;
        synced.manifests += copied.manifests + copied.referrers;
        synced.blobs += copied.uploaded + copied.mounted;
    }
    let objected = plan.objections.iter().map(|objection| &objection.wanted);
    let mut tags: Vec<&SyncTag> = plan.tags.iter().chain(objected).collect();
    tags.sort_by_key(|tag| rank(tag));
    let mut verified: BTreeMap<&ManifestDigest, RawManifest> = BTreeMap::new();
    for wanted in &tags {
        if !verified.contains_key(&wanted.to) {
            verified.insert(&wanted.to, believable(wanted, to, trust).await?);
        }
    }
    for wanted in tags {
        if stands_for(to, &wanted.tag).await? != wanted.is {
            return Err(SyncError::MovedMeanwhile { tag: wanted.tag.clone() });
        }
        to.tag(&verified[&wanted.to], &wanted.tag).await?;
        observer(Event::Tag(wanted.tag.clone()));
        synced.tags.push(wanted.tag.clone());
    }
    Ok(synced)
}

/// Reads what a tag is to stand for as the second registry's readers do.
async fn believable(
    wanted: &SyncTag,
    to: &Client,
    trust: Trust<'_>,
) -> Result<RawManifest, SyncError> {
    let manifest = to.manifest(&wanted.to).await?;
    let Trust { policy, root, now } = trust;
    let release = Release { name: &wanted.name, titles: &[], policy, root, now };
    match release.verify(to, &manifest).await {
        Ok(_) => Ok(manifest),
        Err(source) => Err(SyncError::Unverified { tag: wanted.tag.clone(), source }),
    }
}
