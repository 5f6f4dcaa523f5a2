//! Whether an image and this program are of one version. Pure.

use std::collections::BTreeMap;

use occ_image::guest;
use serde::{Deserialize, Serialize};

use crate::observe::Observation;
use crate::plan::usable_image;

/// An image made for another version of opencode-cloud than this program's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mismatch {
    /// Version the image says it is of.
    pub image: String,
    /// Version of this program.
    pub cli: String,
}

/// Returns how an image with these labels differs from a program of version `cli`, if it does.
///
/// An image without the label and one labelled `dev` were made on some machine, and go with any version.
pub fn mismatch(labels: &BTreeMap<String, String>, cli: &str) -> Option<Mismatch> {
    let image = labels.get(guest::LABEL_VERSION)?;
    let differs = image != occ_image::DEVELOPMENT && image != cli;
    differs.then(|| Mismatch { image: image.clone(), cli: cli.to_owned() })
}

impl Observation {
    /// Returns how the image that a start would run differs from a program of version `cli`; none also when
    /// there is no image yet.
    pub fn mismatch(&self, cli: &str) -> Option<Mismatch> {
        match &self.around {
            Some(around) => mismatch(&usable_image(around)?.labels, cli),
            // A container has the labels of its image.
            None => mismatch(&self.container.as_ref()?.labels, cli),
        }
    }

    /// Returns whether a start would have to bring an image first.
    pub fn lacks_image(&self) -> bool {
        self.around.as_ref().is_some_and(|around| usable_image(around).is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labelled(version: &str) -> BTreeMap<String, String> {
        BTreeMap::from([(guest::LABEL_VERSION.to_owned(), version.to_owned())])
    }

    #[test]
    fn lif_012_no_label_and_dev_go_with_any_version_and_others_must_be_equal() {
        assert_eq!(mismatch(&BTreeMap::new(), "1.0.12"), None);
        assert_eq!(mismatch(&labelled("dev"), "1.0.12"), None);
        assert_eq!(mismatch(&labelled("1.0.12"), "1.0.12"), None);
        let expected = Mismatch { image: "1.0.11".into(), cli: "1.0.12".into() };
        assert_eq!(mismatch(&labelled("1.0.11"), "1.0.12"), Some(expected));
    }
}
