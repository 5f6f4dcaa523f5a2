//! A tree of files that is to become a layer: sorted, complete, and free of where it came from.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

/// Why something cannot be in a tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// The path climbs out of the tree, or is the tree itself, or is not a path.
    #[error("{0:?} is not a path inside the tree")]
    Path(String),
    /// Two entries have one path.
    #[error("{0} is there twice")]
    Duplicate(String),
    /// A hard link leads to what is not a file of this tree.
    #[error("the hard link {link} leads to {target}, which is not a file here")]
    Dangling {
        /// The link.
        link: String,
        /// Where it leads.
        target: String,
    },
    /// Archives can have this, layers here cannot.
    #[error("{path} is of the unknown kind {kind:?}")]
    Kind {
        /// Its path.
        path: String,
        /// What the archive calls it.
        kind: char,
    },
    /// Something lies in what is no folder.
    #[error("{path} lies in {above}, which is no folder")]
    NoFolder {
        /// Its path.
        path: String,
        /// What it lies in.
        above: String,
    },
}

/// The bytes of a file.
#[derive(Debug, Clone)]
pub enum Content {
    /// In memory.
    Bytes(Vec<u8>),
    /// A piece of a file on disk.
    Slice {
        /// The file.
        file: Arc<File>,
        /// Where the piece begins, in bytes.
        offset: u64,
        /// How long it is, in bytes.
        size: u64,
    },
}

impl Content {
    /// Returns the size in bytes.
    pub fn size(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Slice { size, .. } => *size,
        }
    }

    /// Returns a reader of the bytes.
    pub fn reader(&self) -> impl Read + '_ {
        Reader { content: self, at: 0 }
    }
}

struct Reader<'a> {
    content: &'a Content,
    at: u64,
}

impl Read for Reader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.content.size() - self.at).unwrap_or(usize::MAX);
        let room = left.min(buffer.len());
        let taken = match self.content {
            Content::Bytes(bytes) => (&bytes[bytes.len() - left..]).read(&mut buffer[..room])?,
            Content::Slice { file, offset, .. } => {
                file.read_at(&mut buffer[..room], offset + self.at)?
            }
        };
        self.at += taken as u64;
        Ok(taken)
    }
}

/// What an entry is.
#[derive(Debug, Clone)]
pub enum Kind {
    /// A folder.
    Folder,
    /// A file.
    File(Content),
    /// A symbolic link with this text.
    Symlink(String),
    /// Another name of the file with this path.
    Hardlink(String),
    /// A character or block device.
    Device {
        /// Whether it is a block device.
        block: bool,
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
    /// A named pipe.
    Fifo,
}

/// One entry of a tree.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// Permission bits with set-id and sticky.
    pub mode: u32,
    /// Owner, by number.
    pub uid: u64,
    /// Group, by number.
    pub gid: u64,
    /// Last change in seconds since 1970; a layer never has one later than its epoch.
    pub mtime: u64,
    /// Extended attributes, such as `security.capability`.
    pub xattrs: BTreeMap<String, Vec<u8>>,
}

impl Entry {
    /// Makes an entry of root's, with no attributes and the latest time a layer allows.
    pub fn new(kind: Kind, mode: u32) -> Self {
        Self { kind, mode, uid: 0, gid: 0, mtime: u64::MAX, xattrs: BTreeMap::new() }
    }

    /// Gives the entry to someone else.
    #[must_use]
    pub fn owned_by(mut self, uid: u32, gid: u32) -> Self {
        (self.uid, self.gid) = (u64::from(uid), u64::from(gid));
        self
    }

    fn is_same_folder(&self, other: &Self) -> bool {
        let owned = |entry: &Self| (entry.mode, entry.uid, entry.gid);
        let folders = matches!((&self.kind, &other.kind), (Kind::Folder, Kind::Folder));
        folders && owned(self) == owned(other) && self.xattrs == other.xattrs
    }
}

/// Entries by path.
#[derive(Debug, Clone, Default)]
pub struct LayerTree {
    entries: BTreeMap<String, Entry>,
}

