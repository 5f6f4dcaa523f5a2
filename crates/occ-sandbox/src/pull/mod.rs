//! An image on its way from registries into an engine.
//!
//! ```text
//! Wanted ─ find ─► Found ─ verify ─► Cleared ─ bring ─► Brought
//! ```
//!
//! [`find`] asks what a tag stands for, once, and picks the manifest of the engine's platform. From then on
//! everything goes by digest. [`verify`] asks who signed it and refuses what may not be run. [`bring`] reads the configuration, refuses what does not keep the guest
//! contract before a layer is fetched, and then fetches, unpacks and loads side by side. An engine that
//! skips layers it has gets only the others, a few at a time, so that it works while the next ones come;
//! any other engine gets one archive, which is read while it is still being put together.

mod archive;
mod error;
mod fetch;
mod found;
mod incoming;
mod shelf;
mod steps;
mod verify;
mod whole;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use occ_engine::{Engine, EngineFacts, ImageFacts, ImageId};
use occ_image::guest;
use occ_oci::Platform;
use occ_registry::{Cause, Registries};
use occ_trust::Notary;

pub use error::PullError;
pub use found::{Found, Looked, ParseWantedError, Wanted, Which, find, look};
pub use verify::{Cleared, examine, verify};

use fetch::Fetching;
use incoming::Incoming;
use shelf::Shelf;

use crate::event::Observer;
use crate::foreign::foreign;

/// The tags of images that were pulled begin so; those of images that were built do not.
pub const PULLED: &str = "pulled-";

/// What the contract's label says on an image that has a part of the layers: it is never run, and `prune`
/// removes it.
const PART: &str = "part";

/// Opens the way to registries when it is needed: the settings may be wrong, which is nobody's business who
/// pulls nothing.
type Open = dyn Fn() -> Result<Way, Cause> + Send + Sync;

/// The way to registries, and who judges what they have.
#[derive(Debug, Clone)]
pub struct Way {
    /// The way.
    pub registries: Registries,
    /// Who judges.
    pub notary: Notary,
}

/// The way to registries, and where layers lie on their way.
#[derive(Clone)]
pub struct Intake {
    open: Arc<Open>,
    /// The way, once it was opened: a trust root takes longer to read than a registry to answer.
    way: Arc<OnceLock<Way>>,
    folder: PathBuf,
}

impl Intake {
    /// Takes a way to registries, and the folder for what is fetched: an interrupted pull goes on from there.
    pub fn new(
        folder: PathBuf,
        open: impl Fn() -> Result<Way, Cause> + Send + Sync + 'static,
    ) -> Self {
        Self { open: Arc::new(open), way: Arc::default(), folder }
    }

    /// Opens the way, where it was not opened before.
    ///
    /// # Errors
    /// [`PullError::Settings`].
    pub fn way(&self) -> Result<&Way, PullError> {
        if let Some(way) = self.way.get() {
            return Ok(way);
        }
        let way = (self.open)().map_err(PullError::Settings)?;
        Ok(self.way.get_or_init(|| way))
    }
}

impl std::fmt::Debug for Intake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Intake").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// An image that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brought {
    /// The image in the engine.
    pub image: ImageFacts,
    /// The name that it has there.
    pub name: String,
    /// Bytes that were fetched this time.
    pub fetched: u64,
}

/// Returns the name that an image gets in the engine.
pub fn local_name(found: &Found) -> String {
    format!("{}:{PULLED}{}", guest::LOCAL_REPOSITORY, found.manifest.digest().digest().short())
}

/// Brings an image that may be run into the engine, where it gets a name of ours.
///
/// # Errors
/// [`PullError`]. What was fetched is kept for the next try.
pub async fn bring<E: Engine>(
    cleared: &Cleared,
    engine: &E,
    intake: &Intake,
    tell: Observer<'_>,
) -> Result<Brought, PullError> {
    let found = cleared.found();
    let incoming = Incoming::read(found).await?;
    let name = local_name(found);
    if let Some(foreign) = foreign(&incoming.facts(&found.name)) {
        return Err(foreign.into());
    }
    let shelf = Shelf::open(&intake.folder, found.manifest.digest()).await?;
    let work = Work { found, incoming: &incoming, name: &name, engine, shelf: &shelf, tell };
    let fetched = work.load().await?;
    let image = work.arrived().await?;
    shelf.clear(&intake.folder);
    Ok(Brought { image, name, fetched })
}

/// What an engine lacks of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lacking {
    /// The id that the engine has the image by, or would have.
    pub image: ImageId,
    /// Layers that would be fetched.
    pub layers: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// Returns what would be fetched; nothing is.
