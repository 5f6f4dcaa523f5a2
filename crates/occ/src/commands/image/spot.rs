//! Where `occ image copy` copies from and to: a registry, or a folder that is a layout.

use std::fmt;
use std::path::PathBuf;

use occ_image::{EntryName, Selector};
use occ_oci::Reference;

use super::named::reference;
use crate::failure::Failure;

/// How the name of a layout begins, as other programs for images have it.
const LAYOUT: &str = "oci:";

/// A place that has an image, or gets one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Spot {
    /// A name in a registry.
    Registry(Reference),
    /// An entry of a layout.
    Layout {
        /// The layout.
        folder: PathBuf,
        /// Which entry; none where nobody said.
        entry: Option<EntryName>,
    },
}

impl Spot {
    /// Reads `HOST/PATH:TAG`, `HOST/PATH@DIGEST` or `oci:FOLDER:NAME`.
    pub(super) fn parse(text: &str) -> Result<Self, Failure> {
        let Some(layout) = text.strip_prefix(LAYOUT) else {
            return reference(text).map(Self::Registry);
        };
        let (folder, entry) = match layout.split_once(':') {
            Some((folder, entry)) => (folder, Some(entry)),
            None => (layout, None),
        };
        let wrong = |why: &str| Err(Failure::usage(format!("{text}: {why}")));
        if folder.is_empty() {
            return wrong("it names no folder");
        }
        let folder = PathBuf::from(folder);
        match entry.map(str::parse::<Selector>) {
            None => Ok(Self::Layout { folder, entry: None }),
            Some(Ok(Selector { entry, platform: None })) => {
                Ok(Self::Layout { folder, entry: Some(entry) })
            }
            Some(Ok(_)) => wrong("an image is copied with all its platforms"),
            Some(Err(error)) => wrong(&error.to_string()),
        }
    }
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registry(reference) => reference.fmt(f),
            Self::Layout { folder, entry: None } => write!(f, "{LAYOUT}{}", folder.display()),
            Self::Layout { folder, entry: Some(entry) } => {
                write!(f, "{LAYOUT}{}:{entry}", folder.display())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_is_told_from_a_registry_by_how_its_name_begins() {
        for text in ["oci:some/folder", "oci:/folder:base", "ghcr.io/a/b:1", "oci:f:1.2.3"] {
            assert_eq!(Spot::parse(text).expect(text).to_string(), text);
        }
        let digest = format!("oci:f:sha256:{}", "a".repeat(64));
        assert!(matches!(
            Spot::parse(&digest).expect("a digest"),
            Spot::Layout { entry: Some(EntryName::Digest(_)), .. }
        ));
        for text in ["oci:", "oci::base", "oci:f:", "oci:f:base@arm64", "prizz/x:1"] {
            assert!(Spot::parse(text).is_err(), "{text}");
        }
    }
}
