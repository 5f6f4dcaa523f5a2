//! Looking for what belongs to an image, everywhere where it could be: every channel of every registry, and
//! nothing is left out for what a list says it is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use occ_oci::{Descriptor, Digest, Host, ManifestDigest, MediaType, Tag};
use occ_registry::{Client, Document, Error, RawManifest, Reason as Why, TagList};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::evidence::{
    Answer, Asking, Channel, Content, Entry, Evidence, LARGEST_ENTRY, LARGEST_EVIDENCE,
    MOST_ENTRIES,
};
use crate::verdict::{Code, Reason};

/// How the kinds of bundles begin, whatever their version.
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle";
pub(crate) const SIMPLE_SIGNING: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
const ENVELOPE: &str = "application/vnd.dsse.envelope.v1+json";
/// How many things are fetched at the same time.
const AT_ONCE: usize = 6;

/// Looks for what belongs to an image; the places hold the same repository.
///
/// There is no error: who could not be asked is part of the answer.
pub async fn discover(places: &[Client], image: &RawManifest) -> Evidence {
    let subject = image.digest().clone();
    let mut evidence = Evidence::none(subject.clone());
    let mut asking = JoinSet::new();
    for (number, place) in places.iter().enumerate() {
        let (place, subject) = (place.clone(), subject.clone());
        asking.spawn(async move { (number, ask(place, &subject).await) });
    }
    let mut answers = asking.join_all().await;
    answers.sort_by_key(|(number, _)| *number);
    let mut found = Vec::new();
    for (_, (asked, listed)) in answers {
        evidence.asked.extend(asked);
        found.extend(listed);
    }
    evidence.differing = differing(places, &evidence.asked, &found);
    let (junk, found): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|one| one.thing == Thing::Junk);
    evidence.entries.extend(junk.into_iter().map(|one| {
        let reason = Reason::new(Code::Malformed, "an entry of the list is no descriptor");
        one.entry(subject.digest().clone(), Content::Refused(reason))
    }));
    let groups = by_digest(found);
    evidence.left = groups.len().saturating_sub(MOST_ENTRIES);
    collect(&mut evidence, groups.into_iter().take(MOST_ENTRIES)).await;
    evidence
}

/// Something that a channel of a registry has.
#[derive(Clone)]
struct Found {
    place: Client,
    channel: Channel,
    thing: Thing,
}

#[derive(Clone, PartialEq)]
enum Thing {
    /// An entry of a list.
    Listed(Descriptor),
    /// What a tag of the first form stands for.
    Tagged(RawManifest),
    /// An entry of a list that is none.
    Junk,
}

impl Found {
    fn digest(&self) -> Option<&Digest> {
        match &self.thing {
            Thing::Listed(listed) => Some(&listed.digest),
            Thing::Tagged(manifest) => Some(manifest.digest().digest()),
            Thing::Junk => None,
        }
    }

    fn entry(&self, digest: Digest, content: Content) -> Entry {
        Entry { registry: self.place.host().clone(), channel: self.channel, digest, content }
    }
}

/// Asks all channels of a registry at the same time.
async fn ask(place: Client, subject: &ManifestDigest) -> (Vec<Asking>, Vec<Found>) {
    let (api, tag, signatures, attestations) = tokio::join!(
        listed(&place, subject, Channel::ReferrersApi),
        listed(&place, subject, Channel::ReferrersTag),
        tagged(&place, subject, Channel::LegacySignatures),
        tagged(&place, subject, Channel::LegacyAttestations),
    );
    let mut asked = Vec::new();
    let mut found = Vec::new();
    for (channel, answer) in [
        (Channel::ReferrersApi, api),
        (Channel::ReferrersTag, tag),
        (Channel::LegacySignatures, signatures),
        (Channel::LegacyAttestations, attestations),
    ] {
        let answer = match answer {
            Ok(things) if things.is_empty() => Answer::Nothing,
            Ok(things) => {
                let count = things.len();
                let of = |thing| Found { place: place.clone(), channel, thing };
                found.extend(things.into_iter().map(of));
                Answer::Listed { count }
            }
            Err(why) => Answer::Failed { why },
        };
        asked.push(Asking { registry: place.host().to_string(), channel, answer });
    }
    (asked, found)
}

