//! Giving an image its tags: last of all, and only where it was found signed.

use jiff::Timestamp;
use occ_oci::{ManifestDigest, Repository, Tag};
use occ_registry::{Client, Error, RawManifest};

use crate::admission::Admission;
use crate::asked::{Asked, is_version_tag};
use crate::discover::discover;
use crate::judge::{Case, judge};
use crate::policy::Policy;
use crate::root::TrustRoot;
use crate::verdict::Verdict;

/// Why an image does not get its tags.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// It is not signed everywhere, as its readers would find.
    #[error("{registry} would not be believed: {admission}")]
    Unverified {
        /// Where.
        registry: String,
        /// What readers would find.
        admission: Box<Admission>,
    },
    /// The tag is a version, and stands for something else already. Versions never move, also where the
    /// registry would let them.
    #[error("{tag} at {registry} stands for {is}: a version never moves")]
    Immutable {
        /// Where.
        registry: String,
        /// The tag.
        tag: Tag,
        /// What it stands for.
        is: ManifestDigest,
    },
    /// Somebody else moved the tag at the same moment.
    #[error("{tag} at {registry} was moved to {is} by somebody else")]
    Raced {
        /// Where.
        registry: String,
        /// The tag.
        tag: Tag,
        /// What it stands for.
        is: ManifestDigest,
    },
    /// A registry could not be asked.
    #[error(transparent)]
    Registry(#[from] Error),
}

/// What is to be released.
#[derive(Debug)]
pub struct Release<'a> {
    /// The name that it was signed for.
    pub name: &'a Repository,
    /// The image, which is everywhere already, with its signatures.
    pub image: &'a RawManifest,
    /// Its tags.
    pub tags: &'a [Tag],
    /// Whom readers believe.
    pub policy: &'a Policy,
    /// Who vouches for whom.
    pub root: &'a TrustRoot,
    /// The present moment.
    pub now: Timestamp,
}

impl Release<'_> {
    /// Tags the image at all places, if it is verified at every one of them and no version would move.
    /// Nothing is tagged before that is known of all. Versions come before names that move. It may be done
    /// again, and goes on where it stopped.
    ///
    /// # Errors
    /// [`ReleaseError`].
    pub async fn publish(&self, places: &[Client]) -> Result<(), ReleaseError> {
        for place in places {
            self.verify(place).await?;
            for tag in self.tags.iter().filter(|tag| is_version_tag(tag)) {
                self.is_free(place, tag).await?;
            }
        }
        let (versions, moving): (Vec<_>, Vec<_>) =
            self.tags.iter().partition(|tag| is_version_tag(tag));
        for tag in versions.into_iter().chain(moving) {
            for place in places {
                self.tag(place, tag).await?;
            }
        }
        Ok(())
    }

    /// Verifies as a reader of this place does.
    async fn verify(&self, place: &Client) -> Result<(), ReleaseError> {
        let asked = Asked::pinned(self.name.clone(), self.image.clone());
        let evidence = discover(std::slice::from_ref(place), self.image).await;
        let case = Case {
            policy: self.policy,
            root: self.root,
            expectation: None,
            evidence: &evidence,
            asked: &asked,
            now: self.now,
        };
        let admission = judge(&case);
        if matches!(admission.verdict, Some(Verdict::Verified(_))) {
            return Ok(());
        }
        let registry = place.host().to_string();
        Err(ReleaseError::Unverified { registry, admission: Box::new(admission) })
    }

    /// Returns whether a version is to be written; not when it is there.
    async fn is_free(&self, place: &Client, tag: &Tag) -> Result<bool, ReleaseError> {
        match stands_for(place, tag).await? {
            None => Ok(true),
            Some(is) if is == *self.image.digest() => Ok(false),
            Some(is) => {
                let (registry, tag) = (place.host().to_string(), tag.clone());
                Err(ReleaseError::Immutable { registry, tag, is })
            }
        }
    }

    async fn tag(&self, place: &Client, tag: &Tag) -> Result<(), ReleaseError> {
        if is_version_tag(tag) && !self.is_free(place, tag).await? {
            return Ok(());
        }
        place.tag(self.image, tag).await?;
        match stands_for(place, tag).await? {
            Some(is) if is != *self.image.digest() => {
                let (registry, tag) = (place.host().to_string(), tag.clone());
                Err(ReleaseError::Raced { registry, tag, is })
            }
            _ => Ok(()),
        }
    }
}

async fn stands_for(place: &Client, tag: &Tag) -> Result<Option<ManifestDigest>, Error> {
    match place.resolve(tag).await {
        Ok(resolved) => Ok(Some(resolved.pinned.digest)),
        Err(error) if error.reason.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}
