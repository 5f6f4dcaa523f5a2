//! From mmdebstrap's archive to the tree of a base.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;

use tar::{Archive, EntryType};

use crate::accounts;
use crate::error::BuildError;
use occ_layer::tree::{Content, Entry, Kind, LayerTree, TreeError, normal};

/// Reads the archive, leaves out what belongs to the machine it was made on, and adds the guest's user.
///
/// Contents stay in the file and are read from there when the layer is written.
///
/// # Errors
/// [`BuildError::File`], [`BuildError::Tree`], and [`BuildError::Incomplete`] where it is no Debian, or has not
/// the user's shell.
pub(super) fn read(archive: &Path, shell: &str) -> Result<LayerTree, BuildError> {
    let at = || BuildError::at(archive);
    let file = Arc::new(File::open(archive).map_err(at())?);
    let reader = File::open(archive).map_err(at())?;
    let mut tree = LayerTree::new();
    for entry in Archive::new(reader).entries_with_seek().map_err(at())? {
        let mut entry = entry.map_err(at())?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let Ok(path) = normal(&path) else {
            continue; // `./`, the tree itself
        };
        if belongs_to_the_machine(&path, entry.header().entry_type()) {
            continue;
        }
        let entry = convert(&mut entry, &path, &file).map_err(at())??;
        tree.insert(&path, entry)?;
    }
    for (path, add) in accounts::FILES {
        edit(&mut tree, path, archive, |text| format!("{text}{}", add(shell)))?;
    }
    // `/bin` is a link to `/usr/bin`.
    if tree.get_mut(&shell[1..]).is_none() && tree.get_mut(&format!("usr{shell}")).is_none() {
        return Err(missing(shell));
    }
    Ok(tree)
}

fn convert<R: io::Read>(
    entry: &mut tar::Entry<'_, R>,
    path: &str,
    file: &Arc<File>,
) -> io::Result<Result<Entry, TreeError>> {
    let link = |entry: &tar::Entry<'_, R>| {
        entry.link_name_bytes().map(|link| String::from_utf8_lossy(&link).into_owned())
    };
    let header = entry.header();
    let device = |block| -> io::Result<Kind> {
        let major = header.device_major()?.unwrap_or_default();
        let minor = header.device_minor()?.unwrap_or_default();
        Ok(Kind::Device { block, major, minor })
    };
    let kind = match header.entry_type() {
        EntryType::Directory => Kind::Folder,
        EntryType::Regular | EntryType::Continuous => Kind::File(Content::Slice {
            file: Arc::clone(file),
            offset: entry.raw_file_position(),
            size: entry.size(),
        }),
        EntryType::Symlink => Kind::Symlink(link(entry).unwrap_or_default()),
        EntryType::Link => Kind::Hardlink(link(entry).unwrap_or_default()),
        EntryType::Char => device(false)?,
        EntryType::Block => device(true)?,
        EntryType::Fifo => Kind::Fifo,
        other => {
            let kind = char::from(other.as_byte());
            return Ok(Err(TreeError::Kind { path: path.to_owned(), kind }));
        }
    };
    let mut made = Entry::new(kind, header.mode()?);
    (made.uid, made.gid, made.mtime) = (header.uid()?, header.gid()?, header.mtime()?);
    for extension in entry.pax_extensions()?.into_iter().flatten() {
        let extension = extension?;
        let name = extension.key().ok().and_then(|key| key.strip_prefix("SCHILY.xattr."));
        if let Some(name) = name {
            made.xattrs.insert(name.to_owned(), extension.value_bytes().to_vec());
        }
    }
    Ok(Ok(made))
}

/// Folders whose contents the engine or the running system provides; the folders themselves stay.
const EMPTIED: [&str; 7] =
    ["dev/", "proc/", "sys/", "tmp/", "var/tmp/", "var/lib/apt/lists/", "var/cache/apt/"];

/// Files that say something about the machine or the moment of the build.
const LEFT_OUT: [&str; 12] = [
    "etc/apt/sources.list",
    "etc/hostname",
    "etc/resolv.conf",
    "etc/machine-id",
    "etc/passwd-",
    "etc/group-",
    "etc/shadow-",
    "etc/gshadow-",
    "var/cache/ldconfig/aux-cache",
    "var/cache/debconf/config.dat-old",
    "var/cache/debconf/templates.dat-old",
    "var/lib/dpkg/status-old",
];

fn belongs_to_the_machine(path: &str, kind: EntryType) -> bool {
    let is_folder = kind == EntryType::Directory;
    let emptied = EMPTIED.iter().any(|folder| path.starts_with(folder));
    let log = path.starts_with("var/log/") && !is_folder;
    let devices = path.starts_with("dev/");
    devices || (emptied && !is_folder) || log || LEFT_OUT.contains(&path)
}

pub(super) fn missing(part: &str) -> BuildError {
    BuildError::Incomplete { whole: "the Debian base".to_owned(), part: part.to_owned() }
}

fn edit(
    tree: &mut LayerTree,
    path: &str,
    archive: &Path,
    change: impl FnOnce(String) -> String,
) -> Result<(), BuildError> {
    let entry = tree.get_mut(path).ok_or_else(|| missing(path))?;
    let Kind::File(content) = &mut entry.kind else { return Err(missing(path)) };
    let mut text = String::new();
    content.reader().read_to_string(&mut text).map_err(BuildError::at(archive))?;
    *content = Content::Bytes(change(text).into_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_machine_left_goes_and_folders_stay() {
        let file = |path| belongs_to_the_machine(path, EntryType::Regular);
        let folder = |path| belongs_to_the_machine(path, EntryType::Directory);
        for path in
            ["etc/apt/sources.list", "var/log/apt/term.log", "dev/null", "var/cache/apt/x.bin"]
        {
            assert!(file(path), "{path} stayed");
        }
        for path in ["etc/hosts", "usr/bin/env", "var/lib/dpkg/status"] {
            assert!(!file(path), "{path} went");
        }
        assert!(!folder("var/log/apt") && !folder("dev") && !folder("var/lib/apt/lists/partial"));
        assert!(folder("dev/pts"));
    }
}
