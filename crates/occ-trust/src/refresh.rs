//! Fetching a newer trust root (The Update Framework): signed by those whom the one before names, not older
//! than what was fetched before, and not expired.

use std::path::Path;

use bytes::Bytes;
use jiff::Timestamp;
use occ_registry::{Errand, Registries, Secret, Verb};
use sigstore_tuf::transport::FetchFuture;
use sigstore_tuf::{FileStore, Repository, Updater};

use crate::crypto;
use crate::root::{RootError, TrustRoot};

/// The first root of Sigstore's public repository that is trusted; newer ones follow from it.
const PUBLIC_ROOT: &[u8] = include_bytes!("tuf_root.json");
const TARGET: &str = "trusted_root.json";
/// Largest file that is read, in bytes.
const LIMIT: u64 = 8 * 1024 * 1024;

/// Where trust roots come from.
#[derive(Debug, Clone)]
pub struct RootService {
    /// The repository's address.
    pub url: String,
    /// Whom we begin with (`root.json`).
    pub first: Bytes,
}

impl RootService {
    /// Returns Sigstore's public one.
    pub fn public() -> Self {
        let url = "https://tuf-repo-cdn.sigstore.dev".to_owned();
        Self { url, first: Bytes::from_static(PUBLIC_ROOT) }
    }
}

/// Why there is no newer trust root. The one at hand is as good as before.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// It could not be fetched, or is not signed by those who must sign it.
    #[error("no newer trust root can be had from {url}")]
    Update {
        /// The repository.
        url: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It is no trust root, or cannot be kept.
    #[error(transparent)]
    Root(#[from] RootError),
}

impl TrustRoot {
    /// Fetches the newest trust root and keeps it in a file. What was fetched before is kept in a folder, so
    /// that nothing older is ever taken.
    ///
    /// # Errors
    /// [`RefreshError`]; what was kept before stays.
    pub async fn refresh(
        way: &Registries,
        from: &RootService,
        (path, folder): (&Path, &Path),
        now: Timestamp,
    ) -> Result<Self, RefreshError> {
        crypto::ready();
        let url = from.url.trim_end_matches('/').to_owned();
        let failed = |error: sigstore_tuf::Error| RefreshError::Update {
            url: url.clone(),
            source: Box::new(error),
        };
        let places = Places { way: way.clone(), url: url.clone() };
        let updater = Updater::new(places, &from.first).map_err(failed)?;
        let mut updater = updater.with_store(FileStore::new(folder));
        updater.refresh(now).await.map_err(failed)?;
        let root = updater.get_target(TARGET, now).await.map_err(failed)?;
        Ok(Self::store(&root, path, now)?)
    }
}

/// The repository, asked over the way that registries are asked on.
struct Places {
    way: Registries,
    url: String,
}

impl Places {
    async fn fetch(&self, place: String, most: u64) -> sigstore_tuf::Result<Option<Vec<u8>>> {
        let limit = usize::try_from(most.min(LIMIT)).unwrap_or(usize::MAX);
        let url = Secret::new(format!("{}/{place}", self.url));
        let errand = Errand { url, verb: Verb::Get, accept: "*/*", bearer: None, limit };
        match self.way.errand(&errand).await {
            Ok(bytes) => Ok(Some(bytes.to_vec())),
            Err(error) if error.reason.is_not_found() => Ok(None),
            Err(error) => Err(sigstore_tuf::Error::transport_with_source(place, error)),
        }
    }
}

impl Repository for Places {
    fn fetch_metadata<'a>(&'a self, name: &'a str, max_length: u64) -> FetchFuture<'a> {
        Box::pin(self.fetch(name.to_owned(), max_length))
    }

    fn fetch_target<'a>(&'a self, path: &'a str, max_length: u64) -> FetchFuture<'a> {
        Box::pin(self.fetch(format!("targets/{path}"), max_length))
    }
}
