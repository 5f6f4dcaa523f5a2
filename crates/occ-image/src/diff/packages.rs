//! Packages in other versions: from the bills of materials where both images have one, from Debian's own list
//! of what is installed where they do not.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::sync::atomic::AtomicBool;

use occ_layer::tree::normal;
use serde::{Deserialize, Serialize};

use crate::layout::{LayoutError, StoredImage};
use crate::sbom;
use crate::seen::{Archive, Seen, in_layer};

/// Debian's list of what is installed (dpkg's file format, deb822(5)).
const STATUS: &str = "var/lib/dpkg/status";
/// The largest one that is read, in bytes.
const STATUS_LIMIT: u64 = 64 << 20;

/// Where the packages of two images are known from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Inventory {
    /// Their bills of materials.
    Sbom,
    /// Debian's list of what is installed, which knows Debian's packages only.
    Dpkg,
    /// Nothing says which packages are in them.
    Unknown,
}

/// What a package is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PackageKind {
    /// A tool of the workshop, whatever it is made of.
    Tool,
    /// A package of Debian.
    Deb,
    /// Another kind, by its type in package addresses, such as `npm`.
    #[serde(untagged)]
    Other(String),
}

impl PackageKind {
    /// Returns what several of them are called.
    pub fn plural(&self) -> String {
        match self {
            Self::Tool => "tools".to_owned(),
            Self::Deb => "packages of Debian".to_owned(),
            Self::Other(kind) => format!("packages ({kind})"),
        }
    }
}

/// A package that is not the same in two images.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PackageChange {
    /// What it is.
    pub kind: PackageKind,
    /// Its name.
    pub name: String,
    /// Its versions in the first image, sorted as texts; none if it was not there.
    pub before: Vec<String>,
    /// Its versions in the second image; none if it is not there.
    pub after: Vec<String>,
}

/// Versions by package.
type Packages = BTreeMap<(PackageKind, String), BTreeSet<String>>;

pub(super) fn compare(
    before: (&StoredImage, &Seen),
    after: (&StoredImage, &Seen),
    cancel: &AtomicBool,
) -> Result<(Inventory, Vec<PackageChange>), LayoutError> {
    if let (Some(before), Some(after)) = (of_sbom(before.0)?, of_sbom(after.0)?) {
        return Ok((Inventory::Sbom, changes(before, after)));
    }
    match (of_dpkg(before, cancel)?, of_dpkg(after, cancel)?) {
        (None, None) => Ok((Inventory::Unknown, Vec::new())),
        (before, after) => {
            let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
            Ok((Inventory::Dpkg, changes(before, after)))
        }
    }
}

fn changes(mut before: Packages, mut after: Packages) -> Vec<PackageChange> {
    let keys: BTreeSet<_> = before.keys().chain(after.keys()).cloned().collect();
    keys.into_iter()
        .map(|key| {
            let versions = |packages: &mut Packages| {
                packages.remove(&key).unwrap_or_default().into_iter().collect::<Vec<_>>()
            };
            let (before, after) = (versions(&mut before), versions(&mut after));
            let (kind, name) = key;
            PackageChange { kind, name, before, after }
        })
        .filter(|change| change.before != change.after)
        .collect()
}

/// The fields of a bill of materials that matter here, whoever wrote it.
#[derive(Deserialize)]
struct Bom {
    #[serde(default)]
    components: Vec<Component>,
}

#[derive(Deserialize)]
struct Component {
    #[serde(default)]
    version: String,
    #[serde(default)]
    purl: String,
    #[serde(default)]
    properties: Vec<Property>,
}

#[derive(Deserialize)]
struct Property {
    name: String,
    #[serde(default)]
    value: String,
}

