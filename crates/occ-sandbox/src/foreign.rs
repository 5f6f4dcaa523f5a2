//! Images that are not ours.

use std::fmt;

use occ_engine::ImageFacts;
use occ_image::guest;

/// An image that does not keep the guest contract this program knows; it is never run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ForeignImage {
    /// Its name or id.
    pub image: String,
    /// The contract version its label names, if it has one.
    pub contract: Option<String>,
}

impl fmt::Display for ForeignImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.contract {
            None => write!(f, "the image was not made by opencode-cloud: {}", self.image),
            Some(version) => write!(
                f,
                "the image keeps guest contract {version}, this program knows {}: {}",
                guest::CONTRACT_VERSION,
                self.image
            ),
        }
    }
}

/// Returns why an image is not one of ours, or none when it is.
pub fn foreign(image: &ImageFacts) -> Option<ForeignImage> {
    let contract = image.labels.get(guest::LABEL_CONTRACT);
    (contract.map(String::as_str) != Some(guest::CONTRACT_VERSION)).then(|| ForeignImage {
        image: image.tags.first().cloned().unwrap_or_else(|| image.id.to_string()),
        contract: contract.cloned(),
    })
}
