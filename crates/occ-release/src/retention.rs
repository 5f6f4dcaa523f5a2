//! Which releases registries keep, and what goes with those that they do not keep. Pure: it follows from what
//! was looked at.
//!
//! A release stays while any reason for it is left: it is new, young, the first of its series (`X.Y`), or a tag
//! stands for it that is not its own for good. The last of a series needs no rule: the tag `X.Y` stands for it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use occ_oci::{ManifestDigest, Repository, Tag};
use serde::{Deserialize, Serialize};

use crate::channel::Channel;
use crate::receipt::ReceiptImage;
use crate::survey::{Published, Survey};

/// What is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetentionRules {
    /// How many of the newest releases.
    pub newest: usize,
    /// Whatever is younger, in days.
    pub days: u32,
}

impl Default for RetentionRules {
    /// The newest ten, and whatever is younger than thirty days.
    fn default() -> Self {
        Self { newest: 10, days: 30 }
    }
}

/// What stays and what goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetentionPlan {
    /// The rules.
    pub rules: RetentionRules,
    /// Releases that stay, newest first.
    pub kept: Vec<KeptRelease>,
    /// Releases that go, oldest first, and bases that only they used.
    pub removals: Vec<Removal>,
    /// Tags that a receipt has for good. What else stands for anything here is looked at again before it goes.
    pub fixed: BTreeSet<Tag>,
    /// Bytes that registries need not keep any more, each layer counted once.
    pub bytes: u64,
}

/// A release that stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptRelease {
    /// Which.
    pub channel: Channel,
    /// Why, one reason each.
    pub why: Vec<String>,
}

/// Something that goes: a release, or a base. All of it is on a receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removal {
    /// Version of the release, or name of the base.
    pub name: String,
    /// Name of the base of a release; of a base, none.
    pub base: Option<String>,
    /// Why.
    pub why: String,
    /// Where.
    pub places: Vec<Repository>,
    /// Tags that go with it.
    pub tags: BTreeSet<Tag>,
    /// Its lists and images, the lists first.
    pub images: Vec<ManifestDigest>,
    /// What is signed about them.
    pub proofs: Vec<ManifestDigest>,
    /// The manifest around its receipt, which goes last; of a base, none.
    pub receipt: Option<ManifestDigest>,
    /// Bytes that registries need not keep any more.
    pub bytes: u64,
}

/// Decides what stays, from what all registries have.
pub fn plan_retention(surveys: &[Survey], rules: RetentionRules, now: Timestamp) -> RetentionPlan {
    let all = Releases::of(surveys);
    let mut kept = Vec::new();
    let mut going = Vec::new();
    for held in &all.held {
        let why = all.reasons(held, rules, now);
        if why.is_empty() { going.push(held) } else { kept.push((held, why)) }
    }
    going.reverse();
    let staying = Staying::of(&all, kept.iter().map(|(held, _)| *held));
    let mut counted = staying.layers.clone();
    let mut removals: Vec<Removal> =
        going.iter().map(|held| release(held, &staying, &mut counted)).collect();
    let mut bases: BTreeMap<&str, Removal> = BTreeMap::new();
    for held in going.iter().filter(|held| !staying.uses(held.release)) {
        base(held, &all, &staying, &mut counted, &mut bases);
    }
    removals.extend(bases.into_values());
    RetentionPlan {
        rules,
        kept: kept
            .into_iter()
            .map(|(held, why)| KeptRelease { channel: held.release.receipt.channel, why })
            .collect(),
        bytes: removals.iter().map(|removal| removal.bytes).sum(),
        removals,
        fixed: all.held.iter().flat_map(|held| held.release.fixed()).collect(),
    }
}

/// A release, and where it is.
struct Held<'a> {
    release: &'a Published,
    places: Vec<&'a Repository>,
    /// Why nothing can be decided from its receipt.
    doubts: Vec<String>,
}

/// Everything that was looked at, newest first.
struct Releases<'a> {
    held: Vec<Held<'a>>,
    /// What tags stand for, but for those that a receipt has for good.
    points: BTreeMap<&'a ManifestDigest, BTreeSet<&'a str>>,
}