///
/// # Errors
/// [`PullError`].
pub async fn lacking<E: Engine>(found: &Found, engine: &E) -> Result<Lacking, PullError> {
    let incoming = Incoming::read(found).await?;
    if let Some(foreign) = foreign(&incoming.facts(&found.name)) {
        return Err(foreign.into());
    }
    let have = if there(&incoming, engine).await? {
        incoming.layers.len()
    } else if facts(engine).await?.skips_layers {
        layers_there(&incoming, engine).await?
    } else {
        0
    };
    let lacking = &incoming.layers[have..];
    let bytes = lacking.iter().map(|layer| layer.blob.size).sum();
    Ok(Lacking { image: incoming.id(), layers: lacking.len(), bytes })
}

/// Returns the platform whose images an engine runs.
///
/// # Errors
/// [`PullError::Engineless`] where there are none for it, and what keeps the engine from answering.
pub async fn platform_of<E: Engine>(engine: &E) -> Result<Platform, PullError> {
    let architecture = facts(engine).await?.architecture;
    Platform::from_uname_machine(&architecture).ok_or(PullError::Engineless(architecture))
}

async fn facts<E: Engine>(engine: &E) -> Result<EngineFacts, PullError> {
    engine.facts().await.map_err(PullError::engine("look at the engine"))
}

/// Returns whether the engine has the image.
async fn there<E: Engine>(incoming: &Incoming, engine: &E) -> Result<bool, PullError> {
    let there = engine.image(&incoming.id().0).await;
    Ok(there.map_err(PullError::engine("look for the image"))?.is_some())
}

/// Returns how many layers, from the lowest on, some image in the engine has just so.
async fn layers_there<E: Engine>(incoming: &Incoming, engine: &E) -> Result<usize, PullError> {
    let images = engine.images(guest::LABEL_CONTRACT).await;
    let images = images.map_err(PullError::engine("list the images"))?;
    let shared = |image: &ImageFacts| incoming.shared_with(&image.layers);
    Ok(images.iter().map(shared).max().unwrap_or(0))
}

/// What one pull works with.
struct Work<'a, E> {
    found: &'a Found,
    incoming: &'a Incoming,
    name: &'a str,
    engine: &'a E,
    shelf: &'a Shelf,
    tell: Observer<'a>,
}

impl<E: Engine> Work<'_, E> {
    /// Loads the image with whatever the engine lacks of it; returns the bytes that were fetched.
    async fn load(&self) -> Result<u64, PullError> {
        if there(self.incoming, self.engine).await? {
            let named = self.engine.tag_image(&self.incoming.id(), self.name).await;
            named.map_err(PullError::engine("name the image"))?;
            return Ok(0);
        }
        let facts = facts(self.engine).await?;
        if !facts.skips_layers {
            return self.load_whole().await;
        }
        let have = layers_there(self.incoming, self.engine).await?;
        let fetching = Fetching::new(self, have);
        match self.load_in_steps(&fetching, needs_unpacking(&facts)).await {
            Ok(()) => Ok(fetching.fetched()),
            // A layer that was there is gone, or the engine is none that skips layers after all.
            Err(PullError::Engine { source: occ_engine::Error::Refused { .. }, .. })
                if have > 0 =>
            {
                self.load_whole().await
            }
            Err(error) => Err(error),
        }
    }

    /// Returns the image that has the name now, if it is the one that was meant.
    async fn arrived(&self) -> Result<ImageFacts, PullError> {
        let arrived = self.engine.image(self.name).await;
        let arrived = arrived.map_err(PullError::engine("look at the image"))?;
        let expected = self.incoming.id();
        // An engine with containerd's store calls an image by its manifest.
        let as_manifest = self.found.manifest.digest().to_string();
        match arrived {
            Some(image) if image.id == expected || image.id.0 == as_manifest => Ok(image),
            other => Err(PullError::OtherImage { expected, found: other.map(|image| image.id) }),
        }
    }
}

/// Engines unpack with one thread and slowly; here it happens beside what the engine does. Where the bytes
/// travel it costs more than it saves, but for what an old engine does not understand.
fn needs_unpacking(facts: &EngineFacts) -> Unpack {
    let major = facts.version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    match (facts.local, major) {
        (true, _) => Unpack::All,
        (false, Some(..23)) => Unpack::Zstd,
        (false, _) => Unpack::Nothing,
    }
}

/// Which layers are unpacked before they are loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unpack {
    All,
    Zstd,
    Nothing,
}
