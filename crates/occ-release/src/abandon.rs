//! Giving a release up: what moved is moved back, and what was brought to registries is removed.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use occ_oci::ManifestDigest;
use occ_registry::{Client, Error};
use occ_trust::stands_for;
use serde_json::Value;

use crate::journal::{Ended, Entry, Journal, JournalError};
use crate::plan::ReleasePlan;
use crate::step::Step;

/// What was removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Abandoned {
    /// Manifests that are gone.
    pub removed: usize,
    /// Tags that moved back.
    pub moved_back: Vec<String>,
    /// What could not be removed, and why; nobody finds it but by its digest.
    pub left: Vec<String>,
}

/// Why a release cannot be given up.
#[derive(Debug, thiserror::Error)]
pub enum AbandonError {
    /// It is released.
    #[error("{0} is released: it cannot be given up, but what moved can be moved back")]
    Released(String),
    /// A registry cannot be asked.
    #[error(transparent)]
    Registry(#[from] Error),
    /// It cannot be written down.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// Gives a release up. It may be done again.
///
/// # Errors
/// [`AbandonError`].
///
/// # Panics
/// Never: the base's name is a tag.
pub async fn abandon(
    journal: &mut Journal,
    places: &[Client],
    now: Timestamp,
) -> Result<Abandoned, AbandonError> {
    let plan = journal.plan().clone();
    if journal.done(&Step::Move).is_some() {
        return Err(AbandonError::Released(plan.channel.to_string()));
    }
    let (images, base) = made(&plan, journal);
    let mut abandoned = Abandoned::default();
    for place in places {
        move_back(&plan, place, &images, &mut abandoned).await?;
        let mut gone: BTreeSet<ManifestDigest> = images.clone();
        // Others may build on the base once it has its name.
        let name = plan.base.name.parse().expect("a lint looked at the tags");
        if stands_for(place, &name).await?.is_none() {
            gone.extend(base.iter().cloned());
        }
        gone.extend(said(journal, place, &gone));
        for digest in &gone {
            match place.delete_manifest(digest).await {
                Ok(was_there) => abandoned.removed += usize::from(was_there),
                Err(error) => abandoned.left.push(error.to_string()),
            }
        }
    }
    journal.note(Entry { step: None, began: now, at: now, ended: Ended::Abandoned })?;
    Ok(abandoned)
}

/// Returns the digests of images that are this release's alone, and those of the base.
fn made(
    plan: &ReleasePlan,
    journal: &Journal,
) -> (BTreeSet<ManifestDigest>, BTreeSet<ManifestDigest>) {
    let digests = journal.done(&Step::Assemble).map(|facts| facts["digests"].clone());
    let digests: BTreeMap<String, ManifestDigest> =
        digests.and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default();
    let is_base = |name: &str| name.split('@').next() == Some(plan.base.name.as_str());
    let (base, images): (Vec<_>, Vec<_>) = digests.into_iter().partition(|(name, _)| is_base(name));
    let digests =
        |named: Vec<(String, ManifestDigest)>| named.into_iter().map(|(_, it)| it).collect();
    (digests(images), digests(base))
}

/// Returns what was said about some manifests at a place, and the receipt.
fn said(
    journal: &Journal,
    place: &Client,
    about: &BTreeSet<ManifestDigest>,
) -> Vec<ManifestDigest> {
    let step = Step::Attach { place: place.repository().clone() };
    let proofs = journal.done(&step).map(|facts| facts["proofs"].clone()).unwrap_or_default();
    let of = |proof: &Value, name: &str| serde_json::from_value(proof[name].clone()).ok();
    let proofs = proofs.as_array().cloned().unwrap_or_default();
    let said = proofs.iter().filter_map(|proof| {
        let subject: ManifestDigest = of(proof, "subject")?;
        about.contains(&subject).then(|| of(proof, "referrer"))?
    });
    let receipt = journal.done(&Step::Receipt).and_then(|facts| of(facts, "digest"));
    said.chain(receipt).collect()
}

/// Moves back what stands for an image of the release.
async fn move_back(
    plan: &ReleasePlan,
    place: &Client,
    images: &BTreeSet<ManifestDigest>,
    abandoned: &mut Abandoned,
) -> Result<(), AbandonError> {
    for before in plan.before.iter().filter(|before| before.place == *place.repository()) {
        let is = stands_for(place, &before.tag).await?;
        if is.is_some_and(|is| images.contains(&is)) {
            place.retag(&before.is, &before.tag).await?;
            abandoned.moved_back.push(format!("{}:{}", before.place, before.tag));
        }
    }
    Ok(())
}
