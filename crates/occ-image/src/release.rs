//! What an image says about where it comes from (OCI image spec, annotations).

use std::collections::BTreeMap;

use occ_layer::EPOCH_RFC3339;

/// Statements of whoever builds an image; none of them changes a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Version of opencode-cloud that the image is released with; `dev` for a build that is no release.
    pub version: String,
    /// Time of the build as RFC 3339; a fixed one by default, so that equal inputs give equal bytes.
    pub created: String,
    /// Commit the recipe is from.
    pub revision: Option<String>,
    /// Branch of that commit.
    pub branch: Option<String>,
    /// Address of the run that built it.
    pub run_url: Option<String>,
}

/// Version of an image that is no release.
pub const DEVELOPMENT: &str = "dev";

impl Default for Release {
    fn default() -> Self {
        Self {
            version: DEVELOPMENT.to_owned(),
            created: EPOCH_RFC3339.to_owned(),
            revision: None,
            branch: None,
            run_url: None,
        }
    }
}

impl Release {
    /// Returns labels, which are also the annotations of index and manifest.
    pub fn labels(&self) -> BTreeMap<String, String> {
        let source = env!("CARGO_PKG_REPOSITORY");
        let builder = concat!("occ ", env!("CARGO_PKG_VERSION"));
        let fixed = [
            ("org.opencontainers.image.title", "opencode-cloud-sandbox"),
            ("org.opencontainers.image.description", "A sandbox with the opencode coding agent"),
            ("org.opencontainers.image.licenses", "MIT"),
            ("org.opencontainers.image.vendor", "opencode-cloud"),
            ("org.opencontainers.image.url", source),
            ("org.opencontainers.image.documentation", source),
            ("org.opencontainers.image.source", source),
            ("org.opencontainers.image.version", &self.version),
            ("org.opencontainers.image.created", &self.created),
            ("org.opencode-cloud.builder", builder),
        ];
        let optional = [
            ("org.opencontainers.image.revision", &self.revision),
            ("org.opencode-cloud.branch", &self.branch),
            ("org.opencode-cloud.run-url", &self.run_url),
        ];
        let optional = optional.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?)));
        fixed
            .into_iter()
            .chain(optional)
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }
}
