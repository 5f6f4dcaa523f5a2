//! Giving images their tags: last of all, and only where they were found signed.

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use jiff::Timestamp;
use occ_oci::{ManifestDigest, Repository, Tag};
use occ_registry::{Client, Error, RawManifest};

use crate::admission::Admission;
use crate::asked::{Asked, is_version_tag};
use crate::discover::discover;
use crate::judge::{Case, judge};
use crate::policy::Policy;
use crate::root::TrustRoot;
use crate::verdict::{Proof, Verdict};

/// How many tags are asked for or given at the same time.
const AT_ONCE: usize = 4;

/// Why images do not get their tags.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// One is not signed everywhere, as its readers would find.
    #[error("{registry} would not be believed: {admission}")]
    Unverified {
        /// Where.
        registry: String,
        /// What readers would find.
        admission: Box<Admission>,
    },
    /// The tag never moves, and stands for something else already. Versions never move, also where the
    /// registry would let them.
    #[error("{tag} at {registry} stands for {is}, and never moves")]
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

/// A tag for an image.
#[derive(Debug, Clone)]
pub struct Title<'a> {
    /// The tag.
    pub tag: &'a Tag,
    /// What it is to stand for.
    pub image: &'a RawManifest,
    /// Whether it may stand for something else before and afterwards. A version never does.
    pub moves: bool,
}

impl Title<'_> {
    fn moves(&self) -> bool {
        self.moves && !is_version_tag(self.tag)
    }
}

/// What is to be released.
#[derive(Debug, Clone, Copy)]
pub struct Release<'a> {
    /// The name that it was signed for.
    pub name: &'a Repository,
    /// The images' tags; the images are everywhere already, with their signatures.
    pub titles: &'a [Title<'a>],
    /// Whom readers believe.
    pub policy: &'a Policy,
    /// Who vouches for whom.
    pub root: &'a TrustRoot,
    /// The present moment.
    pub now: Timestamp,
}

impl Release<'_> {
    /// Tags the images at all places, if each is verified at every one of them and nothing would move that never
    /// does. Nothing is tagged before that is known of all. What never moves comes before what does. It may be
    /// done again, and goes on where it stopped.
    ///
    /// # Errors
    /// [`ReleaseError`].
    pub async fn publish(&self, places: &[Client]) -> Result<(), ReleaseError> {
        for place in places {
            for title in self.titles {
                self.verify(place, title.image).await?;
            }
        }
        self.fix(places).await?;
        self.advance(places).await
    }

    /// Verifies an image as a reader of this place does.
    ///
    /// # Errors
    /// [`ReleaseError::Unverified`].
    pub async fn verify(&self, place: &Client, image: &RawManifest) -> Result<Proof, ReleaseError> {
        let asked = Asked::pinned(self.name.clone(), image.clone());
        let evidence = discover(std::slice::from_ref(place), image).await;
        let case = Case {
            policy: self.policy,
            root: self.root,
            expectation: None,
            evidence: &evidence,
            asked: &asked,
            now: self.now,
        };
        let admission = judge(&case);
        if let Some(Verdict::Verified(proof)) = admission.verdict {
            return Ok(*proof);
        }
        let registry = place.host().to_string();
        Err(ReleaseError::Unverified { registry, admission: Box::new(admission) })
    }

    /// Gives the tags that never move, everywhere or, when one of them is taken anywhere, nowhere.
    ///
    /// # Errors
    /// [`ReleaseError`].
    pub async fn fix(&self, places: &[Client]) -> Result<(), ReleaseError> {
        let look = async |(place, title)| is_free(place, title).await.map(drop);
        side_by_side(self.everywhere(places, false).map(look)).await?;
        // One place after the other: where somebody else was quicker at the first, the next keeps its tag free.
        let give_free = async |title| {
            for place in places {
                if is_free(place, title).await? {
                    give(place, title).await?;
                }
            }
            Ok(())
        };
        side_by_side(self.titles.iter().filter(|title| !title.moves()).map(give_free)).await
    }

    /// Moves the tags that move.
    ///
    /// # Errors
    /// [`ReleaseError`]; those that have moved stay moved.
    pub async fn advance(&self, places: &[Client]) -> Result<(), ReleaseError> {
        side_by_side(self.everywhere(places, true).map(|(place, title)| give(place, title))).await
    }

    /// Returns every tag of one sort at every place.
    fn everywhere<'a>(
        &'a self,
        places: &'a [Client],
        moves: bool,
    ) -> impl Iterator<Item = (&'a Client, &'a Title<'a>)> {
        let titles = self.titles.iter().filter(move |title| title.moves() == moves);
        titles.flat_map(move |title| places.iter().map(move |place| (place, title)))
    }
}

/// Does some work, a few pieces at a time. After a failure nothing more begins; what is under way is waited for,
/// because nobody can tell whether a request that is given up was carried out.
async fn side_by_side<W>(work: impl IntoIterator<Item = W>) -> Result<(), ReleaseError>
where
    W: Future<Output = Result<(), ReleaseError>>,
{
    let mut waiting = work.into_iter();
    let mut working: FuturesUnordered<W> = waiting.by_ref().take(AT_ONCE).collect();
    let mut ended = Ok(());
    while let Some(done) = working.next().await {
        ended = ended.and(done);
        if ended.is_ok() {
            working.extend(waiting.next());
        }
    }
    ended
}

/// Returns whether a tag that never moves is to be written; not when it is there.
async fn is_free(place: &Client, title: &Title<'_>) -> Result<bool, ReleaseError> {
    match stands_for(place, title.tag).await? {
        None => Ok(true),
        Some(is) if is == *title.image.digest() => Ok(false),
        Some(is) => {
            let (registry, tag) = (place.host().to_string(), title.tag.clone());
            Err(ReleaseError::Immutable { registry, tag, is })
        }
    }
}

/// Lets a tag stand for an image, and looks whether it does.
async fn give(place: &Client, title: &Title<'_>) -> Result<(), ReleaseError> {
    place.tag(title.image, title.tag).await?;
    match stands_for(place, title.tag).await? {
        Some(is) if is != *title.image.digest() => {
            let (registry, tag) = (place.host().to_string(), title.tag.clone());
            Err(ReleaseError::Raced { registry, tag, is })
        }
        _ => Ok(()),
    }
}

/// Returns what a tag stands for at a place; none when there is no such tag.
///
/// # Errors
/// [`Error`] when the registry cannot be asked.
pub async fn stands_for(place: &Client, tag: &Tag) -> Result<Option<ManifestDigest>, Error> {
    match place.resolve(tag).await {
        Ok(resolved) => Ok(Some(resolved.pinned.digest)),
        Err(error) if error.reason.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}
