//! The file of one package, as npm would unpack it.

use std::path::Path;

use occ_layer::tree::{Entry, Kind, LayerTree};
use occ_layer::unpack::Format;

use super::manifest::{Manifest, NAME, join};
use super::reviewed::{Review, UNREAD};
use crate::cache::Cache;
use crate::error::BuildError;
use crate::lock::PackagePin;
use crate::recipe::Architecture;
use crate::tools::archive;
use crate::tools::machine::Machine;

/// Reads a package's file from the cache.
pub(super) fn open(
    pin: &PackagePin,
    cache: &Cache<'_>,
    spool: &Path,
) -> Result<LayerTree, BuildError> {
    let file = cache.file_path(&pin.digest);
    let tree = archive::open(&file, Format::TarGz, &pin.spec(), cache, spool)?;
    archive::without_first_folder(&tree)
}

/// Refuses a package that would have to run something when it is installed, be it one that comes inside it.
pub(super) fn refuse_scripts(tree: &LayerTree, pin: &PackagePin) -> Result<(), BuildError> {
    for folder in packages(tree) {
        let manifest = Manifest::read(tree, &folder, &pin.spec())?;
        let has_binding = tree.get(&join(&folder, "binding.gyp")).is_some();
        let name = if folder.is_empty() { &pin.name } else { &manifest.name };
        if manifest.has_install_script(has_binding) && Review::of(name).is_none() {
            let (name, reason) = (name.clone(), UNREAD.to_owned());
            return Err(BuildError::Unsuitable { name, reason });
        }
    }
    Ok(())
}

/// Makes the files of commands executable, as npm does, of the package and of those that come inside it.
pub(super) fn make_executable(tree: &mut LayerTree, pin: &PackagePin) -> Result<(), BuildError> {
    for folder in packages(tree) {
        let manifest = Manifest::read(tree, &folder, &pin.spec())?;
        for file in manifest.commands().into_values().flatten() {
            if let Some(entry) = tree.get_mut(&join(&folder, &file)) {
                entry.mode |= 0o111;
            }
        }
    }
    Ok(())
}

/// Returns the folders of the package itself and of those that come inside it.
fn packages(tree: &LayerTree) -> Vec<String> {
    let folders = tree.entries().filter_map(|(path, _)| path.strip_suffix(NAME));
    folders
        .filter(|folder| is_package(folder))
        .map(|folder| folder.trim_end_matches('/').to_owned())
        .collect()
}

/// Returns whether a folder, with its slash, is where Node.js would find a package from the root.
fn is_package(folder: &str) -> bool {
    let mut rest = folder;
    while let Some(inside) = rest.strip_prefix("node_modules/") {
        let names = if inside.starts_with('@') { 2 } else { 1 };
        match inside.splitn(names + 1, '/').nth(names) {
            Some(further) => rest = further,
            None => return false,
        }
    }
    rest.is_empty()
}

/// Returns a tree without the machine code of other machines, and how many files that were: packages carry
/// it for every machine they know.
pub(super) fn without_foreign(
    tree: &LayerTree,
    architecture: Architecture,
) -> Result<(LayerTree, u32), BuildError> {
    let mut kept = LayerTree::new();
    let mut foreign = 0;
    for (path, entry) in tree.entries() {
        if is_for(entry, architecture).map_err(BuildError::at(path.as_ref()))? {
            kept.insert(path, entry.clone())?;
        } else {
            foreign += 1;
        }
    }
    Ok((kept, foreign))
}

fn is_for(entry: &Entry, architecture: Architecture) -> std::io::Result<bool> {
    match &entry.kind {
        Kind::File(content) => Ok(Machine::of(content)?.suits(architecture)),
        _ => Ok(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_inside_a_package_are_told_from_its_own_folders() {
        for folder in
            ["", "node_modules/a/", "node_modules/@s/a/", "node_modules/a/node_modules/b/"]
        {
            assert!(is_package(folder), "{folder:?}");
        }
        for folder in [
            "lib/",
            "test/node_modules/a/",
            "node_modules/a/lib/",
            "node_modules/@s/",
            "node_modules/",
        ] {
            assert!(!is_package(folder), "{folder:?}");
        }
    }
}