async fn listed(
    place: &Client,
    subject: &ManifestDigest,
    channel: Channel,
) -> Result<Vec<Thing>, String> {
    let found = match channel {
        Channel::ReferrersApi => place.referrers_by_api(subject).await,
        _ => place.referrers_by_tag(subject).await,
    };
    let found = found.map_err(|error| told(&error))?;
    if found.tag == TagList::NotAList {
        return Err(format!(
            "{}: the tag that lists what belongs to {subject} is no list",
            place.host()
        ));
    }
    let listed = found.listed.into_iter().map(Thing::Listed);
    Ok(listed.chain(std::iter::repeat_n(Thing::Junk, found.unreadable)).collect())
}

async fn tagged(
    place: &Client,
    subject: &ManifestDigest,
    channel: Channel,
) -> Result<Vec<Thing>, String> {
    let tag = legacy_tag(subject, channel)?;
    match place.resolve(&tag).await {
        Ok(resolved) => Ok(vec![Thing::Tagged(resolved.manifest)]),
        Err(error) if error.reason.is_not_found() => Ok(Vec::new()),
        Err(error) => Err(told(&error)),
    }
}

/// Returns the tag of cosign's first form for an image.
pub(crate) fn legacy_tag(subject: &ManifestDigest, channel: Channel) -> Result<Tag, String> {
    let ending = if channel == Channel::LegacySignatures { "sig" } else { "att" };
    let name = subject.to_string().replace(':', "-");
    format!("{name}.{ending}").parse().map_err(|error: occ_oci::ParseNameError| error.to_string())
}

/// Returns an error with its causes.
fn told(error: &Error) -> String {
    let mut told = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        told.push_str(&format!(": {error}"));
        cause = error.source();
    }
    told
}

/// Returns what is listed somewhere and not at a registry of which every channel answered.
fn differing(places: &[Client], asked: &[Asking], found: &[Found]) -> Vec<(Host, Digest)> {
    let mut out = Vec::new();
    let everything: BTreeSet<_> = found.iter().filter_map(Found::digest).collect();
    for place in places {
        let host = place.host().to_string();
        let own = |asking: &&Asking| asking.registry == host;
        if asked.iter().filter(own).any(|asking| matches!(asking.answer, Answer::Failed { .. })) {
            continue;
        }
        let here = found.iter().filter(|one| one.place.host() == place.host());
        let here: BTreeSet<_> = here.filter_map(Found::digest).collect();
        let missing = everything.difference(&here).take(MOST_ENTRIES);
        out.extend(missing.map(|digest| (place.host().clone(), (*digest).clone())));
    }
    out
}

/// Groups by digest, in the order of finding.
fn by_digest(found: Vec<Found>) -> Vec<(Digest, Vec<Found>)> {
    let mut groups: Vec<(Digest, Vec<Found>)> = Vec::new();
    let mut at = BTreeMap::new();
    for one in found {
        let Some(digest) = one.digest().cloned() else { continue };
        let at = *at.entry(digest.clone()).or_insert(groups.len());
        if at == groups.len() {
            groups.push((digest, Vec::new()));
        }
        groups[at].1.push(one);
    }
    groups
}

/// Fetches what is listed, each thing from the first place that gives it.
async fn collect(evidence: &mut Evidence, groups: impl Iterator<Item = (Digest, Vec<Found>)>) {
    let room =
        Arc::new(Room { doors: Semaphore::new(AT_ONCE), left: AtomicUsize::new(LARGEST_EVIDENCE) });
    let mut fetching = JoinSet::new();
    for (number, (_, at)) in groups.enumerate() {
        let (room, subject) = (Arc::clone(&room), evidence.subject.clone());
        fetching.spawn(async move { (number, room.fetch(&subject, &at).await) });
    }
    let mut fetched = fetching.join_all().await;
    fetched.sort_by_key(|(number, _)| *number);
    for (_, (entries, left)) in fetched {
        let room = MOST_ENTRIES.saturating_sub(evidence.entries.len());
        evidence.left += left + entries.len().saturating_sub(room);
        evidence.entries.extend(entries.into_iter().take(room));
    }
}

