//! What somebody asked for: a name, and the bytes that it stood for.

use occ_oci::{Pinned, Repository, Tag};
use occ_registry::RawManifest;
use semver::Version;

/// What somebody asked for.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The repository by the name that is remembered.
    pub repository: Repository,
    /// Further names of the same: mirrors.
    pub mirrors: Vec<Repository>,
    /// The tag; none when it was asked for by its digest.
    pub tag: Option<Tag>,
    /// The bytes, which we hashed.
    pub manifest: RawManifest,
}

impl Asked {
    /// Asks for bytes by their digest.
    pub fn pinned(repository: Repository, manifest: RawManifest) -> Self {
        Self { repository, mirrors: Vec::new(), tag: None, manifest }
    }

    /// Asks for what a tag stood for.
    pub fn tagged(repository: Repository, tag: Tag, manifest: RawManifest) -> Self {
        Self { tag: Some(tag), ..Self::pinned(repository, manifest) }
    }

    /// The same with further names.
    #[must_use]
    pub fn mirrored(self, mirrors: Vec<Repository>) -> Self {
        Self { mirrors, ..self }
    }

    /// Returns the name that cannot move.
    pub fn name(&self) -> Pinned {
        let (repository, digest) = (self.repository.clone(), self.manifest.digest().clone());
        Pinned { repository, digest }
    }

    /// Returns whether the repository goes by this name.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        std::iter::once(&self.repository).chain(&self.mirrors).any(|own| own.to_string() == name)
    }

    /// Returns the version when the tag is one, which never moves; none for `latest` and the like.
    pub(crate) fn version(&self) -> Option<&str> {
        version_of(self.tag.as_ref()?)
    }
}

/// Returns the version that a tag is, which is the tag without its `v`; none for a name that moves.
pub fn version_of(tag: &Tag) -> Option<&str> {
    let version = tag.as_str().strip_prefix('v').unwrap_or(tag.as_str());
    is_version(version).then_some(version)
}

/// Returns whether a tag is a version, which never moves.
pub fn is_version_tag(tag: &Tag) -> bool {
    version_of(tag).is_some()
}

/// Returns whether a text is a whole version, not only the beginning of one (`1.2`). A letter behind the
/// last number is one more build of a version.
fn is_version(text: &str) -> bool {
    let (numbers, rest) = match text.split_once('-') {
        Some((numbers, rest)) => (numbers, format!("-{rest}")),
        None => (text, String::new()),
    };
    let numbers = numbers.strip_suffix(|c: char| c.is_ascii_lowercase()).unwrap_or(numbers);
    Version::parse(&format!("{numbers}{rest}")).is_ok()
}

#[cfg(test)]
mod tests {
    use super::is_version;

    #[test]
    fn a_version_has_all_its_numbers() {
        for text in ["1.14.44", "1.14.44b", "1.0.0-omos", "1.14.41b-omos-with-pi"] {
            assert!(is_version(text), "{text}");
        }
        for text in ["latest", "edge", "1", "1.14", "latest-omos", "base-latest", "1.14.44bb"] {
            assert!(!is_version(text), "{text}");
        }
    }
}
