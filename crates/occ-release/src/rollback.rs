//! Letting the names that move stand for an earlier release again: all of them, or none.
//!
//! Whoever saw the newer release takes an older number for an attempt to go back. So the earlier release is signed
//! once more with a number of its own, and only then its names move.

use jiff::Timestamp;
use occ_oci::{ManifestDigest, Repository, Tag};
use occ_registry::{Client, Error, RawManifest};
use occ_trust::{Release, ReleaseError, Title, ToSign, attach_all, stands_for};
use serde::{Deserialize, Serialize};

use crate::channel::Channel;
use crate::look::Trust;
use crate::ports::Ports;
use crate::receipt::{Receipt, ReceiptVariant};
use crate::statements::labels;

/// A tag that goes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Return {
    /// Where.
    pub place: Repository,
    /// The tag.
    pub tag: Tag,
    /// What it stands for.
    pub from: Option<ManifestDigest>,
    /// What it will stand for.
    pub to: ManifestDigest,
}

/// What going back to a release means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollbackPlan {
    /// The release.
    pub to: Channel,
    /// The number that it gets.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// Tags that go back.
    pub returns: Vec<Return>,
}

/// Why names do not go back.
#[derive(Debug, thiserror::Error)]
pub enum RollbackError {
    /// A registry cannot be asked.
    #[error(transparent)]
    Registry(#[from] Error),
    /// The earlier release cannot be signed again.
    #[error("it cannot be signed again")]
    Sign(#[source] occ_registry::Cause),
    /// Its readers would not believe it, or a name cannot be moved. What had moved was moved back.
    #[error("nothing has moved")]
    Tags(#[source] ReleaseError),
    /// Some names moved and could not be moved back.
    #[error("{} moved and could not be moved back", .stuck.join(", "))]
    Half {
        /// Which.
        stuck: Vec<String>,
        /// Why not all could be moved.
        #[source]
        source: ReleaseError,
    },
}

/// Plans going back: pure but for asking what the names stand for.
///
/// # Errors
/// [`Error`] of a registry.
pub async fn plan_rollback(
    receipt: &Receipt,
    places: &[Client],
    now: Timestamp,
) -> Result<RollbackPlan, Error> {
    let mut returns = Vec::new();
    for place in places {
        for planned in receipt.tags.iter().filter(|planned| planned.moves) {
            let Some(to) = receipt.digest_of(&planned.of).cloned() else { continue };
            let from = stands_for(place, &planned.tag).await?;
            if from.as_ref() != Some(&to) {
                let (place, tag) = (place.repository().clone(), planned.tag.clone());
                returns.push(Return { place, tag, from, to });
            }
        }
    }
    Ok(RollbackPlan { to: receipt.channel, seq: now.as_second().unsigned_abs(), at: now, returns })
}

/// Goes back.
///
/// # Errors
/// [`RollbackError`].
pub async fn roll_back<P: Ports>(
    plan: &RollbackPlan,
    receipt: &Receipt,
    places: &[Client],
    trust: Trust<'_>,
    ports: &P,
) -> Result<(), RollbackError> {
    let mut indexes = Vec::new();
    for variant in &receipt.variants {
        indexes.push(sign_again(plan, receipt, variant, places, ports).await?);
    }
    indexes.push(places[0].manifest(&receipt.base.digest).await?);
    let Trust { policy, root, now } = trust;
    let release = Release { name: &receipt.places[0], titles: &[], policy, root, now };
    for place in places {
        for index in &indexes {
            release.verify(place, index).await.map_err(RollbackError::Tags)?;
        }
    }
    for one in &plan.returns {
        let place = places.iter().find(|place| *place.repository() == one.place);
        let image = indexes.iter().find(|index| *index.digest() == one.to);
        let (Some(place), Some(image)) = (place, image) else { continue };
        let titles = [Title { tag: &one.tag, image, moves: true }];
        let release = Release { titles: &titles, ..release };
        if let Err(source) = release.advance(std::slice::from_ref(place)).await {
            return Err(undo(plan, places, source).await);
        }
    }
    Ok(())
}

async fn sign_again<P: Ports>(
    plan: &RollbackPlan,
    receipt: &Receipt,
    variant: &ReceiptVariant,
    places: &[Client],
    ports: &P,
) -> Result<RawManifest, RollbackError> {
    let index = places[0].manifest(&variant.digest).await?;
    let mut manifests = vec![index.clone()];
    for child in index.parts().0 {
        manifests.push(places[0].described(child).await?);
    }
    let manifests: Vec<&RawManifest> = manifests.iter().collect();
    let mut bundles = Vec::new();
    for label in labels(&receipt.places[0], &receipt.tags, &variant.name, plan.seq) {
        let bundle = ports.sign(&ToSign::signature(&label, &manifests)).await;
        bundles.push(bundle.map_err(RollbackError::Sign)?);
    }
    let bundles: Vec<_> = bundles.iter().map(|bundle| (bundle, manifests.clone())).collect();
    for place in places {
        attach_all(place, &bundles, plan.at).await?;
    }
    Ok(index)
}

/// Moves back what had moved.
async fn undo(plan: &RollbackPlan, places: &[Client], source: ReleaseError) -> RollbackError {
    let mut stuck = Vec::new();
    for one in &plan.returns {
        let Some(place) = places.iter().find(|place| *place.repository() == one.place) else {
            continue;
        };
        let is = stands_for(place, &one.tag).await;
        let back = match (is, &one.from) {
            (Ok(is), from) if is == *from => true,
            (Ok(_), Some(from)) => place.retag(from, &one.tag).await.is_ok(),
            _ => false,
        };
        if !back {
            stuck.push(format!("{}:{}", one.place, one.tag));
        }
    }
    if stuck.is_empty() {
        RollbackError::Tags(source)
    } else {
        RollbackError::Half { stuck, source }
    }
}
