//! The plan: an ordered, complete description of the bytes to make. Pure; making them decides nothing.

use std::collections::BTreeMap;

use occ_layer::EPOCH;
use occ_oci::{Digest, Platform};

use crate::config::ImageConfig;
use crate::debian::CONFIGURE;
use crate::guest::{
    CONTRACT_VERSION, LABEL_BASE_KEY, LABEL_BUILD_KEY, LABEL_CONTRACT, LABEL_OPENCODE,
    LABEL_OPENCODE_BINARY, LABEL_VARIANT, LABEL_VERSION, LOCAL_REPOSITORY,
};
use crate::guest_files::{self, GuestEntry};
use crate::key::{BaseKey, BuildKey, Encoding, LayerKey};
use crate::lock::{DebianGroup, Lock, PackagePin, StaleLock};
use crate::recipe::{Architecture, Recipe, Source, SystemRecipe, Tool, UnknownName};
use crate::release::Release;

/// Version of everything in this crate that shapes a layer's bytes and is no data: what is left out of the
/// base, which accounts are added, how archives are written. It is part of every key.
pub(crate) const BUILDER: u64 = 2;

/// Name of the tool that every variant is there for.
pub(crate) const OPENCODE_TOOL: &str = "opencode";

/// Which image to plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Operating system and architecture.
    pub platform: Platform,
    /// Variant of the recipe, such as `base`.
    pub variant: String,
    /// Features beyond those of the variant, such as `extras`.
    pub with: Vec<String>,
}

impl Target {
    /// Returns the target of a variant without more features.
    pub fn new(platform: Platform, variant: &str) -> Self {
        Self { platform, variant: variant.to_owned(), with: Vec::new() }
    }
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The recipe has no such variant or feature.
    #[error(transparent)]
    UnknownName(#[from] UnknownName),
    /// The lock answers another recipe.
    #[error(transparent)]
    Stale(#[from] StaleLock),
    /// The lock has no file of a tool for an architecture.
    #[error("the lock has no {tool} for {architecture}")]
    NoPin {
        /// The tool, or `debian`.
        tool: String,
        /// The architecture.
        architecture: Architecture,
    },
    /// Two tools bring the same path.
    #[error("{path} comes from both {first} and {second}")]
    Conflict {
        /// The path inside.
        path: String,
        /// One tool.
        first: String,
        /// The other.
        second: String,
    },
}

/// What image to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildPlan {
    /// For which platform.
    pub platform: Platform,
    /// Name of the variant.
    pub variant: String,
    /// The Debian base, the lowest layers.
    pub base: BasePlan,
    /// The guest's own files, the uppermost layer.
    pub guest: Vec<GuestEntry>,
    /// Tools, one layer each, in the order in which they are stacked.
    pub tools: Vec<ToolPlan>,
    /// Language, clock and shell.
    pub system: SystemRecipe,
    /// What the image says about where it comes from.
    pub release: Release,
}

/// The Debian base for one platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BasePlan {
    /// For which platform.
    pub platform: Platform,
    /// Release of Debian.
    pub suite: String,
    /// Groups of packages, lowest layer first.
    pub groups: Vec<DebianGroup>,
    /// Paths that packages may not bring.
    pub exclude: Vec<String>,
    /// Paths that they may bring all the same.
    pub include: Vec<String>,
    /// Login shell of the user.
    pub shell: String,
}

/// The layer of one tool for one platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolPlan {
    /// For which platform.
    pub platform: Platform,
    /// What the recipe says of it.
    pub tool: Tool,
    /// Its version.
    pub version: String,
    /// Files of others that it is made of, its own first; none for one from an address.
    pub packages: Vec<PackagePin>,
}

impl BuildPlan {
    /// Plans the image that a recipe and a lock give for a target.
    ///
    /// # Errors
    /// [`PlanError`].
    pub fn new(
        recipe: &Recipe,
        lock: &Lock,
        target: &Target,
        release: &Release,
    ) -> Result<Self, PlanError> {
        lock.answers(recipe)?;
        let platform = target.platform;
        let tools = recipe
            .tools_of(&target.variant, &target.with)?
            .into_iter()
            .map(|tool| ToolPlan::new(tool, lock, platform))
            .collect::<Result<Vec<_>, _>>()?;
        one_owner_each(&tools)?;
        Ok(Self {
            platform,
            variant: target.variant.clone(),
            base: BasePlan::new(recipe, lock, platform)?,
            guest: guest_files::entries(recipe, release, &tools, platform.into()),
            tools,
            system: recipe.system.clone(),
            release: release.clone(),
        })
    }

