//! What a stack of layers amounts to: which of them provides each path, and which bytes nobody will see.

use std::collections::BTreeMap;

use crate::read::{EntryKind, LayerEntry};
use crate::tree::TreeError;

/// A file whose bytes are in a layer and cannot be seen through the layers above it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waste {
    /// The path under which its layer has it.
    pub path: String,
    /// Its layer, counted from the lowest, which is 0.
    pub layer: usize,
    /// The layer that replaced or removed the last name it had.
    pub hidden_by: usize,
    /// Its size in bytes.
    pub size: u64,
}

/// Everything seen through a stack of layers, and what it cost.
///
/// Layers are added lowest first. Paths are taken as they are written: symbolic links on the way to them are
/// not followed. A file counts as seen as long as one of its names is, equal bytes in another file or not.
#[derive(Debug, Clone, Default)]
pub struct Contents {
    layers: usize,
    places: BTreeMap<String, Place>,
    files: Vec<Stored>,
    waste: Vec<Waste>,
}

/// What is seen at a path.
#[derive(Debug, Clone, Copy)]
struct Place {
    layer: usize,
    what: What,
}

#[derive(Debug, Clone, Copy)]
enum What {
    Folder,
    /// A name of the file with this number.
    File(usize),
    /// Something without bytes.
    Other,
}

/// A file in a layer, whatever it is called.
#[derive(Debug, Clone)]
struct Stored {
    path: String,
    layer: usize,
    size: u64,
    names: usize,
}

impl Contents {
    /// Starts with no layers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lays an empty layer on top and returns it to be filled.
    pub fn layer(&mut self) -> TopLayer<'_> {
        let number = self.layers;
        self.layers += 1;
        TopLayer { contents: self, number }
    }

    /// Returns every path that is seen, and the layer that provides it.
    ///
    /// Folders that no layer states, because only what is in them is there, are left out.
    pub fn paths(&self) -> impl Iterator<Item = (&str, usize)> {
        self.places.iter().map(|(path, place)| (path.as_str(), place.layer))
    }

    /// Returns the layer that provides a path, written without a leading `/`; none if it is not seen.
    pub fn provider(&self, path: &str) -> Option<usize> {
        self.places.get(path).map(|place| place.layer)
    }

    /// Returns the bytes of all files in all layers.
    pub fn total(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }

    /// Returns the files that are not seen, in the order they were hidden.
    pub fn waste(&self) -> &[Waste] {
        &self.waste
    }

    /// Returns the bytes of the files that are not seen.
    pub fn wasted(&self) -> u64 {
        self.waste.iter().map(|waste| waste.size).sum()
    }

    /// Returns the part of all bytes that is seen, from 0 to 1; 1 where there are none.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a ratio for people, of far less than 2^52 bytes"
    )]
    pub fn efficiency(&self) -> f64 {
        match self.total() {
            0 => 1.0,
            total => 1.0 - self.wasted() as f64 / total as f64,
        }
    }

    /// Forgets what is seen at a path.
    fn remove(&mut self, path: &str, by: usize) {
        let Some(Place { what: What::File(number), .. }) = self.places.remove(path) else { return };
        let file = &mut self.files[number];
        file.names -= 1;
        if file.names == 0 && file.size > 0 {
            let Stored { path, layer, size, .. } = file.clone();
            self.waste.push(Waste { path, layer, hidden_by: by, size });
        }
    }

    /// Forgets what layers below `below` have inside a folder.
    fn empty(&mut self, folder: &str, below: usize, by: usize) {
        let inside = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let hidden: Vec<String> = self
            .places
            .range(inside.clone()..)
            .take_while(|(path, _)| path.starts_with(&inside))
            .filter(|(path, place)| place.layer < below && *path != folder)
            .map(|(path, _)| path.clone())
            .collect();
        for path in hidden {
            self.remove(&path, by);
        }
    }
}

/// The uppermost layer while it is filled.
#[derive(Debug)]
pub struct TopLayer<'a> {
    contents: &'a mut Contents,
    number: usize,
}

impl TopLayer<'_> {
    /// Adds an entry, in the archive's order.
    ///
    /// # Errors
    /// [`TreeError::Dangling`] for a hard link to what is not seen here, or is a folder.
    pub fn add(&mut self, entry: &LayerEntry) -> Result<(), TreeError> {
        let (path, number) = (entry.path.as_str(), self.number);
        match &entry.kind {
            EntryKind::Whiteout => self.white_out(path),
            EntryKind::Opaque => self.contents.empty(path, number, number),
            EntryKind::Folder => self.place(path, What::Folder),
            EntryKind::File { size, .. } => {
                let stored = Stored { path: path.to_owned(), layer: number, size: *size, names: 1 };
                self.contents.files.push(stored);
                self.place(path, What::File(self.contents.files.len() - 1));
            }
            EntryKind::Hardlink(target) => self.link(path, target)?,
            EntryKind::Symlink(_) | EntryKind::Device { .. } | EntryKind::Fifo => {
                self.place(path, What::Other);
            }
        }
        Ok(())
    }

    /// SPEC: a whiteout hides what lower layers have, never what its own layer has, wherever it stands in it.
    fn white_out(&mut self, path: &str) {
        let number = self.number;
        self.contents.empty(path, number, number);
        if self.contents.provider(path).is_some_and(|layer| layer < number) {
            self.contents.remove(path, number);
        }
    }

    fn place(&mut self, path: &str, what: What) {
        let number = self.number;
        if !matches!(what, What::Folder) {
            // What takes a folder's place takes all that was in it.
            self.contents.empty(path, number + 1, number);
        }
        self.contents.remove(path, number);
        self.contents.places.insert(path.to_owned(), Place { layer: number, what });
    }

    fn link(&mut self, path: &str, target: &str) -> Result<(), TreeError> {
        let what = match self.contents.places.get(target).map(|place| place.what) {
            None | Some(What::Folder) => {
                let (link, target) = (path.to_owned(), target.to_owned());
                return Err(TreeError::Dangling { link, target });
            }
            Some(What::File(number)) => {
                self.contents.files[number].names += 1;
                What::File(number)
            }
            Some(What::Other) => What::Other,
        };
        self.place(path, what);
        Ok(())
    }
}