fn of_sbom(image: &StoredImage) -> Result<Option<Packages>, LayoutError> {
    let Some(bytes) = image.sbom()? else { return Ok(None) };
    let bom: Bom = serde_json::from_slice(&bytes).map_err(|source| {
        let what = format!("the bill of materials of {}", image.descriptor.digest);
        LayoutError::Document { what, source }
    })?;
    let mut packages = Packages::new();
    for Component { version, purl, properties } in bom.components {
        let tools = properties.into_iter().filter(|it| it.name == sbom::TOOL);
        let tools = tools.map(|tool| (PackageKind::Tool, tool.value));
        for key in tools.chain(named(&purl)) {
            packages.entry(key).or_default().insert(version.clone());
        }
    }
    Ok(Some(packages))
}

/// Reads kind and name of a package address; none if it is no address.
fn named(purl: &str) -> Option<(PackageKind, String)> {
    let path = purl.strip_prefix("pkg:")?.split(['?', '#']).next()?;
    let (kind, path) = path.split_once('/')?;
    // The version may hold an at sign, but only an encoded one.
    let path = path.rsplit_once('@').map_or(path, |(path, _)| path);
    match kind {
        "deb" => Some((PackageKind::Deb, decoded(path.rsplit('/').next()?))),
        other => Some((PackageKind::Other(other.to_owned()), decoded(path))),
    }
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|_| *first == b'%');
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn of_dpkg(
    (image, seen): (&StoredImage, &Seen),
    cancel: &AtomicBool,
) -> Result<Option<Packages>, LayoutError> {
    let Some(layer) = seen.contents.provider(STATUS) else { return Ok(None) };
    let layer = &image.manifest.layers[layer];
    let mut text = String::new();
    let mut archive = tar::Archive::new(Archive::open(image, layer, cancel)?);
    let mut read = || {
        for entry in archive.entries()? {
            let entry = entry?;
            if normal(&String::from_utf8_lossy(&entry.path_bytes())).is_ok_and(|it| it == STATUS) {
                text.clear();
                entry.take(STATUS_LIMIT).read_to_string(&mut text)?;
            }
        }
        Ok::<_, std::io::Error>(())
    };
    read().map_err(|error| in_layer(layer)(error.into()))?;
    Ok(Some(installed(&text)))
}

fn installed(status: &str) -> Packages {
    let mut packages = Packages::new();
    for paragraph in status.split("\n\n") {
        let field = |name: &str| {
            paragraph.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        };
        let (Some(name), Some(version)) = (field("Package"), field("Version")) else { continue };
        if field("Status").is_some_and(|status| status.ends_with(" installed")) {
            let key = (PackageKind::Deb, name.to_owned());
            packages.entry(key).or_default().insert(version.to_owned());
        }
    }
    packages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_back() {
        for (purl, kind, name) in [
            ("pkg:deb/debian/libstdc%2B%2B6@1:2-3?arch=amd64", PackageKind::Deb, "libstdc++6"),
            ("pkg:npm/%40a/b@1.0.0", PackageKind::Other("npm".to_owned()), "@a/b"),
            ("pkg:generic/100%@1", PackageKind::Other("generic".to_owned()), "100%"),
            ("pkg:golang/x/y#sub", PackageKind::Other("golang".to_owned()), "x/y"),
        ] {
            assert_eq!(named(purl), Some((kind, name.to_owned())), "{purl}");
        }
        assert_eq!(named("npm/a@1"), None);
        assert_eq!(named("pkg:npm"), None);
    }

    #[test]
    fn only_installed_packages_count() {
        let status = "Package: a\nStatus: install ok installed\nVersion: 1:2\nDescription: x\n Version: 9\n\n\
                      Package: b\nStatus: deinstall ok config-files\nVersion: 1\n\n\
                      Package: c\nStatus: hold ok installed\nVersion: 3\n\nVersion: 5\n";
        let names: Vec<String> = installed(status).into_keys().map(|(_, name)| name).collect();
        assert_eq!(names, ["a", "c"]);
        assert!(installed("").is_empty());
    }
}
