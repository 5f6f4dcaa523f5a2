//! From mmdebstrap's archive to the tree of the base layer.

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
/// [`BuildError::File`], [`BuildError::Tree`], and [`BuildError::Incomplete`] where it is no Debian.
pub(crate) fn read(archive: &Path) -> Result<LayerTree, BuildError> {
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
        edit(&mut tree, path, archive, |text| format!("{text}{}", add()))?;
    }
    forget_credentials(&mut tree, archive)?;
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
    "etc/hostname",
    "etc/resolv.conf",
    "etc/machine-id",
    "etc/passwd-",
    "etc/group-",
    "etc/shadow-",
    "etc/gshadow-",
    // mmdebstrap keeps apt's options there: this machine's proxies and certificates.
    "etc/apt/apt.conf.d/99mmdebstrap",
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

fn edit(
    tree: &mut LayerTree,
    path: &str,
    archive: &Path,
    change: impl FnOnce(String) -> String,
) -> Result<(), BuildError> {
    let missing =
        || BuildError::Incomplete { whole: "the Debian base".to_owned(), part: path.to_owned() };
    let entry = tree.get_mut(path).ok_or_else(missing)?;
    let Kind::File(content) = &mut entry.kind else { return Err(missing()) };
    let mut text = String::new();
    content.reader().read_to_string(&mut text).map_err(BuildError::at(archive))?;
    *content = Content::Bytes(change(text).into_bytes());
    Ok(())
}

/// The list of package sources stays as mmdebstrap wrote it, so that `apt` works inside as it does on the
/// machine; a password for a mirror must not travel with the image.
fn forget_credentials(tree: &mut LayerTree, archive: &Path) -> Result<(), BuildError> {
    if tree.get_mut("etc/apt/sources.list").is_none() {
        return Ok(());
    }
    edit(tree, "etc/apt/sources.list", archive, |text| without_credentials(&text))
}

fn without_credentials(text: &str) -> String {
    let word = |word: &str| match word.split_once("://") {
        Some((scheme, rest)) => {
            let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
            format!("{scheme}://{host}{path}")
        }
        None => word.to_owned(),
    };
    text.split_inclusive([' ', '\n']).map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirrors_password_does_not_survive_and_nothing_else_changes() {
        let text = "deb [signed-by=/a@b] http://me:secret@mirror.test/debian/ trixie main\n\n";
        assert_eq!(
            without_credentials(text),
            "deb [signed-by=/a@b] http://mirror.test/debian/ trixie main\n\n"
        );
        let plain = "deb http://mirror.test/a@b trixie main\n";
        assert_eq!(without_credentials(plain), plain);
    }

    #[test]
    fn what_the_machine_left_goes_and_folders_stay() {
        let file = |path| belongs_to_the_machine(path, EntryType::Regular);
        let folder = |path| belongs_to_the_machine(path, EntryType::Directory);
        for path in ["etc/hostname", "var/log/apt/term.log", "dev/null", "var/cache/apt/x.bin"] {
            assert!(file(path), "{path} stayed");
        }
        for path in ["etc/hosts", "usr/bin/env", "var/lib/dpkg/status"] {
            assert!(!file(path), "{path} went");
        }
        assert!(!folder("var/log/apt") && !folder("dev") && !folder("var/lib/apt/lists/partial"));
        assert!(folder("dev/pts"));
    }
}
