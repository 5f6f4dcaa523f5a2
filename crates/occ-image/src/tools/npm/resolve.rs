//! From what a recipe says of a tool to exact packages.

use std::collections::BTreeSet;

use semver::Version;

use super::REGISTRY;
use super::client::Client;
use super::fetch::{Wish, fetch_all};
use super::needs::{Asked, Chosen, folder, only};
use super::published::{self, Published};
use crate::cache::Cache;
use crate::error::BuildError;
use crate::lock::{PackagePin, ToolLock};
use crate::recipe::{Architecture, PerArchitecture, Tool};
use crate::resolve::Wanted;
use crate::tools::patience::patiently;
use crate::tools::{ARCHITECTURES, kept_size};
use crate::workshop::Workshop;

/// Resolves a tool: what is locked stays where it may, the rest is the newest that the recipe allows. Where
/// architectures have packages of their own, that is the newest that all of them have, if they have any in common.
pub(in crate::tools) fn resolve(
    tool: &Tool,
    package: &PerArchitecture<String>,
    range: &str,
    wanted: &Wanted<'_>,
    workshop: &Workshop,
    cache: &Cache<'_>,
) -> Result<Vec<PackagePin>, BuildError> {
    let work = cache.work_folder()?;
    let client = Client::new(workshop, work.path(), cache.context().1);
    let resolver = Resolver { tool, range, wanted, cache, client };
    Ok(merged(resolver.all(&names(package))?))
}

/// Returns each name that a package has, with the architectures on which it has it.
fn names(package: &PerArchitecture<String>) -> Vec<(&str, Vec<Architecture>)> {
    match package {
        PerArchitecture::All(name) => vec![(name, ARCHITECTURES.to_vec())],
        PerArchitecture::Each(_) => ARCHITECTURES
            .into_iter()
            .filter_map(|architecture| {
                Some((package.get(architecture)?.as_str(), vec![architecture]))
            })
            .collect(),
    }
}

/// Puts the tool's own packages first.
fn merged(chosen: Vec<Vec<PackagePin>>) -> Vec<PackagePin> {
    let (own, others): (Vec<_>, Vec<_>) = chosen
        .into_iter()
        .map(|mut pins| {
            let others = pins.split_off(1.min(pins.len()));
            (pins, others)
        })
        .unzip();
    own.into_iter().chain(others).flatten().collect()
}

struct Resolver<'a> {
    tool: &'a Tool,
    range: &'a str,
    wanted: &'a Wanted<'a>,
    cache: &'a Cache<'a>,
    client: Client<'a>,
}

