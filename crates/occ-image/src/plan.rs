//! The plan: an ordered, complete description of the bytes to make. Pure; making them decides nothing.

use std::collections::BTreeMap;

use occ_oci::Platform;

use crate::config::ImageConfig;
use crate::cpu::Cpu;
use crate::guest::{
    CONTRACT_VERSION, LABEL_BUILD_KEY, LABEL_CONTRACT, LABEL_OPENCODE, LABEL_VERSION,
    LOCAL_REPOSITORY, OPENCODE,
};
use crate::guest_files::{self, GuestEntry};
use crate::key::{BuildKey, Encoding, LayerKey};
use crate::lock::{Lock, Pin};
use crate::recipe::{BaseRecipe, Recipe};
use occ_layer::EPOCH;

/// Version of everything in this crate that shapes a layer's bytes and is no data: what is left out of the
/// base, which accounts are added, how archives are written. It is part of every key.
const SHAPE: u64 = 1;

/// For which machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// Operating system and architecture.
    pub platform: Platform,
    /// What its processors can.
    pub cpu: Cpu,
}

/// There is nothing to put into an image for this machine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the lock has no opencode for {platform} with a {cpu} processor")]
pub struct NoPin {
    /// The platform.
    pub platform: Platform,
    /// The processors.
    pub cpu: Cpu,
}

/// What image to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildPlan {
    /// For which platform.
    pub platform: Platform,
    /// The Debian base, the lowest layer.
    pub base: BaseRecipe,
    /// The opencode binary, the middle layer.
    pub opencode: Pin,
    /// The guest's own files, the upper layer.
    pub guest: Vec<GuestEntry>,
    /// Version of opencode-cloud that makes the image.
    pub version: String,
}

impl BuildPlan {
    /// Plans the image that a recipe and a lock give for a machine.
    ///
    /// # Errors
    /// [`NoPin`].
    pub fn new(recipe: &Recipe, lock: &Lock, target: Target, version: &str) -> Result<Self, NoPin> {
        let Target { platform, cpu } = target;
        let opencode = lock.opencode(platform, cpu).ok_or(NoPin { platform, cpu })?.clone();
        Ok(Self {
            platform,
            base: recipe.base.clone(),
            opencode,
            guest: guest_files::entries(version),
            version: version.to_owned(),
        })
    }

    /// Returns the key of the base layer.
    ///
    /// It covers what we ask for. What the archive answers moves with its security updates, so two machines
    /// can hold different bytes under one key; the layer's own digest tells them apart.
    pub fn base_key(&self) -> LayerKey {
        let base = &self.base;
        let encoding = Encoding::new("opencode-cloud/layer/base", SHAPE)
            .field("platform", self.platform.to_string())
            .field("suite", &base.suite)
            .field("variant", &base.variant)
            .list("packages", base.packages.iter())
            .list("exclude", base.exclude.iter())
            .list("include", base.include.iter())
            .number("epoch", EPOCH);
        LayerKey::new(encoding.finish())
    }

    /// Returns the key of the layer with opencode.
    pub fn opencode_key(&self) -> LayerKey {
        let pin = &self.opencode;
        let encoding = Encoding::new("opencode-cloud/layer/opencode", SHAPE)
            .field("platform", pin.platform.to_string())
            .field("cpu", pin.cpu.to_string())
            .field("package", &pin.package)
            .field("version", &pin.version)
            .field("integrity", pin.integrity.to_string())
            .number("size", pin.size)
            .field("member", &pin.member)
            .field("binary", pin.binary.to_string())
            .number("binary-size", pin.binary_size)
            .field("path", OPENCODE)
            .number("epoch", EPOCH);
        LayerKey::new(encoding.finish())
    }

    /// Returns the key of the layer with the guest's own files.
    pub fn guest_key(&self) -> LayerKey {
        let encoding = Encoding::new("opencode-cloud/layer/guest", SHAPE).number("epoch", EPOCH);
        LayerKey::new(guest_files::encode(&self.guest, encoding).finish())
    }

    /// Returns the key of the whole image.
    pub fn key(&self) -> BuildKey {
        let labels = self.labels_without_key();
        let encoding = Encoding::new("opencode-cloud/image", SHAPE)
            .field("base", self.base_key().hex())
            .field("opencode", self.opencode_key().hex())
            .field("guest", self.guest_key().hex())
            .field("config", ImageConfig::new(self.platform, labels).to_json());
        BuildKey::new(encoding.finish())
    }

    /// Returns the image's name in an engine; equal names mean equal plans.
    pub fn name(&self) -> String {
        format!("{LOCAL_REPOSITORY}:{}", self.key().short())
    }

    /// Returns the version of opencode in the image.
    pub fn opencode_version(&self) -> &str {
        &self.opencode.version
    }

    /// Returns the image's labels.
    pub fn labels(&self) -> BTreeMap<String, String> {
        let mut labels = self.labels_without_key();
        labels.insert(LABEL_BUILD_KEY.to_owned(), self.key().to_string());
        labels
    }

    fn labels_without_key(&self) -> BTreeMap<String, String> {
        [
            (LABEL_CONTRACT, CONTRACT_VERSION),
            (LABEL_VERSION, &self.version),
            (LABEL_OPENCODE, &self.opencode.version),
            ("org.opencontainers.image.title", "opencode-cloud-sandbox"),
            ("org.opencontainers.image.description", "A sandbox with the opencode coding agent"),
            ("org.opencontainers.image.version", &self.version),
            ("org.opencontainers.image.licenses", "MIT"),
            ("org.opencontainers.image.source", env!("CARGO_PKG_REPOSITORY")),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
    }

    /// Returns the configuration, still without layers.
    pub(crate) fn config(&self) -> ImageConfig {
        ImageConfig::new(self.platform, self.labels())
    }
}