impl LayerTree {
    /// Starts with nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an entry. A leading `./` or `/` and a trailing `/` of the path do not matter.
    ///
    /// # Errors
    /// [`TreeError::Path`], [`TreeError::Duplicate`].
    pub fn insert(&mut self, path: &str, mut entry: Entry) -> Result<(), TreeError> {
        let path = normal(path)?;
        if let Kind::Hardlink(target) = &mut entry.kind {
            *target = normal(target)?;
        }
        match self.entries.entry(path) {
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert(entry);
                Ok(())
            }
            std::collections::btree_map::Entry::Occupied(place) => {
                Err(TreeError::Duplicate(place.key().clone()))
            }
        }
    }

    /// Adds all entries of another tree. Folders that both have in the same way are no conflict.
    ///
    /// # Errors
    /// [`TreeError::Duplicate`], [`TreeError::NoFolder`]; the tree stays as it was.
    pub fn merge(&mut self, other: Self) -> Result<(), TreeError> {
        for (path, entry) in &other.entries {
            if self.get(path).is_some_and(|there| !there.is_same_folder(entry)) {
                return Err(TreeError::Duplicate(path.clone()));
            }
        }
        self.holds_no_part_of(&other)?;
        other.holds_no_part_of(self)?;
        for (path, entry) in other.entries {
            self.entries.entry(path).or_insert(entry);
        }
        Ok(())
    }

    /// Checks that no entry of another tree lies in what is a file or link here.
    fn holds_no_part_of(&self, other: &Self) -> Result<(), TreeError> {
        for path in other.entries.keys() {
            for (slash, _) in path.match_indices('/') {
                let above = &path[..slash];
                if self.get(above).is_some_and(|entry| !matches!(entry.kind, Kind::Folder)) {
                    let (path, above) = (path.clone(), above.to_owned());
                    return Err(TreeError::NoFolder { path, above });
                }
            }
        }
        Ok(())
    }

    /// Returns all entries by path, sorted; missing parents are not among them.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.entries.iter().map(|(path, entry)| (path.as_str(), entry))
    }

    /// Returns the entry with this path, written without a leading `/`.
    pub fn get(&self, path: &str) -> Option<&Entry> {
        self.entries.get(path)
    }

    /// Returns the entry with this path, written without a leading `/`, to change it.
    pub fn get_mut(&mut self, path: &str) -> Option<&mut Entry> {
        self.entries.get_mut(path)
    }

    /// Returns the size of all files in bytes.
    pub fn content_size(&self) -> u64 {
        self.entries
            .values()
            .map(|entry| if let Kind::File(content) = &entry.kind { content.size() } else { 0 })
            .sum()
    }

    /// Returns all entries in the order of a layer: parents first, missing parents added, and of several
    /// names of one file the first holds the bytes.
    ///
    /// # Errors
    /// [`TreeError::Dangling`].
    pub fn ordered(mut self) -> Result<BTreeMap<String, Entry>, TreeError> {
        self.settle_hardlinks()?;
        let paths: Vec<String> = self.entries.keys().cloned().collect();
        for path in paths {
            for (slash, _) in path.match_indices('/') {
                self.entries
                    .entry(path[..slash].to_owned())
                    .or_insert_with(|| Entry::new(Kind::Folder, 0o755));
            }
        }
        Ok(self.entries)
    }

    /// Which name of a file came first is an accident of the archive that was read, and in sorted order a
    /// link could stand before its file.
    fn settle_hardlinks(&mut self) -> Result<(), TreeError> {
        let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (path, entry) in &self.entries {
            if let Kind::Hardlink(target) = &entry.kind {
                let file = self.file_behind(path, target)?;
                names.entry(file).or_default().push(path.clone());
            }
        }
        for (file, links) in names {
            // `links` is sorted, because the entries are.
            let first = links.first().filter(|link| **link < file).unwrap_or(&file).clone();
            let Some(entry) = self.entries.get(&file).cloned() else { continue };
            for name in links.iter().chain([&file]) {
                let kind =
                    if *name == first { entry.kind.clone() } else { Kind::Hardlink(first.clone()) };
                self.entries.insert(name.clone(), Entry { kind, ..entry.clone() });
            }
        }
        Ok(())
    }

    /// Returns the path of the file that a hard link names.
    pub(crate) fn file_behind(&self, link: &str, target: &str) -> Result<String, TreeError> {
        let mut path = target;
        // A link to a link is as far as archives go; a circle ends here too.
        for _ in 0..8 {
            match self.entries.get(path).map(|entry| &entry.kind) {
                Some(Kind::File(_)) => return Ok(path.to_owned()),
                Some(Kind::Hardlink(next)) => path = next,
                _ => break,
            }
        }
        Err(TreeError::Dangling { link: link.to_owned(), target: target.to_owned() })
    }
}

/// Returns the one spelling of a path that trees use: relative, without `.` and empty parts.
///
/// # Errors
/// [`TreeError::Path`].
pub fn normal(path: &str) -> Result<String, TreeError> {
    let parts: Vec<&str> =
        path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.is_empty() || parts.contains(&"..") || path.contains('\0') {
        return Err(TreeError::Path(path.to_owned()));
    }
    Ok(parts.join("/"))
}