impl<'a> Releases<'a> {
    fn of(surveys: &'a [Survey]) -> Self {
        let mut held: Vec<Held<'a>> = Vec::new();
        for (place, release) in surveys
            .iter()
            .flat_map(|survey| survey.releases.iter().map(move |release| (&survey.place, release)))
        {
            let doubt = release.doubt.as_ref();
            let doubt =
                doubt.map(|why| format!("nobody vouches for its receipt at {place}: {why}"));
            let is_it = |held: &&mut Held<'_>| held.release.receipt == release.receipt;
            match held.iter_mut().find(is_it) {
                Some(known) => {
                    known.places.push(place);
                    known.doubts.extend(doubt);
                }
                None => held.push(Held {
                    release,
                    places: vec![place],
                    doubts: doubt.into_iter().collect(),
                }),
            }
        }
        let mut times: BTreeMap<String, usize> = BTreeMap::new();
        for one in &held {
            *times.entry(one.release.receipt.channel.to_string()).or_default() += 1;
        }
        for one in &mut held {
            if times[&one.release.receipt.channel.to_string()] > 1 {
                one.doubts.push("registries have different receipts of it".to_owned());
            }
        }
        held.sort_by_key(|held| std::cmp::Reverse(held.release.receipt.seq));
        let mut points: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for (tag, digest) in surveys.iter().flat_map(|survey| &survey.points) {
            points.entry(digest).or_default().insert(tag.as_str());
        }
        Self { held, points }
    }

    /// Returns why a release stays.
    fn reasons(&self, held: &Held<'_>, rules: RetentionRules, now: Timestamp) -> Vec<String> {
        let mut why = held.doubts.clone();
        let tags = self.tags(&held.release.own());
        if !tags.is_empty() {
            why.push(format!("{} for it", stand(&tags)));
        }
        let receipt = &held.release.receipt;
        if now.duration_since(receipt.created) < days(rules.days) {
            why.push(format!("it is younger than {} days", rules.days));
        }
        // What nobody vouches for stays, and pushes nothing else out.
        let good = || self.held.iter().filter(|held| held.doubts.is_empty());
        let versions = || good().filter_map(|it| it.release.receipt.channel.version());
        let Some(version) = receipt.channel.version() else { return why };
        if versions().take(rules.newest).any(|new| new == version) {
            why.push(format!("it is one of the newest {}", rules.newest));
        }
        let series = versions().filter(|it| (it.major, it.minor) == (version.major, version.minor));
        if series.min() == Some(version) {
            why.push(format!("it is the first of {}.{}", version.major, version.minor));
        }
        why
    }

    /// Returns the tags that stand for one of some manifests.
    fn tags(&self, digests: &[&ManifestDigest]) -> BTreeSet<&'a str> {
        digests.iter().filter_map(|digest| self.points.get(*digest)).flatten().copied().collect()
    }
}

fn days(days: u32) -> SignedDuration {
    SignedDuration::from_hours(i64::from(days) * 24)
}

fn stand(tags: &BTreeSet<&str>) -> String {
    let names = tags.iter().copied().collect::<Vec<_>>().join(", ");
    format!("{names} {}", if tags.len() == 1 { "stands" } else { "stand" })
}

/// What is not touched.
struct Staying<'a> {
    manifests: BTreeSet<&'a ManifestDigest>,
    bases: BTreeSet<&'a ManifestDigest>,
    layers: BTreeSet<String>,
}

