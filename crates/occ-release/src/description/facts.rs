//! What recipe and lock know about the images, as a page tells it.

use std::collections::{BTreeMap, BTreeSet};

use occ_image::{Architecture, Lock, Recipe, Source, Tool, UnknownName, guest};
use occ_oci::Digest;

use crate::version::{ParseVersionError, Version};

/// The tool whose version is that of a release.
const OPENCODE: &str = "opencode";
/// The package of Debian whose version is that of its point release.
const POINT_RELEASE: &str = "base-files";
/// The variant whose tags have no name behind them.
const BASE: &str = "base";

/// Facts about the images of a release.
#[derive(Debug, Clone)]
pub struct Facts {
    /// What the release is called.
    pub version: Version,
    /// Digests of the images by variant, as far as somebody knows them.
    pub digests: BTreeMap<String, Digest>,
    opencode: String,
    suite: String,
    point_release: String,
    packages: usize,
    architectures: Vec<Architecture>,
    variants: Vec<(String, Vec<ToolFacts>)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct ToolFacts {
    name: String,
    version: String,
}

/// Why a recipe and a lock are not those of a release.
#[derive(Debug, thiserror::Error)]
pub enum FactsError {
    /// A tool is in no lock, and has no version of its own.
    #[error("the lock has no version of {tool}")]
    NoVersion {
        /// The tool.
        tool: String,
    },
    /// A variant has a feature that is not there.
    #[error(transparent)]
    Unknown(#[from] UnknownName),
    /// The version of opencode is none of a release.
    #[error(transparent)]
    Version(#[from] ParseVersionError),
}

impl Facts {
    /// Reads a recipe and its lock. The release is the first one of the opencode in it; where architectures have
    /// different ones, of that for amd64.
    ///
    /// # Errors
    /// [`FactsError`].
    pub fn of(recipe: &Recipe, lock: &Lock) -> Result<Self, FactsError> {
        let opencode = locked(lock, OPENCODE)
            .ok_or_else(|| FactsError::NoVersion { tool: OPENCODE.to_owned() })?;
        let released = lock.tools.get(OPENCODE).and_then(|tool| {
            tool.version(Architecture::Amd64).or_else(|| tool.version(Architecture::Arm64))
        });
        let architectures = [Architecture::Amd64, Architecture::Arm64];
        let architectures =
            architectures.into_iter().filter(|it| lock.groups(*it).next().is_some());
        let architectures: Vec<_> = architectures.collect();
        let first = architectures.first().copied().unwrap_or(Architecture::Amd64);
        let pins = || lock.groups(first).flat_map(|group| &group.packages);
        let point_release = pins().find(|pin| pin.name == POINT_RELEASE);
        let point_release = point_release.map_or_else(String::new, |pin| {
            pin.version.split(['+', '~']).next().unwrap_or_default().to_owned()
        });
        let variants = recipe.variants.keys().map(|variant| {
            let tools =
                recipe.tools_of(variant, &[])?.into_iter().map(|tool| ToolFacts::of(tool, lock));
            Ok((variant.clone(), tools.collect::<Result<_, FactsError>>()?))
        });
        Ok(Self {
            version: Version::first(released.unwrap_or_default())?,
            opencode,
            digests: BTreeMap::new(),
            suite: recipe.base.suite.clone(),
            point_release,
            packages: pins().count(),
            variants: variants.collect::<Result<_, FactsError>>()?,
            architectures,
        })
    }

    /// Returns the names of the variants.
    pub fn variants(&self) -> impl Iterator<Item = &str> {
        self.variants.iter().map(|(name, _)| name.as_str())
    }

    /// Returns what a template calls by a name.
    pub(super) fn value(&self, name: &str) -> Option<String> {
        Some(match name {
            "repository" => guest::IMAGE_REPOSITORY.to_owned(),
            "source" => env!("CARGO_PKG_REPOSITORY").to_owned(),
            "version" => self.version.to_string(),
            "opencode" => self.opencode.clone(),
            "debian" => format!("{} ({})", self.point_release, self.suite),
            "packages" => self.packages.to_string(),
            "architectures" => {
                let names: Vec<_> = self.architectures.iter().map(|it| it.name()).collect();
                names.join(" and ")
            }
            "variants" => self.variant_table(),
            "tools" => self.tool_table(),
            _ => return None,
        })
    }

    fn variant_table(&self) -> String {
        let with_digests = !self.digests.is_empty();
        let mut table = String::from("| variant | tags | beyond what all have |");
        table.push_str(if with_digests { " digest |\n" } else { "\n" });
        table.push_str(if with_digests { "|---|---|---|---|" } else { "|---|---|---|" });
        for (variant, tools) in &self.variants {
            let tag = |stem: &str| match variant.as_str() {
                BASE => format!("`{stem}`"),
                other => format!("`{stem}-{other}`"),
            };
            let tags = format!("{}, {}", tag(&self.version.to_string()), tag("latest"));
            let more = tools.iter().filter(|tool| !self.all_have(tool));
            let more: Vec<_> = more.map(|it| format!("{} {}", it.name, it.version)).collect();
            let more = if more.is_empty() { "–".to_owned() } else { more.join(", ") };
            table.push_str(&format!("\n| `{variant}` | {tags} | {more} |"));
            if with_digests {
                let digest = self.digests.get(variant).map(|digest| format!(" `{digest}`"));
                table.push_str(&format!("{} |", digest.unwrap_or_default()));
            }
        }
        table
    }

    fn tool_table(&self) -> String {
        let mut told = BTreeSet::new();
        let all = self.variants.iter().flat_map(|(_, tools)| tools);
        let shared = all.filter(|tool| self.all_have(tool) && told.insert(tool.name.clone()));
        let rows = shared.map(|tool| format!("\n| {} | {} |", tool.name, tool.version));
        format!("| tool | version |\n|---|---|{}", rows.collect::<String>())
    }

    fn all_have(&self, tool: &ToolFacts) -> bool {
        self.variants.iter().all(|(_, tools)| tools.contains(tool))
    }
}

impl ToolFacts {
    fn of(tool: &Tool, lock: &Lock) -> Result<Self, FactsError> {
        let version = match &tool.source {
            Source::Url { version, .. } => Some(version.clone()),
            _ => locked(lock, &tool.name),
        };
        let name = tool.name.clone();
        let version = version.ok_or_else(|| FactsError::NoVersion { tool: name.clone() })?;
        Ok(Self { name, version })
    }
}

/// Returns the version that a lock has of a tool; where architectures have different ones, each with its
/// name.
fn locked(lock: &Lock, tool: &str) -> Option<String> {
    let tool = lock.tools.get(tool)?;
    let versions = [Architecture::Amd64, Architecture::Arm64].map(|it| (it, tool.version(it)));
    match versions {
        [(_, Some(one)), (_, Some(other))] if one == other => Some(one.to_owned()),
        several => {
            let each = several.iter().filter_map(|(architecture, version)| {
                Some(format!("{} ({architecture})", (*version)?))
            });
            Some(each.collect::<Vec<_>>().join(", ")).filter(|text| !text.is_empty())
        }
    }
}
