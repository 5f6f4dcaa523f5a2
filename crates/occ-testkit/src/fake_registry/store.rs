//! What a fake registry holds.

use std::collections::BTreeMap;

use occ_oci::{Algorithm, Digest, Hasher};

use super::fault::Change;

/// Everything, by repository.
#[derive(Debug, Default)]
pub(super) struct Store {
    repositories: BTreeMap<String, Repository>,
    /// Uploads under way, by their number.
    pub(super) uploads: BTreeMap<usize, Vec<u8>>,
    uploads_ever: usize,
}

#[derive(Debug, Default)]
struct Repository {
    blobs: BTreeMap<String, Vec<u8>>,
    manifests: BTreeMap<String, (String, Vec<u8>)>,
    tags: BTreeMap<String, String>,
}

/// Returns the digest of bytes in the algorithm of another one.
pub(super) fn digest_like(name: &str, bytes: &[u8]) -> String {
    let algorithm = name.parse::<Digest>().map_or(Algorithm::Sha256, |digest| digest.algorithm());
    let mut hasher = Hasher::new(algorithm);
    hasher.update(bytes);
    hasher.finish().to_string()
}

impl Store {
    pub(super) fn blob(&self, repository: &str, digest: &str) -> Option<&Vec<u8>> {
        self.repositories.get(repository)?.blobs.get(digest)
    }

    pub(super) fn put_blob(&mut self, repository: &str, digest: &str, bytes: Vec<u8>) {
        let repository = self.repositories.entry(repository.to_owned()).or_default();
        repository.blobs.insert(digest.to_owned(), bytes);
    }

    /// Returns a manifest by its tag or digest, with its digest.
    pub(super) fn manifest(
        &self,
        repository: &str,
        name: &str,
    ) -> Option<(&String, &(String, Vec<u8>))> {
        let repository = self.repositories.get(repository)?;
        let digest = repository.tags.get(name).map_or(name, String::as_str);
        repository.manifests.get_key_value(digest)
    }

    /// Returns all manifests of a repository, with their digests.
    pub(super) fn manifests(&self, repository: &str) -> Vec<(&String, &(String, Vec<u8>))> {
        let repository = self.repositories.get(repository);
        repository.map_or_else(Vec::new, |repository| repository.manifests.iter().collect())
    }

    /// Keeps a manifest and returns its digest.
    pub(super) fn put_manifest(
        &mut self,
        repository: &str,
        name: &str,
        (media_type, bytes): (&str, Vec<u8>),
    ) -> String {
        let repository = self.repositories.entry(repository.to_owned()).or_default();
        let digest = digest_like(name, &bytes);
        repository.manifests.insert(digest.clone(), (media_type.to_owned(), bytes));
        if !name.contains(':') {
            repository.tags.insert(name.to_owned(), digest.clone());
        }
        digest
    }

    pub(super) fn tags(&self, repository: &str) -> Vec<String> {
        let repository = self.repositories.get(repository);
        repository.map_or_else(Vec::new, |repository| repository.tags.keys().cloned().collect())
    }

    /// Begins an upload and returns its number.
    pub(super) fn begin(&mut self) -> usize {
        self.uploads_ever += 1;
        self.uploads.insert(self.uploads_ever, Vec::new());
        self.uploads_ever
    }

    /// Removes a manifest with every tag that stands for it; returns whether it was there.
    pub(super) fn forget_manifest(&mut self, repository: &str, digest: &str) -> bool {
        let Some(repository) = self.repositories.get_mut(repository) else { return false };
        repository.tags.retain(|_, is| is != digest);
        repository.manifests.remove(digest).is_some()
    }

    pub(super) fn change(&mut self, change: Change) {
        match change {
            Change::Put { repository, name, media_type, bytes } => {
                self.put_manifest(&repository, &name, (&media_type, bytes));
            }
            Change::Blob { repository, bytes } => {
                let digest = Digest::sha256(&bytes).to_string();
                self.put_blob(&repository, &digest, bytes);
            }
            Change::Forget { repository, name } => {
                if let Some(repository) = self.repositories.get_mut(&repository) {
                    repository.tags.remove(&name);
                    repository.manifests.remove(&name);
                    repository.blobs.remove(&name);
                }
            }
            Change::ForgetUploads => self.uploads.clear(),
        }
    }
}
