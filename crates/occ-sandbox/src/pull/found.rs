//! What a name stands for: asked once, and by digest from then on.

use occ_oci::{
    Descriptor, Index, ManifestDigest, ParseReferenceError, Pinned, Platform, Reference,
    Repository, Tag,
};
use occ_registry::{Agreed, Asking, Attempt, Client, Document, Mirrors, RawManifest};

use super::Intake;
use super::error::PullError;
use crate::acquire::one_line;
use crate::event::{Event, Observer};

/// An image that is wanted, by one name in the places that have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The places, in the order in which they are asked.
    places: Vec<Repository>,
    /// Which of theirs.
    which: Which,
}

/// Which image of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// Whatever the tag stands for.
    Tag(Tag),
    /// This one.
    Digest(ManifestDigest),
}

/// Why names do not name one image.
#[derive(Debug, thiserror::Error)]
pub enum ParseWantedError {
    /// There is none.
    #[error("no name is given")]
    Nothing,
    /// One is no name.
    #[error("{name} is no name of an image")]
    Name {
        /// What was given.
        name: String,
        /// Why not.
        #[source]
        source: ParseReferenceError,
    },
    /// They have different tags.
    #[error("{0} and {1} cannot be the same image")]
    Different(String, String),
}

impl Wanted {
    /// Reads full names that mean the same in different places.
    ///
    /// # Errors
    /// [`ParseWantedError`].
    pub fn parse(names: &[String]) -> Result<Self, ParseWantedError> {
        let mut wanted: Option<Self> = None;
        for name in names {
            let reference: Reference = name
                .parse()
                .map_err(|source| ParseWantedError::Name { name: name.clone(), source })?;
            let next = Self::of(reference);
            match &mut wanted {
                None => wanted = Some(next),
                Some(wanted) if wanted.which == next.which => wanted.places.extend(next.places),
                Some(_) => {
                    return Err(ParseWantedError::Different(names[0].clone(), name.clone()));
                }
            }
        }
        wanted.ok_or(ParseWantedError::Nothing)
    }

    /// Wants what one name stands for.
    pub fn of(reference: Reference) -> Self {
        match reference {
            Reference::Tagged(name) => {
                Self { places: vec![name.repository], which: Which::Tag(name.tag) }
            }
            Reference::Pinned(name) => {
                Self { places: vec![name.repository], which: Which::Digest(name.digest) }
            }
        }
    }

    /// Returns the full name in a place.
    fn name_in(&self, place: &Repository) -> String {
        match &self.which {
            Which::Tag(tag) => format!("{place}:{tag}"),
            Which::Digest(digest) => format!("{place}@{digest}"),
        }
    }

    fn name_at(&self, host: &occ_oci::Host) -> String {
        let place = self.places.iter().find(|place| place.host() == host);
        place.map_or_else(|| host.to_string(), |place| self.name_in(place))
    }
}

/// An image that was found and not yet fetched. Nothing about it was believed but that bytes and digests
/// belong together: whoever verifies does it with this value, before a layer is fetched.
#[derive(Debug, Clone)]
pub struct Found {
    /// The full name in the place that answered first.
    pub name: String,
    /// Names that cannot move, one for each registry that said the same; the one that answered first leads.
    pub pinned: Vec<Pinned>,
    /// What the name stands for: a list of manifests, or the manifest itself.
    pub root: RawManifest,
    /// The manifest of the platform; it is `root` where that is no list.
    pub manifest: RawManifest,
    /// The platform.
    pub platform: Platform,
    /// Where the rest is fetched from, whoever answered first.
    pub(super) mirrors: Mirrors,
    /// All places that were named, whether they answered or not.
    pub(super) places: Vec<Client>,
    /// The tag that was asked for.
    pub(super) tag: Option<Tag>,
}

/// What a name stands for, whatever the platform.
#[derive(Debug, Clone)]
pub struct Looked {
    /// The full name in the place that answered first.
    pub name: String,
    /// Names that cannot move, one for each registry that said the same; the one that answered first leads.
    pub pinned: Vec<Pinned>,
    /// What the name stands for.
    pub root: RawManifest,
    /// Where the rest is fetched from, whoever answered first.
    mirrors: Mirrors,
    /// All places that were named, whether they answered or not.
    pub(super) places: Vec<Client>,
    /// The tag that was asked for.
    pub(super) tag: Option<Tag>,
}

impl Found {
    pub(super) fn looked(&self) -> Looked {
        Looked {
            name: self.name.clone(),
            pinned: self.pinned.clone(),
            root: self.root.clone(),
            mirrors: self.mirrors.clone(),
            places: self.places.clone(),
            tag: self.tag.clone(),
        }
    }
}