    /// Returns the key of the layer with the guest's own files.
    pub fn guest_key(&self) -> LayerKey {
        let encoding = Encoding::new("opencode-cloud/layer/guest", BUILDER).number("epoch", EPOCH);
        LayerKey::new(guest_files::encode(&self.guest, encoding).finish())
    }

    /// Returns the key of the whole image.
    pub fn key(&self) -> BuildKey {
        let labels = self.labels_without_key();
        let encoding = Encoding::new("opencode-cloud/image", BUILDER)
            .field("base", self.base.key().hex())
            .field("guest", self.guest_key().hex())
            .number("tools", self.tools.len() as u64);
        let encoding = self
            .tools
            .iter()
            .fold(encoding, |encoding, tool| encoding.field("tool", tool.key().hex()));
        let config = ImageConfig::new(self, labels).to_json();
        // What is read out of the layers follows from their keys; that it is said does not.
        let encoding =
            encoding.field("config", config).list("read", [LABEL_OPENCODE_BINARY].iter());
        BuildKey::new(encoding.finish())
    }

    /// Returns the image's name in an engine; equal names mean equal plans.
    pub fn name(&self) -> String {
        format!("{LOCAL_REPOSITORY}:{}", self.key().short())
    }

    /// Returns the version of opencode in the image; empty for a recipe without opencode.
    pub fn opencode_version(&self) -> &str {
        self.opencode().map_or("", |tool| &tool.version)
    }

    /// Returns the tool that is opencode; none for a recipe without it.
    pub fn opencode(&self) -> Option<&ToolPlan> {
        self.tools.iter().find(|tool| tool.tool.name == OPENCODE_TOOL)
    }

    /// Returns the image's labels, without those that only its layers can tell.
    pub fn labels(&self) -> BTreeMap<String, String> {
        let mut labels = self.labels_without_key();
        labels.insert(LABEL_BUILD_KEY.to_owned(), self.key().to_string());
        labels
    }

    fn labels_without_key(&self) -> BTreeMap<String, String> {
        let mut labels = self.release.labels();
        let of_the_plan = [
            (LABEL_CONTRACT, CONTRACT_VERSION.to_owned()),
            (LABEL_VERSION, self.release.version.clone()),
            (LABEL_OPENCODE, self.opencode_version().to_owned()),
            (LABEL_VARIANT, self.variant.clone()),
            (LABEL_BASE_KEY, self.base.key().to_string()),
        ];
        labels.extend(of_the_plan.map(|(name, value)| (name.to_owned(), value)));
        labels
    }

    /// Returns the labels of the image whose opencode is the program of this digest.
    pub(crate) fn labels_with(&self, binary: Option<&Digest>) -> BTreeMap<String, String> {
        let binary = binary.map(|digest| (LABEL_OPENCODE_BINARY.to_owned(), digest.to_string()));
        self.labels().into_iter().chain(binary).collect()
    }

    /// Returns the configuration, still without layers.
    pub(crate) fn config(&self) -> ImageConfig {
        ImageConfig::new(self, self.labels())
    }
}

impl BasePlan {
    fn new(recipe: &Recipe, lock: &Lock, platform: Platform) -> Result<Self, PlanError> {
        let architecture = Architecture::from(platform);
        let groups: Vec<_> = lock.groups(architecture).cloned().collect();
        if groups.is_empty() {
            return Err(PlanError::NoPin { tool: "debian".to_owned(), architecture });
        }
        let base = &recipe.base;
        Ok(Self {
            platform,
            suite: base.suite.clone(),
            groups,
            exclude: base.exclude.clone(),
            include: base.include.clone(),
            shell: recipe.system.shell.clone(),
        })
    }

