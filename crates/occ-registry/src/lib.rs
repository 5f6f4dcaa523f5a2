//! The post office: images and what belongs to them, to registries and from them (OCI distribution
//! spec 1.1).
//!
//! What comes is believed only as far as its digest goes. Every body has a limit, every wait an end, and
//! a credential goes to the host that it is for and to nobody else.
//!
//! | word | is |
//! |---|---|
//! | [`Registries`], [`Settings`] | the way to registries: who we are, whom we trust, how long we wait |
//! | [`Client`] | one repository on one registry: pull, push, retag, refer |
//! | [`RawManifest`] | a manifest's bytes, digest and meaning, kept together |
//! | [`BlobStream`] | a blob on its way, whose last byte comes when all are right |
//! | [`Referrers`] | what is about a manifest, from the API and from the tag |
//! | [`Whole`] | an image with everything that refers to it |
//! | [`copy`], [`send`] | all of that to another place, byte for byte |
//! | [`Mirrors`] | places that hold the same; the first that answers gives the bytes, all must agree |
//! | [`Errand`] | a request to a service beside the registries, on the same way |
//! | [`Keychain`] | credentials: Docker's configuration, a helper, the environment |
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use occ_oci::Tagged;
//! use occ_registry::{Registries, Settings};
//!
//! let name: Tagged = "ghcr.io/prizz/opencode-cloud-sandbox:latest".parse()?;
//! let client = Registries::new(Settings::new(7)).client(&name.repository)?;
//! let resolved = client.resolve(&name.tag).await?;
//! assert_eq!(resolved.pinned.digest, *resolved.manifest.digest());
//! # Ok(())
//! # }
//! ```

mod address;
mod auth;
mod blob;
mod client;
mod copy;
mod errand;
mod error;
mod keychain;
mod manifest;
mod mirrors;
mod patience;
mod pull;
mod push;
mod referrers;
mod secret;
mod settings;
mod tags;
mod wire;

pub use address::{AddressError, Scheme};
pub use auth::ChallengeError;
pub use blob::BlobStream;
pub use client::{AT_ONCE, Client, Registries};
pub use copy::{Copied, Event, Kind, Part, Shelf, Whole, copy, send};
pub use errand::{Errand, Verb};
pub use error::{Cause, Error, Reason};
pub use keychain::{Credentials, EnvironmentLogin, Keychain, KeychainError};
pub use manifest::{Document, MANIFEST_LIMIT, ManifestError, RawManifest};
pub use mirrors::{Agreed, Asking, Attempt, Exhausted, MirroredBlob, Mirrors, ResolveError};
pub use patience::{Patience, Pause};
pub use pull::Resolved;
pub use push::{FileSource, Pushed, Source, StreamSource};
pub use referrers::{ApiList, Attached, Referrers, TagList};
pub use secret::Secret;
pub use settings::Settings;
pub use wire::{Authorities, Proxies, ProxyError, SYSTEM_BUNDLES};