impl<'a> Staying<'a> {
    fn of<'b>(all: &Releases<'a>, kept: impl Iterator<Item = &'b Held<'a>>) -> Self
    where
        'a: 'b,
    {
        let mut staying =
            Self { manifests: BTreeSet::new(), bases: BTreeSet::new(), layers: BTreeSet::new() };
        for Held { release, .. } in kept {
            let receipt = &release.receipt;
            staying.bases.insert(&receipt.base.digest);
            staying.manifests.extend(release.own());
            staying.manifests.extend(receipt.proofs.iter().map(|proof| &proof.referrer));
            let images = receipt.variants.iter().flat_map(|variant| &variant.images);
            staying.add_layers(images);
        }
        for Held { release, .. } in &all.held {
            let base = &release.receipt.base;
            // Several releases have one base, and a tag may stand for one that none of those that stay is made of.
            if staying.bases.contains(&base.digest) || !all.tags(&release.base()).is_empty() {
                staying.bases.insert(&base.digest);
                staying.manifests.extend(release.base());
                staying.add_layers(base.images.iter());
            }
        }
        staying
    }

    fn add_layers<'b>(&mut self, images: impl Iterator<Item = &'b ReceiptImage>) {
        self.layers.extend(images.flat_map(layers).map(|(digest, _)| digest));
    }

    fn uses(&self, release: &Published) -> bool {
        self.bases.contains(&release.receipt.base.digest)
    }

    fn without(&self, digests: &[&ManifestDigest]) -> Vec<ManifestDigest> {
        let mut seen = BTreeSet::new();
        let gone = digests.iter().filter(|it| !self.manifests.contains(**it) && seen.insert(**it));
        gone.map(|digest| (*digest).clone()).collect()
    }
}

fn layers(image: &ReceiptImage) -> impl Iterator<Item = (String, u64)> + '_ {
    image.layers.iter().map(|layer| (layer.digest.to_string(), layer.size))
}

/// Returns the bytes of images, without layers that were counted.
fn bytes<'a>(
    images: impl Iterator<Item = &'a ReceiptImage>,
    counted: &mut BTreeSet<String>,
) -> u64 {
    let mut bytes = 0;
    for image in images {
        let all: u64 = image.layers.iter().map(|layer| layer.size).sum();
        let documents = image.size.saturating_sub(all);
        let fresh = layers(image).filter(|(digest, _)| counted.insert(digest.clone()));
        bytes += documents + fresh.map(|(_, size)| size).sum::<u64>();
    }
    bytes
}

fn release(held: &Held<'_>, staying: &Staying<'_>, counted: &mut BTreeSet<String>) -> Removal {
    let Published { envelope, receipt, .. } = held.release;
    let own = held.release.own();
    let (_, images) = own.split_last().expect("there is always a receipt");
    let proofs = receipt.proofs.iter().filter(|proof| images.contains(&&proof.subject));
    let proofs: Vec<_> = proofs.map(|proof| &proof.referrer).collect();
    let is_its_own = |tag: &Tag| tag.as_str() != receipt.base.name;
    Removal {
        name: receipt.channel.to_string(),
        base: Some(receipt.base.name.clone()),
        why: "no rule keeps it".to_owned(),
        places: held.places.iter().map(|place| (*place).clone()).collect(),
        tags: held.release.fixed().into_iter().filter(is_its_own).collect(),
        images: staying.without(images),
        proofs: staying.without(&proofs),
        receipt: Some(envelope.clone()),
        bytes: bytes(receipt.variants.iter().flat_map(|variant| &variant.images), counted),
    }
}

/// Adds the base of a release that goes to the bases that go.
fn base<'a>(
    held: &Held<'a>,
    all: &Releases<'a>,
    staying: &Staying<'_>,
    counted: &mut BTreeSet<String>,
    bases: &mut BTreeMap<&'a str, Removal>,
) {
    let receipt = &held.release.receipt;
    let own = held.release.base();
    let proofs = all.held.iter().flat_map(|held| &held.release.receipt.proofs);
    let proofs: Vec<_> =
        proofs.filter(|it| own.contains(&&it.subject)).map(|it| &it.referrer).collect();
    let removal = bases.entry(&receipt.base.name).or_insert_with(|| Removal {
        name: receipt.base.name.clone(),
        base: None,
        why: "no release that stays is made of it".to_owned(),
        places: Vec::new(),
        tags: receipt.base.name.parse().into_iter().collect(),
        images: Vec::new(),
        proofs: Vec::new(),
        receipt: None,
        bytes: 0,
    });
    removal.bytes += bytes(receipt.base.images.iter(), counted);
    for (all, more) in [(&mut removal.images, own), (&mut removal.proofs, proofs)] {
        let more = staying.without(&more);
        all.extend(more.into_iter().filter(|it| !all.contains(it)).collect::<Vec<_>>());
    }
    let more = held.places.iter().filter(|it| !removal.places.contains(**it));
    let more: Vec<_> = more.map(|place| (*place).clone()).collect();
    removal.places.extend(more);
}