/// How much may be fetched, and how much at the same time.
struct Room {
    doors: Semaphore,
    left: AtomicUsize,
}

impl Room {
    /// Fetches one thing; also returns how much of it there was no room for.
    async fn fetch(&self, subject: &ManifestDigest, at: &[Found]) -> (Vec<Entry>, usize) {
        let _door = self.doors.acquire().await;
        let mut why = Vec::new();
        for one in at {
            match self.fetch_at(subject, one).await {
                Ok(fetched) => return fetched,
                Err(Error { reason: Why::NotAbout { .. }, .. }) => {
                    let reason = Reason::new(Code::NotAbout, "it is listed here and about another");
                    return (vec![of(one, Content::Refused(reason))], 0);
                }
                Err(error) => why.push(told(&error)),
            }
        }
        let content = Content::Unfetched(why.join("; "));
        (at.first().map(|one| of(one, content)).into_iter().collect(), 0)
    }

    async fn fetch_at(
        &self,
        subject: &ManifestDigest,
        one: &Found,
    ) -> Result<(Vec<Entry>, usize), Error> {
        let manifest = match &one.thing {
            Thing::Listed(listed) => one.place.referrer(subject, listed).await?,
            Thing::Tagged(manifest) => manifest.clone(),
            Thing::Junk => return Ok((Vec::new(), 0)),
        };
        let Document::Manifest(document) = manifest.document() else {
            let kind = manifest.media_type().to_string();
            return Ok((vec![of(one, Content::Other(kind))], 0));
        };
        let mut entries = Vec::new();
        let mut left = 0;
        for layer in document.layers.iter().take(MOST_ENTRIES) {
            match self.layer(one, layer).await? {
                Some(content) => entries.push(one.entry(named(one, layer), content)),
                None => left += 1,
            }
        }
        Ok((entries, left + document.layers.len().saturating_sub(MOST_ENTRIES)))
    }

    /// Fetches a layer; none when there is no room for it.
    async fn layer(&self, one: &Found, layer: &Descriptor) -> Result<Option<Content>, Error> {
        let kind = layer.media_type.as_str();
        if !(kind.starts_with(BUNDLE) || kind == SIMPLE_SIGNING || kind == ENVELOPE) {
            return Ok(Some(Content::Other(kind.to_owned())));
        }
        let Ok(size) = usize::try_from(layer.size)
            .map_err(drop)
            .and_then(|size| if size > LARGEST_ENTRY { Err(()) } else { Ok(size) })
        else {
            let detail = format!("it has {} bytes", layer.size);
            return Ok(Some(Content::Refused(Reason::new(Code::TooLarge, detail))));
        };
        let take = |left: usize| left.checked_sub(size);
        if self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).is_err() {
            return Ok(None);
        }
        let bytes = one.place.blob_bytes(layer, LARGEST_ENTRY).await?;
        let beside = layer.annotations.clone();
        Ok(Some(match kind {
            SIMPLE_SIGNING => Content::SimpleSigning(bytes, beside),
            ENVELOPE => Content::Envelope(bytes, beside),
            _ => Content::Bundle(bytes),
        }))
    }
}

fn of(one: &Found, content: Content) -> Entry {
    let digest = one.digest().cloned().unwrap_or_else(|| Digest::sha256(b""));
    one.entry(digest, content)
}

/// A referrer is called by its manifest, a layer of the first form by itself.
fn named(one: &Found, layer: &Descriptor) -> Digest {
    match &one.thing {
        Thing::Listed(listed) => listed.digest.clone(),
        _ => layer.digest.clone(),
    }
}

/// Returns the kind of a layer with a bundle, and of the manifest around it.
pub(crate) fn bundle_type() -> MediaType {
    MediaType::Other(format!("{BUNDLE}.v0.3+json"))
}
