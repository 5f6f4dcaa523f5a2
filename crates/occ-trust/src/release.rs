//! Giving images their tags: last of all, and only where they were found signed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use occ_oci::{ManifestDigest, Repository, Tag};
use occ_registry::{AT_ONCE, Client, Error, RawManifest};

use crate::admission::Admission;
use crate::asked::{Asked, is_version_tag};
use crate::discover::discover;
use crate::judge::{Case, judge};
use crate::policy::Policy;
use crate::root::TrustRoot;
use crate::verdict::{Proof, Verdict};

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
        let look = async |place, title| is_free(place, title).await.map(drop);
        let fixed = || self.titles.iter().filter(|title| !title.moves());
        let looking = fixed().flat_map(|title| places.iter().map(move |place| (place, title)));
        side_by_side(looking.map(|(place, title)| vec![look(place, title)])).await?;
        // One place after the other: where somebody else was quicker at the first, the next keeps its tag free.
        let give_free = async |title| {
            for place in places {
                if is_free(place, title).await? {
                    give(place, title).await?;
                }
            }
            Ok(())
        };
        side_by_side(by_image(fixed()).into_iter().map(|titles| titles.into_iter().map(give_free)))
            .await
    }

    /// Moves the tags that move.
    ///
    /// # Errors
    /// [`ReleaseError`]; those that have moved stay moved.
    pub async fn advance(&self, places: &[Client]) -> Result<(), ReleaseError> {
        let images = by_image(self.titles.iter().filter(|title| title.moves()));
        let at_places = places.iter().flat_map(|place| {
            let give = move |title| give(place, title);
            images.iter().map(move |titles| titles.iter().copied().map(give))
        });
        side_by_side(at_places).await
    }
}

/// Puts the tags of each image together. They are given one after the other: the distribution project's registry
/// writes what it knows of an image anew with each of its tags, and whoever asks for the image at that moment is
/// answered that there is an error.
fn by_image<'a>(titles: impl Iterator<Item = &'a Title<'a>>) -> Vec<Vec<&'a Title<'a>>> {
    let mut images: BTreeMap<&ManifestDigest, Vec<&Title<'_>>> = BTreeMap::new();
    for title in titles {
        images.entry(title.image.digest()).or_default().push(title);
    }
    images.into_values().collect()
}

/// Does some work, a few queues at a time, and each queue in its order. After a failure nothing more begins; what is
/// under way is waited for, because nobody can tell whether a request that is given up was carried out.
async fn side_by_side<Q, W>(queues: impl Iterator<Item = Q>) -> Result<(), ReleaseError>
where
    Q: IntoIterator<Item = W>,
    W: Future<Output = Result<(), ReleaseError>>,
{
    let failed = AtomicBool::new(false);
    let in_order = async |queue: Vec<W>| {
        for work in queue {
            if failed.load(Ordering::Relaxed) {
                break;
            }
            work.await.inspect_err(|_| failed.store(true, Ordering::Relaxed))?;
        }
        Ok(())
    };
    // Whoever sends this to another thread needs futures that are there already.
    let working: Vec<_> = queues.map(|queue| in_order(queue.into_iter().collect())).collect();
    let ended = stream::iter(working).buffer_unordered(AT_ONCE);
    ended.fold(Ok(()), async |all: Result<(), _>, done| all.and(done)).await
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

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use tokio::task::yield_now;

    use super::*;

    fn raced(number: usize) -> ReleaseError {
        let tag = format!("v{number}").parse().expect("a tag");
        let is = ManifestDigest::new(occ_oci::Digest::sha256(b"other"));
        ReleaseError::Raced { registry: "localhost".to_owned(), tag, is }
    }

    #[tokio::test]
    async fn queues_go_side_by_side_and_each_in_its_order() {
        let log = RefCell::new(Vec::new());
        let work = async |queue: usize, number: usize| {
            log.borrow_mut().push((queue, number, "begins"));
            yield_now().await;
            log.borrow_mut().push((queue, number, "ends"));
            Ok(())
        };
        let queues = (0..2).map(|queue| (0..2).map(move |number| (queue, number)));
        let work = &work;
        side_by_side(queues.map(|queue| queue.map(move |(queue, number)| work(queue, number))))
            .await
            .expect("done");
        let log = log.into_inner();
        let at = |what: (usize, usize, &str)| log.iter().position(|it| *it == what).expect("done");
        assert!(at((1, 0, "begins")) < at((0, 0, "ends")), "{log:?}");
        for queue in 0..2 {
            assert!(at((queue, 0, "ends")) < at((queue, 1, "begins")), "{log:?}");
        }
    }

    #[tokio::test]
    async fn after_a_failure_nothing_begins_and_what_is_under_way_ends() {
        let log = RefCell::new(Vec::new());
        // The first queue fails soon, the second takes longer.
        let work = async |queue: usize, number: usize| {
            yield_now().await;
            if queue == 0 {
                log.borrow_mut().push("fails");
                return Err(raced(number));
            }
            for _ in 0..3 {
                yield_now().await;
            }
            log.borrow_mut().push("ends");
            Ok(())
        };
        let work = &work;
        let queues = (0..2).map(|queue| (0..2).map(move |number| work(queue, number)));
        let error = side_by_side(queues).await.expect_err("it failed");
        assert!(error.to_string().starts_with("v0"), "{error}");
        assert_eq!(*log.borrow(), ["fails", "ends"]);
    }
}
