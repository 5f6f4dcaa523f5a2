//! Between what was found and what is fetched: who signed it, and whether that is enough.

use jiff::Timestamp;
use occ_oci::Pinned;
use occ_registry::Client;
use occ_trust::{Admission, Admitted, Asked, Ground, Notary};

use super::Intake;
use super::error::PullError;
use super::found::{Found, Looked};
use crate::event::{Event, Observer};

/// An image that may be fetched and run, and why. There is no other way to one than [`verify`].
#[derive(Debug, Clone)]
pub struct Cleared {
    found: Found,
    image: Admitted<Pinned>,
}

impl Cleared {
    /// Returns what was found.
    pub fn found(&self) -> &Found {
        &self.found
    }

    /// Returns the platform's manifest, and on what ground it may be run.
    pub fn image(&self) -> &Admitted<Pinned> {
        &self.image
    }
}

/// Asks who signed an image that was found, before anything of it is fetched.
///
/// # Errors
/// [`PullError::Refused`] where it may not be run; [`PullError::Memory`] where what was seen cannot be
/// written down.
pub async fn verify(
    found: Found,
    intake: &Intake,
    now: Timestamp,
    tell: Observer<'_>,
) -> Result<Cleared, PullError> {
    let admission = examine(&found.looked(), &intake.way()?.notary, now, tell).await?;
    let said = admission.to_string();
    let image = admission.admitted().map_err(PullError::Refused)?;
    let verified = matches!(image.ground(), Ground::Verified(_));
    tell(if verified { Event::Verified { said } } else { Event::Unverified { said } });
    let image = if found.root.digest() == found.manifest.digest() {
        image
    } else {
        image.child(&found.root, &found.manifest)?.0
    };
    Ok(Cleared { found, image })
}

/// Judges an image that was found; nothing is refused here.
///
/// # Errors
/// [`PullError::Memory`].
pub async fn examine(
    looked: &Looked,
    notary: &Notary,
    now: Timestamp,
    tell: Observer<'_>,
) -> Result<Admission, PullError> {
    let mut repositories = looked.places.iter().map(Client::repository).cloned();
    // The first that was named, whoever answered: what is remembered goes by that name.
    let repository = repositories.next().unwrap_or_else(|| looked.pinned[0].repository.clone());
    let root = looked.root.clone();
    let asked = match &looked.tag {
        Some(tag) => Asked::tagged(repository, tag.clone(), root),
        None => Asked::pinned(repository, root),
    };
    let asked = asked.mirrored(repositories.collect());
    let examined = notary.examine(&asked, &looked.places, now).await;
    let examined =
        examined.map_err(|source| PullError::Memory { path: notary.memory.clone(), source })?;
    if let Some(forgotten) = examined.forgotten {
        tell(Event::Unverified { said: crate::acquire::one_line(&forgotten) });
    }
    Ok(examined.admission)
}
