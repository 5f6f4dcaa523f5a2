//! Picking: which part of a foreign tree goes where in a layer.

use std::collections::BTreeMap;

use crate::tree::{Entry, Kind, LayerTree, TreeError, normal};
use crate::unpack::stays_inside;

/// One file or folder of a tree, and its place in a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pick {
    /// Its path in the tree; empty for everything.
    pub from: String,
    /// Its path in the layer; empty for the root, which only a folder can become.
    pub to: String,
    /// Whether every file becomes executable; otherwise those that were executable for anybody.
    pub executable: bool,
}

/// Why something was not picked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PickError {
    /// The tree has nothing there.
    #[error("there is no {0:?}")]
    Missing(String),
    /// Neither a file nor a folder.
    #[error("{0:?} is neither a file nor a folder")]
    Kind(String),
    /// A symbolic link leads out of what is picked, so it would lead elsewhere in its new place.
    #[error("the symbolic link {link} leads to {target}, which is not picked with it")]
    Symlink {
        /// The link, as the tree has it.
        link: String,
        /// Where it leads.
        target: String,
    },
    /// A path is none, or a hard link dangles.
    #[error(transparent)]
    Tree(#[from] TreeError),
}

impl LayerTree {
    /// Returns what is picked, in its new place.
    ///
    /// Everything belongs to root, files have 0755 or 0644, folders 0755; there are no attributes, and times
    /// are the latest that a layer allows. Of several names of one file the first has the bytes, so that a
    /// hard link to a file that is not picked becomes that file.
    ///
    /// # Errors
    /// [`PickError`].
    pub fn take(&self, pick: &Pick) -> Result<Self, PickError> {
        let (from, to) = (folder(&pick.from)?, folder(&pick.to)?);
        let mut picked = Picked { tree: self, pick, firsts: BTreeMap::new(), taken: Self::new() };
        match self.get(&from).map(|entry| &entry.kind) {
            Some(Kind::File(_) | Kind::Hardlink(_)) => picked.add(&from, "", &to)?,
            None | Some(Kind::Folder) => picked.add_folder(&from, &to)?,
            Some(_) => return Err(PickError::Kind(from)),
        }
        Ok(picked.taken)
    }
}

struct Picked<'a> {
    tree: &'a LayerTree,
    pick: &'a Pick,
    /// Files by their path in the tree, with the path of the name that got the bytes.
    firsts: BTreeMap<String, String>,
    taken: LayerTree,
}

impl Picked<'_> {
    fn add_folder(&mut self, from: &str, to: &str) -> Result<(), PickError> {
        let tree = self.tree;
        let mut is_there = tree.get(from).is_some();
        for (path, _) in tree.entries() {
            if let Some(inside) = inside(path, from) {
                is_there = true;
                self.add(path, inside, &join(to, inside))?;
            }
        }
        if !is_there {
            return Err(PickError::Missing(from.to_owned()));
        }
        if !to.is_empty() {
            self.taken.insert(to, Entry::new(Kind::Folder, 0o755))?;
        }
        Ok(())
    }

    /// Adds the entry at `path`, which is `inside` the picked folder.
    fn add(&mut self, path: &str, inside: &str, to: &str) -> Result<(), PickError> {
        let Some(entry) = self.tree.get(path) else { return Ok(()) };
        let (kind, mode) = match &entry.kind {
            Kind::Folder => (Kind::Folder, 0o755),
            Kind::Symlink(target) if stays_inside(inside, target) => (entry.kind.clone(), 0o777),
            Kind::Symlink(target) => {
                let (link, target) = (path.to_owned(), target.clone());
                return Err(PickError::Symlink { link, target });
            }
            Kind::File(_) => self.file(path, to),
            Kind::Hardlink(target) => self.file(&self.tree.file_behind(path, target)?, to),
            Kind::Device { .. } | Kind::Fifo => return Err(PickError::Kind(path.to_owned())),
        };
        Ok(self.taken.insert(to, Entry::new(kind, mode))?)
    }

    /// Gives the bytes to the first name that comes.
    fn file(&mut self, file: &str, to: &str) -> (Kind, u32) {
        let entry = self.tree.get(file);
        let executable = self.pick.executable || entry.is_some_and(|entry| entry.mode & 0o111 != 0);
        let first = self.firsts.entry(file.to_owned()).or_insert_with(|| to.to_owned());
        let kind = match entry {
            Some(entry) if first == to => entry.kind.clone(),
            _ => Kind::Hardlink(first.clone()),
        };
        (kind, if executable { 0o755 } else { 0o644 })
    }
}

/// Returns a path as trees write it, and nothing for the root.
fn folder(path: &str) -> Result<String, TreeError> {
    if path.split('/').all(|part| part.is_empty() || part == ".") {
        return Ok(String::new());
    }
    normal(path)
}

/// Returns the rest of a path below a folder.
fn inside<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    if folder.is_empty() {
        return Some(path);
    }
    path.strip_prefix(folder)?.strip_prefix('/')
}

fn join(folder: &str, inside: &str) -> String {
    if folder.is_empty() { inside.to_owned() } else { format!("{folder}/{inside}") }
}