/// Asks the registries what a name stands for, and picks the manifest for a platform.
///
/// # Errors
/// [`PullError`]: nobody has it, they disagree, or it is not for the platform.
pub async fn find(
    wanted: &Wanted,
    platform: Platform,
    intake: &Intake,
    tell: Observer<'_>,
) -> Result<Found, PullError> {
    let Looked { name, pinned, root, mirrors, places, tag } = look(wanted, intake, tell).await?;
    let manifest = match root.document() {
        Document::Manifest(_) => root.clone(),
        Document::Index(index) => {
            let chosen = choose(index, &name, platform)?;
            mirrors.manifest(&ManifestDigest::new(chosen.digest.clone())).await?
        }
    };
    Ok(Found { name, pinned, root, manifest, platform, mirrors, places, tag })
}

/// Asks the registries what a name stands for.
///
/// # Errors
/// [`PullError`]: nobody has it, or they disagree.
pub async fn look(
    wanted: &Wanted,
    intake: &Intake,
    tell: Observer<'_>,
) -> Result<Looked, PullError> {
    let registries = &intake.way()?.registries;
    let clients = wanted.places.iter().map(|place| registries.client(place));
    let places: Vec<Client> = clients.collect::<Result<_, _>>()?;
    let (root, pinned, mirrors, tag) = match &wanted.which {
        Which::Tag(tag) => {
            let told = |asking: Asking<'_>| tell(news(&asking, wanted));
            let agreed = all(&places).resolve_telling(tag, &told).await?;
            let mirrors = willing(&places, &agreed);
            let root = agreed.resolved.manifest.clone();
            (root, pinned(&places, &agreed), mirrors, Some(tag.clone()))
        }
        Which::Digest(digest) => {
            tell(Event::Pulling { name: wanted.name_in(places[0].repository()) });
            let mirrors = all(&places);
            let repository = places[0].repository().clone();
            let name = Pinned { repository, digest: digest.clone() };
            (mirrors.manifest(digest).await?, vec![name], mirrors, None)
        }
    };
    let name = wanted.name_in(&pinned[0].repository);
    Ok(Looked { name, pinned, root, mirrors, places, tag })
}

fn all(clients: &[Client]) -> Mirrors {
    Mirrors::new(clients[0].clone(), clients[1..].to_vec())
}

/// Returns the places in the order of their willingness: those that answered, then the others, of which
/// nobody waits for long.
fn willing(clients: &[Client], agreed: &Agreed) -> Mirrors {
    let answered = |client: &&Client| agreed.by.contains(client.host());
    let mut order = agreed
        .by
        .iter()
        .filter_map(|host| clients.iter().find(|client| client.host() == host).cloned());
    let first = order.next().unwrap_or_else(|| clients[0].clone());
    let silent = clients.iter().filter(|client| !answered(client)).map(Client::once);
    Mirrors::new(first, order.chain(silent).collect())
}

fn pinned(clients: &[Client], agreed: &Agreed) -> Vec<Pinned> {
    let digest = &agreed.resolved.pinned.digest;
    let names = agreed.by.iter().filter_map(|host| {
        let client = clients.iter().find(|client| client.host() == host)?;
        Some(Pinned { repository: client.repository().clone(), digest: digest.clone() })
    });
    names.collect()
}

fn news(asking: &Asking<'_>, wanted: &Wanted) -> Event {
    match asking {
        Asking::Begins(client) => Event::Pulling { name: wanted.name_in(client.repository()) },
        Asking::Failed(attempt) => {
            Event::PullFailed { name: wanted.name_at(&attempt.registry), why: why(attempt) }
        }
    }
}

/// Returns why a registry was asked in vain, without its name, which stands before it.
pub(crate) fn why(attempt: &Attempt) -> String {
    one_line(&attempt.error.reason)
}

impl Wanted {
    /// Returns what was tried, by full names.
    pub(crate) fn attempts(&self, attempts: &[Attempt]) -> Vec<crate::error::PullAttempt> {
        let told = |attempt: &Attempt| crate::error::PullAttempt {
            name: self.name_at(&attempt.registry),
            why: why(attempt),
        };
        attempts.iter().map(told).collect()
    }
}

/// Picks the one entry of a list that is an image for the platform.
fn choose<'a>(
    index: &'a Index,
    name: &str,
    platform: Platform,
) -> Result<&'a Descriptor, PullError> {
    let is_for = |listed: &&Descriptor| {
        let described = listed.platform.as_ref();
        listed.media_type.is_manifest()
            && listed.artifact_type.is_none()
            && described.and_then(occ_oci::DescribedPlatform::known) == Some(platform)
    };
    let mut fitting = index.manifests.iter().filter(is_for);
    let Some(chosen) = fitting.next() else {
        let there = index.manifests.iter().filter_map(|listed| listed.platform.as_ref());
        let there = there.map(ToString::to_string).collect();
        let (name, platform) = (name.to_owned(), platform.to_string());
        return Err(PullError::Platform { name, platform, there });
    };
    match fitting.find(|other| other.digest != chosen.digest) {
        None => Ok(chosen),
        Some(_) => Err(PullError::TwoImages { name: name.to_owned(), platform }),
    }
}