impl Resolver<'_> {
    /// Returns the pins for every name of the tool's package: all of them kept, or all of them chosen.
    fn all(&self, names: &[(&str, Vec<Architecture>)]) -> Result<Vec<Vec<PackagePin>>, BuildError> {
        let kept = names.iter().map(|(name, architectures)| self.kept(name, architectures));
        let kept: Vec<_> = kept.collect::<Result<_, _>>()?;
        if let Some(kept) = kept.into_iter().collect() {
            return Ok(kept);
        }
        let shared = self.shared(names)?.map(|version| version.to_string());
        let range = shared.as_deref().unwrap_or(self.range);
        names.iter().map(|(name, architectures)| self.package(name, architectures, range)).collect()
    }

    /// Returns the newest version that several names have; one of them can be published long after the others.
    fn shared(&self, names: &[(&str, Vec<Architecture>)]) -> Result<Option<Version>, BuildError> {
        if names.len() < 2 {
            return Ok(None);
        }
        let Some(listed) = self.listed(names, self.range)? else { return Ok(None) };
        // Without a range npm tells of each only the one that is tagged as its newest.
        let newest = listed.iter().flatten().min().filter(|_| self.range.is_empty());
        let listed = match newest.map(|newest| format!("<={newest}")) {
            Some(range) => self.listed(names, &range)?.unwrap_or_default(),
            None => listed,
        };
        let shared = listed.into_iter().reduce(|a, b| &a & &b);
        Ok(shared.and_then(|mut shared| shared.pop_last()))
    }

    /// Returns the versions in a range that each name has; nothing where one of them has none, because whoever
    /// chooses for each says which.
    fn listed(
        &self,
        names: &[(&str, Vec<Architecture>)],
        range: &str,
    ) -> Result<Option<Vec<BTreeSet<Version>>>, BuildError> {
        let versions = |(name, _): &(&str, _)| {
            let listed = Published::in_range(&self.client, name, range)?;
            Ok(listed.into_iter().map(|it| it.version).collect())
        };
        match names.iter().map(versions).collect() {
            Ok(listed) => Ok(Some(listed)),
            Err(BuildError::NotAvailable { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns the pins for one name of the tool's package, its own first.
    fn package(
        &self,
        name: &str,
        architectures: &[Architecture],
        range: &str,
    ) -> Result<Vec<PackagePin>, BuildError> {
        let chosen = if self.tool.commands.is_empty() {
            vec![self.newest(name, range, only(architectures))?]
        } else {
            let tool = self.tool.name.as_str();
            let asked = Asked { tool, name, range, architectures };
            asked.choose(&self.client, self.cache.context().0)?
        };
        self.fetched(chosen)
    }

    /// Returns the pins so far, if the recipe still allows them and all of them are still to be had.
    fn kept(
        &self,
        name: &str,
        architectures: &[Architecture],
    ) -> Result<Option<Vec<PackagePin>>, BuildError> {
        let tool = &self.tool.name;
        let Some(lock) = self.wanted.kept.and_then(|lock| lock.tools.get(tool)) else {
            return Ok(None);
        };
        let pins = self.pins_of(lock, name, architectures);
        let Some(own) = pins.first() else { return Ok(None) };
        if lock.source != REGISTRY
            || self.wanted.may_move(tool)
            || !self.allows(name, &own.version)?
        {
            return Ok(None);
        }
        let wishes: Vec<Wish> = pins.iter().map(Wish::from).collect();
        match fetch_all(&wishes, &self.client, self.cache) {
            Ok(()) => Ok(Some(pins)),
            Err(BuildError::NotAvailable { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns the locked packages that one name of the tool's package stands for, that itself first;
    /// nothing if it is not locked in the shape that the recipe wants.
    fn pins_of(
        &self,
        lock: &ToolLock,
        name: &str,
        architectures: &[Architecture],
    ) -> Vec<PackagePin> {
        let path = (!self.tool.commands.is_empty()).then(|| folder(name));
        let of = only(architectures);
        let is_own =
            |pin: &&PackagePin| pin.name == name && pin.path == path && pin.architecture == of;
        let Some(own) = lock.packages.iter().find(is_own) else { return Vec::new() };
        let others = lock.packages.iter().filter(|pin| {
            path.is_some() && !is_own(pin) && (of.is_none() || pin.architecture == of)
        });
        [own].into_iter().chain(others).cloned().collect()
    }

    /// Returns whether the recipe allows a version. npm's ranges are for npm to understand.
    fn allows(&self, name: &str, version: &str) -> Result<bool, BuildError> {
        if self.range.is_empty() || self.range == version {
            return Ok(true);
        }
        if self.range.parse::<Version>().is_ok() {
            return Ok(false);
        }
        match Published::in_range(&self.client, name, self.range) {
            Ok(listed) => Ok(listed.iter().any(|it| it.version.to_string() == version)),
            Err(BuildError::NotAvailable { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Chooses the newest version of a package.
    fn newest(
        &self,
        name: &str,
        range: &str,
        architecture: Option<Architecture>,
    ) -> Result<Chosen, BuildError> {
        let listed = Published::in_range(&self.client, name, range)?;
        let newest = listed
            .into_iter()
            .max_by(|a, b| a.version.cmp(&b.version))
            .ok_or_else(|| published::no_answer(name, "it lists no version"))?;
        let (version, digest) = (newest.version.to_string(), newest.digest()?);
        let license = newest.license();
        let wish = Wish { name: newest.name, version, digest, size: None };
        Ok(Chosen { wish, architecture, path: None, license })
    }

    /// Fetches what was chosen, and waits for what the registry names and does not have yet.
    fn fetched(&self, chosen: Vec<Chosen>) -> Result<Vec<PackagePin>, BuildError> {
        let wishes: Vec<Wish> = chosen.iter().map(|chosen| chosen.wish.clone()).collect();
        patiently(self.wanted.patience, self.cache.context().1, || {
            fetch_all(&wishes, &self.client, self.cache)
        })?;
        chosen.into_iter().map(|chosen| self.pin(chosen)).collect()
    }

    fn pin(&self, chosen: Chosen) -> Result<PackagePin, BuildError> {
        let Chosen { wish: Wish { name, version, digest, .. }, architecture, path, license } =
            chosen;
        let size = kept_size(self.cache, &digest)?.ok_or_else(|| {
            let name = format!("{name}@{version}");
            BuildError::NotAvailable { name, registry: REGISTRY }
        })?;
        Ok(PackagePin { name, version, architecture, path, file: None, size, digest, license })
    }
}
