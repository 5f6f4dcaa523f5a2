//! From names of packages to exact files: apt decides, as it would on a machine without any package.

use std::collections::{BTreeMap, BTreeSet};

use super::REGISTRY;
use super::apt::Apt;
use super::index;
use crate::cache::Cache;
use crate::error::BuildError;
use crate::lock::{DebianGroup, DebianPin};
use crate::recipe::{Architecture, BaseRecipe, GroupRecipe};
use crate::resolve::Wanted;
use crate::workshop::Workshop;

/// What every Debian begins with: what its packages may take for granted, and apt.
const BEGINNING: [&str; 3] = ["?essential", "?priority(required)", "apt"];

/// Asks the machine's archive which exact packages the groups need on an architecture.
pub(crate) fn resolve(
    base: &BaseRecipe,
    architecture: Architecture,
    wanted: &Wanted<'_>,
    workshop: &Workshop,
    cache: &Cache<'_>,
) -> Result<Vec<DebianGroup>, BuildError> {
    let apt = Apt::open(&base.suite, architecture, workshop, cache)?;
    let kept = kept(&apt, architecture, wanted)?;
    apt.prefer(&kept)?;
    let chosen = match choose(&apt, &base.group) {
        // What is new can need more of the rest to be new than we know: then all of it moves.
        Err(BuildError::ProgramFailed { .. }) if !kept.is_empty() => {
            apt.prefer(&[])?;
            choose(&apt, &base.group)
        }
        other => other,
    };
    match chosen {
        Ok(chosen) => pins(&apt, architecture, &base.group, chosen),
        Err(error @ BuildError::ProgramFailed { .. }) => {
            Err(explain(&apt, architecture, &base.group, error)?)
        }
        Err(error) => Err(error),
    }
}

/// Returns what stays as it is locked. Packages of one source are made for each other, so where one of them
/// may move or is gone from the archive, all may move.
fn kept<'a>(
    apt: &Apt<'_>,
    architecture: Architecture,
    wanted: &Wanted<'a>,
) -> Result<Vec<&'a DebianPin>, BuildError> {
    let locked = wanted.kept.iter().flat_map(|lock| lock.groups(architecture));
    let mut kept: BTreeMap<&str, &DebianPin> =
        locked.flat_map(|group| &group.packages).map(|pin| (pin.name.as_str(), pin)).collect();
    let mut sources: BTreeMap<&str, String> = BTreeMap::new();
    let mut there: BTreeSet<&str> = BTreeSet::new();
    index::each(&apt.lists(), |package| {
        if let Some((name, pin)) = kept.get_key_value(package.name) {
            sources.insert(name, package.source.to_owned());
            if pin.version == package.version {
                there.insert(name);
            }
        }
    })?;
    let moving: BTreeSet<&String> = kept
        .keys()
        .filter(|name| wanted.may_move(name) || !there.contains(*name))
        .filter_map(|name| sources.get(name))
        .collect();
    kept.retain(|name, _| {
        there.contains(name)
            && !wanted.may_move(name)
            && sources.get(name).is_some_and(|source| !moving.contains(source))
    });
    Ok(kept.into_values().collect())
}

/// Asks apt about the first group, the first two, and so on; returns digests of files with the number of
/// the group that needs them first.
fn choose(apt: &Apt<'_>, groups: &[GroupRecipe]) -> Result<BTreeMap<String, usize>, BuildError> {
    let mut first: BTreeMap<String, usize> = BTreeMap::new();
    let mut all = BTreeSet::new();
    let mut names: Vec<&str> = BEGINNING.to_vec();
    for (number, group) in groups.iter().enumerate() {
        names.extend(group.packages.iter().map(String::as_str));
        let answer = apt
            .get()
            .with(|command| {
                command.args(["install", "--print-uris", "-q", "-y"]).args(&names);
            })
            .output()?;
        all = answer.lines().filter_map(digest).map(str::to_owned).collect();
        for digest in &all {
            first.entry(digest.clone()).or_insert(number);
        }
    }
    // A later group can decide otherwise where there is a choice; then nobody needs the first one.
    first.retain(|digest, _| all.contains(digest));
    Ok(first)
}

/// Reads `'URI' FILE SIZE SHA256:DIGEST`.
fn digest(line: &str) -> Option<&str> {
    line.starts_with('\'').then(|| line.rsplit_once(" SHA256:")).flatten().map(|(_, digest)| digest)
}

fn pins(
    apt: &Apt<'_>,
    architecture: Architecture,
    groups: &[GroupRecipe],
    mut chosen: BTreeMap<String, usize>,
) -> Result<Vec<DebianGroup>, BuildError> {
    let group = |group: &GroupRecipe| DebianGroup {
        architecture,
        group: group.name.clone(),
        packages: Vec::new(),
    };
    let mut groups: Vec<DebianGroup> = groups.iter().map(group).collect();
    let mut wrong = None;
    index::each(&apt.lists(), |package| {
        if let Some(number) = chosen.remove(package.sha256) {
            match package.pin() {
                Some(pin) => groups[number].packages.push(pin),
                None => wrong = Some(package.name.to_owned()),
            }
        }
    })?;
    let wrong = wrong.or_else(|| chosen.into_keys().next());
    if let Some(name) = wrong {
        let reason = "its list of packages does not describe the file".to_owned();
        return Err(BuildError::Answer { name, registry: REGISTRY, reason });
    }
    for group in &mut groups {
        group.packages.sort_by(|a, b| a.name.cmp(&b.name));
    }
    Ok(groups)
}

/// Makes an error of names that the archive does not have; any other reason is apt's to tell.
fn explain(
    apt: &Apt<'_>,
    architecture: Architecture,
    groups: &[GroupRecipe],
    error: BuildError,
) -> Result<BuildError, BuildError> {
    let mut names: BTreeSet<&str> =
        groups.iter().flat_map(|group| &group.packages).map(String::as_str).collect();
    index::each(&apt.lists(), |package| {
        names.remove(package.name);
        // `a (= 1), b`
        for provided in package.provides.split(',') {
            names.remove(provided.trim().split(' ').next().unwrap_or_default());
        }
    })?;
    if names.is_empty() {
        return Ok(error);
    }
    let names = names.into_iter().collect::<Vec<_>>().join(", ");
    let name = format!("{names} for {architecture}");
    Ok(BuildError::NotAvailable { name, registry: REGISTRY })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_with_an_address_have_a_digest() {
        let line = "'http://a.test/x/jq_1%3a1_amd64.deb' jq_1%3a1_amd64.deb 7 SHA256:00ff";
        assert_eq!(digest(line), Some("00ff"));
        assert_eq!(digest("W: something SHA256:00"), None);
        assert_eq!(digest("'http://a.test/x.deb' x.deb 7 MD5Sum:00"), None);
    }
}
