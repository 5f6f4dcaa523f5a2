//! What only the whole tree tells: members that are fine alone and not beside each other.

use std::collections::HashMap;

use crate::tree::{Kind, LayerTree};

use super::fault::Fault;

/// Returns the first member that another one spoils, and how.
pub(super) fn fault(tree: &LayerTree) -> Option<(String, Fault)> {
    let mut seen = HashMap::new();
    tree.entries().find_map(|(path, entry)| {
        let fault = above(tree, path)
            .or_else(|| case_collision(path, &mut seen))
            .or_else(|| dangling(tree, path, &entry.kind))?;
        Some((path.to_owned(), fault))
    })
}

/// Returns the folders that a path implies, and the path.
fn prefixes(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(slash, _)| &path[..slash]).chain([path])
}

fn above(tree: &LayerTree, path: &str) -> Option<Fault> {
    let folders = prefixes(path).filter(|prefix| prefix.len() < path.len());
    folders.filter_map(|folder| Some((folder, tree.get(folder)?))).find_map(|(folder, entry)| {
        match &entry.kind {
            Kind::Folder => None,
            Kind::Symlink(_) => Some(Fault::BehindSymlink(folder.to_owned())),
            _ => Some(Fault::InFile(folder.to_owned())),
        }
    })
}

/// Such an archive would unpack to something else on a disk that ignores case.
fn case_collision<'a>(path: &'a str, seen: &mut HashMap<String, &'a str>) -> Option<Fault> {
    prefixes(path).find_map(|prefix| {
        let other = *seen.entry(prefix.to_lowercase()).or_insert(prefix);
        (other != prefix).then(|| Fault::CaseCollision(other.to_owned()))
    })
}

fn dangling(tree: &LayerTree, path: &str, kind: &Kind) -> Option<Fault> {
    let Kind::Hardlink(target) = kind else { return None };
    tree.file_behind(path, target).err().map(|_| Fault::HardlinkOut(target.clone()))
}
