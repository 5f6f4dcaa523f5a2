//! What recipe and lock say of an image that calls itself one of ours.

use std::collections::BTreeMap;

use occ_image::{BuildError, BuildPlan, PackagePin, Release, Target, guest, kept_image};
use occ_oci::{Digest, Platform};

use crate::context::Context;
use crate::failure::Failure;
use crate::identity::Identity;

/// An image of ours, as recipe and lock plan it.
pub(crate) struct OwnImage {
    /// The plan.
    pub(crate) plan: BuildPlan,
    /// Digest of the lock.
    pub(crate) lock: Digest,
    /// How much of it is that plan.
    pub(crate) fit: Fit,
    /// SHA-256 of the opencode binary that the lock gives, or why that is not known.
    pub(crate) binary: Result<Digest, String>,
}

/// How much of an image is what recipe and lock give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fit {
    /// It says that it was built from something else.
    Other,
    /// It says so, and no layers are kept here that it could be compared with.
    Said,
    /// Its layers are those that this machine made of them, byte for byte.
    Proved,
    /// It says so, and its layers are others than those that this machine made of them.
    Refuted,
}

/// What is told of the layers that are kept here.
struct Kept {
    fit: Fit,
    binary: Result<Digest, String>,
}

impl OwnImage {
    /// Looks at an image; nothing where it does not call itself ours.
    pub(crate) async fn find(
        identity: &Identity,
        context: &Context,
    ) -> Result<Option<Self>, Failure> {
        let Some(platform) = platform(identity) else { return Ok(None) };
        let labels = &identity.labels;
        let (Some(_), Some(key)) =
            (labels.get(guest::LABEL_CONTRACT), labels.get(guest::LABEL_BUILD_KEY))
        else {
            return Ok(None);
        };
        let config = context.layers()?.config();
        let source = context.image_source(config.image_recipe.as_deref())?;
        let (release, lock) = (release(labels), source.lock()?);
        let variant = labels.get(guest::LABEL_VARIANT).cloned().unwrap_or_default();
        let mut plans = Vec::new();
        for with in [Vec::new(), config.image_features.clone()] {
            let target = Target { platform, variant: variant.clone(), with };
            // A variant that the recipe does not have is one of another recipe.
            plans.extend(source.plan(&target, &release));
        }
        let lock = Digest::sha256(lock.render().as_bytes());
        let fitting = plans.iter().position(|plan| plan.key().to_string() == *key);
        let Some(index) = fitting else {
            let Some(plan) = plans.into_iter().next() else { return Ok(None) };
            let binary = Err("the image was built from another recipe or lock".to_owned());
            return Ok(Some(Self { plan, lock, fit: Fit::Other, binary }));
        };
        let plan = plans.swap_remove(index);
        let kept = compare(plan.clone(), identity, context).await?;
        Ok(Some(Self { plan, lock, fit: kept.fit, binary: kept.binary }))
    }

    /// Returns whether what the lock says holds for it.
    pub(crate) fn fits(&self) -> bool {
        matches!(self.fit, Fit::Said | Fit::Proved)
    }

    /// Returns the package that opencode comes from.
    pub(crate) fn opencode(&self) -> Option<&PackagePin> {
        self.plan.opencode()?.packages.first()
    }
}

fn platform(identity: &Identity) -> Option<Platform> {
    let parts: Vec<&str> = identity.platform.split('/').take(2).collect();
    parts.join("/").parse().ok()
}

fn release(labels: &BTreeMap<String, String>) -> Release {
    let label = |name: &str| labels.get(name).cloned();
    let usual = Release::default();
    Release {
        version: label(guest::LABEL_VERSION).unwrap_or(usual.version),
        created: label("org.opencontainers.image.created").unwrap_or(usual.created),
        revision: label("org.opencontainers.image.revision"),
        branch: label("org.opencode-cloud.branch"),
        run_url: label("org.opencode-cloud.run-url"),
    }
}

async fn compare(plan: BuildPlan, identity: &Identity, context: &Context) -> Result<Kept, Failure> {
    let (places, layers) = (context.places(), identity.layers.clone());
    let compared = move || -> Result<Kept, BuildError> {
        let Some(image) = kept_image(&plan, &places)? else {
            let binary = Err("no layers of it are kept here to compare with".to_owned());
            return Ok(Kept { fit: Fit::Said, binary });
        };
        let made: Vec<String> =
            image.layers.iter().map(|layer| layer.diff_id.to_string()).collect();
        let fit = if made == layers { Fit::Proved } else { Fit::Refuted };
        let binary = labelled(&image.labels);
        Ok(Kept { fit, binary: binary.ok_or_else(|| "the recipe has no opencode".to_owned()) })
    };
    context.work(move |_, _| compared()).await
}

/// Returns the digest that the label of an image gives its opencode.
pub(crate) fn labelled(labels: &BTreeMap<String, String>) -> Option<Digest> {
    labels.get(guest::LABEL_OPENCODE_BINARY)?.parse().ok()
}
