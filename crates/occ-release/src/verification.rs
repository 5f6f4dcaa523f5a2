//! Whether a release is what its receipt says, in every registry.

use occ_oci::{ManifestDigest, Repository};
use occ_registry::{Client, Error, RawManifest};
use occ_trust::{Release, stands_for};
use serde::Serialize;

use crate::channel::Channel;
use crate::look::Trust;
use crate::read_back::read_back;
use crate::receipt::{Receipt, fetch_receipt};

/// Something that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// Where.
    pub place: Repository,
    /// What: `receipt`, a tag, or `images`.
    pub what: String,
    /// Whether it is as the receipt says.
    pub holds: bool,
    /// What was found.
    pub found: String,
}

/// What a release was found to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// The receipt that was held against the registries.
    pub receipt: Receipt,
    /// The manifest around it.
    pub envelope: ManifestDigest,
    /// Everything that was looked at.
    pub checked: Vec<Checked>,
}

impl Verification {
    /// Returns whether everything is as the receipt says.
    pub fn holds(&self) -> bool {
        self.checked.iter().all(|checked| checked.holds)
    }
}

/// Why a release cannot be verified.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// No registry has a receipt.
    #[error("no registry has a receipt of {0}")]
    NoReceipt(Channel),
    /// A registry cannot be asked.
    #[error(transparent)]
    Registry(#[from] Error),
}

/// Holds a release against what its receipt says: signatures, tags that never move, and every image, read to the
/// last byte when it is `whole`. What moves may have moved on, which is only told.
///
/// # Errors
/// [`VerifyError`].
pub async fn verify_release(
    places: &[Client],
    channel: &Channel,
    trust: Trust<'_>,
    whole: bool,
) -> Result<Verification, VerifyError> {
    let mut found: Vec<Option<(RawManifest, Receipt)>> = Vec::new();
    for place in places {
        found.push(fetch_receipt(place, channel).await?);
    }
    let first = found.iter().flatten().next().cloned();
    let (envelope, receipt) = first.ok_or(VerifyError::NoReceipt(*channel))?;
    let mut checked = Vec::new();
    for (place, own) in places.iter().zip(found) {
        let looking = Looking { place, receipt: &receipt, trust };
        checked.push(looking.receipt(own.as_ref().map(|(own, _)| own), &envelope).await);
        looking.tags(&mut checked).await?;
        checked.push(looking.images(whole).await);
    }
    Ok(Verification { envelope: envelope.digest().clone(), receipt, checked })
}

struct Looking<'a> {
    place: &'a Client,
    receipt: &'a Receipt,
    trust: Trust<'a>,
}

impl Looking<'_> {
    fn checked(&self, what: impl Into<String>, holds: bool, found: impl Into<String>) -> Checked {
        let place = self.place.repository().clone();
        Checked { place, what: what.into(), holds, found: found.into() }
    }

    fn release(&self) -> Release<'_> {
        let Trust { policy, root, now } = self.trust;
        Release { name: &self.receipt.places[0], titles: &[], policy, root, now }
    }

    async fn receipt(&self, own: Option<&RawManifest>, other: &RawManifest) -> Checked {
        let Some(own) = own else { return self.checked("receipt", false, "it is not there") };
        if own.digest() != other.digest() {
            return self.checked("receipt", false, "it is not that of the other registry");
        }
        match self.release().verify(self.place, own).await {
            Ok(proof) => self.checked("receipt", true, format!("signed by {}", proof.signer)),
            Err(error) => self.checked("receipt", false, error.to_string()),
        }
    }

    async fn tags(&self, checked: &mut Vec<Checked>) -> Result<(), VerifyError> {
        for planned in &self.receipt.tags {
            let wanted = self.receipt.digest_of(&planned.of);
            let is = stands_for(self.place, &planned.tag).await?;
            let (holds, found) = match (&is, planned.moves) {
                (None, _) => (false, "it is not there".to_owned()),
                (Some(is), _) if Some(is) == wanted => (true, is.to_string()),
                (Some(is), true) => (true, format!("moved to {is}")),
                (Some(is), false) => (false, format!("it stands for {is}")),
            };
            checked.push(self.checked(planned.tag.as_str(), holds, found));
        }
        Ok(())
    }

    async fn images(&self, whole: bool) -> Checked {
        let looked = async {
            let mut indexes = Vec::new();
            for digest in self.receipt.indexes() {
                indexes.push(self.place.manifest(digest).await?);
            }
            read_back(&self.receipt.places[0], self.place, &indexes, whole, self.trust).await
        };
        match looked.await {
            Ok(back) => self.checked(
                "images",
                true,
                format!(
                    "{} manifests, {} blobs read, {} there, all signed",
                    back.manifests, back.read, back.seen
                ),
            ),
            Err(error) => self.checked("images", false, error.to_string()),
        }
    }
}