    /// Returns the key of the base: of everything that decides its bytes.
    pub fn key(&self) -> BaseKey {
        let mut encoding = Encoding::new("opencode-cloud/base", BUILDER)
            .field("platform", self.platform.to_string())
            .field("suite", &self.suite)
            .list("exclude", self.exclude.iter())
            .list("include", self.include.iter())
            .field("shell", &self.shell)
            .field("configure", CONFIGURE)
            .number("epoch", EPOCH)
            .number("groups", self.groups.len() as u64);
        for group in &self.groups {
            encoding = encoding
                .field("group", &group.group)
                .number("packages", group.packages.len() as u64);
            for pin in &group.packages {
                encoding = encoding
                    .field("name", &pin.name)
                    .field("version", &pin.version)
                    .field("architecture", pin.architecture.map_or("all", Architecture::name))
                    .number("size", pin.size)
                    .field("digest", pin.digest.to_string());
            }
        }
        BaseKey::new(encoding.finish())
    }

    /// Returns the names of its layers with their keys, lowest first: one per group, and one for what the
    /// packages' scripts leave behind.
    pub fn layers(&self) -> Vec<(String, LayerKey)> {
        let key = self.key();
        let names = self.groups.iter().map(|group| group.group.as_str()).chain([CONFIGURED]);
        names
            .map(|name| {
                let encoding = Encoding::new("opencode-cloud/layer/base", BUILDER)
                    .field("base", key.hex())
                    .field("layer", name);
                (name.to_owned(), LayerKey::new(encoding.finish()))
            })
            .collect()
    }
}

/// Name of the base's uppermost layer.
pub(crate) const CONFIGURED: &str = "configured";

impl ToolPlan {
    fn new(tool: &Tool, lock: &Lock, platform: Platform) -> Result<Self, PlanError> {
        let architecture = Architecture::from(platform);
        let missing = || PlanError::NoPin { tool: tool.name.clone(), architecture };
        let (version, packages) = if let Source::Url { version, sha256, .. } = &tool.source {
            sha256.get(architecture).ok_or_else(missing)?;
            (version.clone(), Vec::new())
        } else {
            let locked = lock.tools.get(&tool.name).ok_or_else(missing)?;
            let version = locked.version(architecture).ok_or_else(missing)?;
            (version.to_owned(), locked.packages(architecture).cloned().collect())
        };
        Ok(Self { platform, tool: tool.clone(), version, packages })
    }

    /// Returns the address and the digest of a tool from an address.
    pub fn address(&self) -> Option<(String, &Digest)> {
        let Source::Url { version, url, sha256 } = &self.tool.source else { return None };
        let architecture = Architecture::from(self.platform);
        Some((self.tool.fill(url, version, architecture), sha256.get(architecture)?))
    }

    /// Returns the files of a tool that is no tree: path inside to member of the archive.
    pub fn files(&self) -> BTreeMap<String, String> {
        let architecture = Architecture::from(self.platform);
        let fill = |member: &String| self.tool.fill(member, &self.version, architecture);
        self.tool.files.iter().map(|(path, member)| (path.clone(), fill(member))).collect()
    }

    /// Returns the key of the layer.
    pub fn key(&self) -> LayerKey {
        let files = self.files();
        let mut encoding = Encoding::new("opencode-cloud/layer/tool", BUILDER)
            .field("platform", self.platform.to_string())
            .field("source", self.tool.source.kind())
            .field("name", &self.tool.name)
            .field("version", &self.version)
            .list("commands", self.tool.commands.iter())
            .list("paths", files.keys())
            .list("members", files.values())
            .number("epoch", EPOCH);
        if let Some((_, digest)) = self.address() {
            encoding = encoding.field("digest", digest.to_string());
        }
        encoding = encoding.number("packages", self.packages.len() as u64);
        for pin in &self.packages {
            encoding = encoding
                .field("name", &pin.name)
                .field("version", &pin.version)
                .field("path", pin.path.as_deref().unwrap_or_default())
                .number("size", pin.size)
                .field("digest", pin.digest.to_string());
        }
        LayerKey::new(encoding.finish())
    }
}

/// A path that two layers bring would be stored twice, and the upper one would win in silence.
fn one_owner_each(tools: &[ToolPlan]) -> Result<(), PlanError> {
    let mut owners: BTreeMap<String, &str> = BTreeMap::new();
    for plan in tools {
        let commands = plan.tool.commands.iter().map(|command| crate::tools::command_path(command));
        for path in plan.tool.files.keys().cloned().chain(commands) {
            if let Some(first) = owners.insert(path.clone(), &plan.tool.name) {
                let (first, second) = (first.to_owned(), plan.tool.name.clone());
                return Err(PlanError::Conflict { path, first, second });
            }
        }
    }
    Ok(())
}
