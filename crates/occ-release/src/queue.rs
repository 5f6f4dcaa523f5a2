//! One release at a time: whoever begins one says so at the first registry, and others wait.
//!
//! Registries have no lock. What is written is read back after a moment, so that of two who wrote at once one
//! finds the other's name; and it ends by itself, so that nobody waits for a machine that is gone.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use occ_oci::{Descriptor, Manifest, MediaType, Tag};
use occ_registry::{Client, Document, Error, ManifestError, RawManifest};

/// How long a turn lasts if nobody ends it.
pub const TURN: SignedDuration = SignedDuration::from_hours(2);
/// How long is waited before what was written is read back.
const MOMENT: Duration = Duration::from_millis(200);
const KIND: &str = "application/vnd.opencode-cloud.release-turn.v1";
const HOLDER: &str = "org.opencode-cloud.release-turn.holder";
const UNTIL: &str = "org.opencode-cloud.release-turn.until";

/// Why it is not our turn.
#[derive(Debug, thiserror::Error)]
pub enum TurnError {
    /// It is somebody else's.
    #[error("{place} is being released to by {holder}, until {until} at most")]
    Taken {
        /// Which registry.
        place: String,
        /// By whom.
        holder: String,
        /// How long it lasts.
        until: Timestamp,
    },
    /// The registry cannot be asked.
    #[error(transparent)]
    Registry(#[from] Error),
    /// It cannot be written.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

/// Our turn at a registry.
#[derive(Debug)]
pub struct Turn<'a> {
    place: &'a Client,
    holder: String,
}

impl<'a> Turn<'a> {
    /// Takes it, when it is nobody's, ours already, or over.
    ///
    /// # Errors
    /// [`TurnError`].
    pub async fn take(place: &'a Client, holder: &str, now: Timestamp) -> Result<Self, TurnError> {
        let is_free = |held: &Option<(String, Timestamp)>| match held {
            Some((other, until)) => other == holder || *until <= now,
            None => true,
        };
        let taken = |held: Option<(String, Timestamp)>| {
            let (holder, until) = held.unwrap_or_else(|| (String::new(), now));
            TurnError::Taken { place: place.repository().to_string(), holder, until }
        };
        let held = held(place).await?;
        if !is_free(&held) {
            return Err(taken(held));
        }
        let until = now.saturating_add(TURN).unwrap_or(Timestamp::MAX);
        write(place, holder, until).await?;
        tokio::time::sleep(MOMENT).await;
        let held = self::held(place).await?;
        match held {
            Some((ref other, _)) if other == holder => {
                Ok(Self { place, holder: holder.to_owned() })
            }
            other => Err(taken(other)),
        }
    }

    /// Ends it.
    ///
    /// # Errors
    /// [`TurnError`].
    pub async fn end(self) -> Result<(), TurnError> {
        write(self.place, &self.holder, Timestamp::UNIX_EPOCH).await
    }
}

fn tag() -> Tag {
    "release-turn".parse().expect("it is a tag")
}

/// Returns whose turn it is, and until when.
async fn held(place: &Client) -> Result<Option<(String, Timestamp)>, TurnError> {
    let there = match place.resolve(&tag()).await {
        Ok(there) => there.manifest,
        Err(error) if error.reason.is_not_found() => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let Document::Manifest(manifest) = there.document() else { return Ok(None) };
    let of = |name: &str| manifest.annotations.get(name);
    let until = of(UNTIL).and_then(|until| until.parse().ok());
    Ok(of(HOLDER).cloned().zip(until))
}

async fn write(place: &Client, holder: &str, until: Timestamp) -> Result<(), TurnError> {
    let empty = Descriptor::of(MediaType::Empty, Manifest::EMPTY);
    place.push_blob(&empty, &mut bytes::Bytes::from_static(Manifest::EMPTY), None).await?;
    let mut manifest = Manifest::artifact(MediaType::Other(KIND.to_owned()), empty);
    let annotations = [(HOLDER, holder.to_owned()), (UNTIL, until.to_string())];
    manifest.annotations.extend(annotations.map(|(name, value)| (name.to_owned(), value)));
    let bytes = serde_json::to_vec(&manifest).map_err(ManifestError::Shape)?;
    let manifest = RawManifest::parse(bytes, MediaType::ImageManifest)?;
    Ok(place.tag(&manifest, &tag()).await?)
}
