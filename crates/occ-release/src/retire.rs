//! Letting go what a retention plan says: by digest, at every place, the receipt last.
//!
//! What is cut off or refused half-way still has its receipt, so that the next plan finds it again.

use std::collections::BTreeSet;

use occ_oci::{ManifestDigest, Repository, Tag};
use occ_registry::{Client, Error, Reason, TagList};
use occ_trust::stands_for;
use serde::{Deserialize, Serialize};

use crate::retention::{Removal, RetentionPlan};
use crate::survey::points;

/// What goes of that which refers to a removed manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attachments {
    /// What is on the receipt. What others signed stays, as does the signature of the receipt itself.
    OnReceipt,
    /// Everything that is really about a removed manifest, and the lists of it that some registries have as tags.
    All,
}

/// What went.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retired {
    /// Manifests that are gone.
    pub removed: usize,
    /// What was left alone, because something stands for it by now: why, one each.
    pub passed_over: Vec<String>,
    /// What a registry refused. Receipts of these are still there.
    pub refused: Vec<Refusal>,
}

/// Something that a registry did not remove.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Which registry.
    pub place: Repository,
    /// What: a manifest, or how many were not tried any more.
    pub what: String,
    /// Why.
    pub why: String,
}

/// Removes what a plan says. It may be done again.
///
/// # Errors
/// [`Error`] when a registry cannot be asked what its tags stand for; then nothing goes anywhere.
pub async fn retire(
    plan: &RetentionPlan,
    places: &[Client],
    attachments: Attachments,
) -> Result<Retired, Error> {
    let mut stands = Vec::new();
    for place in places {
        stands.push(standing(plan, place).await?);
    }
    let mut retired = Retired::default();
    for (place, stands) in places.iter().zip(&stands) {
        let mut going = Going { place, attachments, retired: &mut retired, kept: BTreeSet::new() };
        going.all(plan, stands).await;
    }
    Ok(retired)
}

/// Returns what tags stand for that nobody planned to remove.
async fn standing(
    plan: &RetentionPlan,
    place: &Client,
) -> Result<Vec<(Tag, ManifestDigest)>, Error> {
    match place.tags().await {
        Ok(tags) => points(place, &plan.fixed, tags.into_iter().collect()).await,
        Err(error) if error.reason.is_not_found() => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// One place, from which something goes.
struct Going<'a> {
    place: &'a Client,
    attachments: Attachments,
    retired: &'a mut Retired,
    /// Names of which something is still there.
    kept: BTreeSet<String>,
}

impl Going<'_> {
    async fn all(&mut self, plan: &RetentionPlan, stands: &[(Tag, ManifestDigest)]) {
        let here = |removal: &&Removal| removal.places.contains(self.place.repository());
        let removals: Vec<&Removal> = plan.removals.iter().filter(here).collect();
        let mut going = Vec::new();
        for removal in removals {
            let mut own = removal.images.iter().chain(&removal.receipt);
            let stood = own.find_map(|it| stands.iter().find(|(_, digest)| digest == it));
            match stood {
                Some((tag, _)) => self.pass_over(removal, tag),
                None => going.push(removal),
            }
        }
        // A base stays with the release that stays after all.
        let bases: Vec<String> = plan
            .removals
            .iter()
            .filter(|it| self.kept.contains(&it.name))
            .filter_map(|it| it.base.clone())
            .collect();
        going.retain(|removal| removal.base.is_some() || !bases.contains(&removal.name));
        self.kept.extend(bases);
        let mut queue: Vec<(&Removal, Vec<&ManifestDigest>)> = going
            .iter()
            .map(|removal| (*removal, removal.images.iter().chain(&removal.proofs).collect()))
            .collect();
        queue.retain(|(_, digests)| !digests.is_empty());
        if self.manifests(&queue).await {
            let receipts = going.iter().filter_map(|it| Some((*it, vec![it.receipt.as_ref()?])));
            let whole = |(removal, _): &(&Removal, _)| !self.is_kept(removal);
            let receipts: Vec<_> = receipts.filter(whole).collect();
            self.manifests(&receipts).await;
        }
    }

    fn pass_over(&mut self, removal: &Removal, tag: &Tag) {
        let (name, place) = (&removal.name, self.place.repository());
        self.retired.passed_over.push(format!("{name} at {place}: {tag} stands for it by now"));
        self.kept.insert(name.clone());
    }

    fn is_kept(&self, removal: &Removal) -> bool {
        std::iter::once(&removal.name).chain(&removal.base).any(|name| self.kept.contains(name))
    }

    /// Removes manifests; returns whether the place goes on removing.
    async fn manifests(&mut self, queue: &[(&Removal, Vec<&ManifestDigest>)]) -> bool {
        let mut left: usize = queue.iter().map(|(_, digests)| digests.len()).sum();
        for (removal, digests) in queue {
            for digest in digests {
                left -= 1;
                let Err(error) = self.one(digest).await else { continue };
                let is_final = is_final(&error.reason);
                self.refuse(format!("{digest} of {}", removal.name), &error);
                self.kept.insert(removal.name.clone());
                if is_final {
                    if left > 0 {
                        self.refuse(format!("{left} more, which were not tried"), &error);
                    }
                    return false;
                }
            }
        }
        true
    }

    /// Removes a manifest, and before it what is about it.
    async fn one(&mut self, digest: &ManifestDigest) -> Result<(), Error> {
        if self.attachments == Attachments::All {
            self.attached(digest).await?;
        }
        self.retired.removed += usize::from(self.place.delete_manifest(digest).await?);
        Ok(())
    }

    async fn attached(&mut self, digest: &ManifestDigest) -> Result<(), Error> {
        let found = self.place.referrers(digest).await?;
        for listed in found.listed {
            // What is listed and is about something else is somebody else's.
            if let Ok(referrer) = self.place.referrer(digest, &listed).await {
                let gone = self.place.delete_manifest(referrer.digest()).await?;
                self.retired.removed += usize::from(gone);
            }
        }
        let list = digest.digest().to_string().replace(':', "-").parse::<Tag>();
        if let Ok(list) = list
            && matches!(found.tag, TagList::Listed(_))
            && let Some(list) = stands_for(self.place, &list).await?
        {
            self.retired.removed += usize::from(self.place.delete_manifest(&list).await?);
        }
        Ok(())
    }

    fn refuse(&mut self, what: String, error: &Error) {
        let (place, why) = (self.place.repository().clone(), error.reason.to_string());
        self.retired.refused.push(Refusal { place, what, why });
    }
}

/// Whether the registry will say the same of everything else.
fn is_final(reason: &Reason) -> bool {
    matches!(
        reason,
        Reason::Unauthorized | Reason::Denied { .. } | Reason::Refused { status: 405, .. }
    )
}
