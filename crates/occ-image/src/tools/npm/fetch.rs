//! Bringing files of packages into the cache: all at once, through npm's own cache, which keeps them by
//! their digests.

use std::collections::BTreeMap;
use std::path::PathBuf;

use occ_oci::{Digest, VerifyingError};

use super::REGISTRY;
use super::client::Client;
use super::published::{Published, spec};
use crate::cache::Cache;
use crate::error::BuildError;
use crate::event::{Event, Part};
use crate::lock::PackagePin;
use crate::plan::ToolPlan;
use crate::tools::kept_size;
use crate::workshop::Workshop;

/// Packages for one call of npm: a command line has an end.
const BATCH: usize = 200;

/// The file of a package that is to be in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) digest: Digest,
    /// In bytes, if it is known.
    pub(super) size: Option<u64>,
}

impl From<&PackagePin> for Wish {
    fn from(pin: &PackagePin) -> Self {
        let (name, version) = (pin.name.clone(), pin.version.clone());
        Self { name, version, digest: pin.digest.clone(), size: Some(pin.size) }
    }
}

impl Wish {
    fn spec(&self) -> Result<String, BuildError> {
        spec(&self.name, &self.version)
    }
}

/// Fetches what the cache does not have of some tools' packages.
pub(in crate::tools) fn fetch(
    plans: &[&ToolPlan],
    workshop: &Workshop,
    cache: &Cache<'_>,
) -> Result<(), BuildError> {
    let wishes: Vec<Wish> = plans.iter().flat_map(|plan| &plan.packages).map(Wish::from).collect();
    let work = cache.work_folder()?;
    let client = Client::new(workshop, work.path(), cache.context().1);
    fetch_all(&wishes, &client, cache)
}

/// Fetches what the cache does not have of some packages.
pub(super) fn fetch_all(
    wishes: &[Wish],
    client: &Client<'_>,
    cache: &Cache<'_>,
) -> Result<(), BuildError> {
    let mut missing: BTreeMap<&Digest, &Wish> = BTreeMap::new();
    for wish in wishes {
        if !is_kept(wish, cache)? {
            missing.insert(&wish.digest, wish);
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let (observer, _) = cache.context();
    let part = Part::Packages(REGISTRY);
    observer(Event::Begin(part.clone()));
    let missing: Vec<&Wish> = missing.into_values().collect();
    let total = u32::try_from(missing.len()).unwrap_or(u32::MAX);
    let mut done = 0;
    for batch in missing.chunks(BATCH) {
        add(client, batch)?;
        for wish in batch {
            keep(wish, client, cache)?;
            done += 1;
        }
        observer(Event::Count { part: part.clone(), done, total });
    }
    observer(Event::Done(part));
    Ok(())
}

fn is_kept(wish: &Wish, cache: &Cache<'_>) -> Result<bool, BuildError> {
    Ok(match wish.size {
        Some(size) => cache.file(&wish.digest, size)?.is_some(),
        None => kept_size(cache, &wish.digest)?.is_some(),
    })
}

/// Lets npm fetch some packages. It names no package when one of several fails, so then it is asked for
/// fewer of them.
fn add(client: &Client<'_>, wishes: &[&Wish]) -> Result<(), BuildError> {
    let specs = wishes.iter().map(|wish| wish.spec()).collect::<Result<Vec<_>, _>>()?;
    let mut arguments = vec!["cache", "add"];
    arguments.extend(specs.iter().map(String::as_str));
    match (client.run(&arguments), specs.as_slice()) {
        (Ok(_), _) => Ok(()),
        (Err(failure), []) => Err(failure.of("nothing")),
        (Err(failure), [one]) => Err(failure.of(one)),
        (Err(failure), _) if failure.is_of_one_package() => {
            let (some, others) = wishes.split_at(wishes.len() / 2);
            add(client, some)?;
            add(client, others)
        }
        (Err(failure), _) => Err(failure.of("several packages")),
    }
}

/// Moves a file from npm's cache into ours.
fn keep(wish: &Wish, client: &Client<'_>, cache: &Cache<'_>) -> Result<(), BuildError> {
    let (spec, path) = (wish.spec()?, content(client, &wish.digest));
    if path.exists() {
        return cache.keep_file(&path, &spec, &wish.digest, wish.size).map(|_| ());
    }
    // npm brought what the registry calls this version, and it is something else.
    let listed = Published::in_range(client, &wish.name, &wish.version)?;
    let expected = wish.digest.clone();
    let Some(got) = listed.first().and_then(|published| published.digest().ok()) else {
        return Err(BuildError::NotAvailable { name: spec, registry: REGISTRY });
    };
    let source = VerifyingError::Digest { expected, got };
    Err(BuildError::FileMismatch { name: spec, source })
}

/// SPEC: cacache, "content-v2": content is kept by algorithm and digits, of which two and two are folders.
fn content(client: &Client<'_>, digest: &Digest) -> PathBuf {
    let (algorithm, hex) = (digest.algorithm().name(), digest.hex());
    let contents = client.folder().join("npm/_cacache/content-v2").join(algorithm);
    contents.join(&hex[..2]).join(&hex[2..4]).join(&hex[4..])
}
