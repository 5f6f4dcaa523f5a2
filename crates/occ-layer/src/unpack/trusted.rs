//! Archives of our own making, with everything that is in them.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tar::EntryType;

use crate::tree::{Content, Entry, Kind, LayerTree, TreeError, normal};

use super::error::UnpackError;
use super::limits::Limits;
use super::members::{Member, Members, number};
use super::watch::Watch;

/// Reads a tar archive that was made on this machine, with owners, modes, times, devices and attributes.
///
/// Nothing is left out and nothing is judged: for archives of strangers there is [`unpack`](super::unpack()).
/// Contents stay in the archive and are read from there.
///
/// # Errors
/// [`UnpackError`]; [`UnpackError::Tree`] where two members have one path, or one is of an unknown kind.
pub fn read_trusted(archive: &Path) -> Result<LayerTree, UnpackError> {
    let never = AtomicBool::new(false);
    let limits = Limits { unpacked_bytes: u64::MAX, entries: u64::MAX };
    let mut watch = Watch::new(archive, limits, &never);
    let file = Arc::new(watch.open()?);
    let mut members = Members::new(&*file);
    let mut tree = LayerTree::new();
    while let Some(member) = members.next(&mut watch)? {
        let name = String::from_utf8_lossy(&member.name);
        if matches!(&*name, "." | "./") {
            continue;
        }
        let offset = members.position();
        let content = Content::Slice { file: Arc::clone(&file), offset, size: member.size };
        let entry = entry(&member, content, &watch)?;
        tree.insert(&name, entry)?;
    }
    Ok(tree)
}

fn entry(member: &Member, content: Content, watch: &Watch<'_>) -> Result<Entry, UnpackError> {
    let header = &member.header;
    let field = |value: std::io::Result<u64>| value.map_err(|error| watch.broken(error));
    let mode = header.mode().map_err(|error| watch.broken(error))?;
    let mut entry = Entry::new(kind(member, content, watch)?, mode);
    entry.uid = field(header.uid())?;
    entry.gid = field(header.gid())?;
    entry.mtime = field(header.mtime())?;
    for (key, value) in &member.records {
        match (key.as_str(), key.strip_prefix("SCHILY.xattr.")) {
            (_, Some(name)) => drop(entry.xattrs.insert(name.to_owned(), value.clone())),
            ("uid", _) => entry.uid = number(value).unwrap_or(entry.uid),
            ("gid", _) => entry.gid = number(value).unwrap_or(entry.gid),
            _ => {}
        }
    }
    Ok(entry)
}

fn kind(member: &Member, content: Content, watch: &Watch<'_>) -> Result<Kind, UnpackError> {
    let target = || String::from_utf8_lossy(&member.target).into_owned();
    let device = |block| {
        let number = |number: std::io::Result<Option<u32>>| {
            number.map(Option::unwrap_or_default).map_err(|error| watch.broken(error))
        };
        let major = number(member.header.device_major())?;
        let minor = number(member.header.device_minor())?;
        Ok(Kind::Device { block, major, minor })
    };
    match member.header.entry_type() {
        EntryType::Directory => Ok(Kind::Folder),
        EntryType::Regular | EntryType::Continuous => Ok(Kind::File(content)),
        EntryType::Symlink => Ok(Kind::Symlink(target())),
        EntryType::Link => Ok(Kind::Hardlink(target())),
        EntryType::Char => device(false),
        EntryType::Block => device(true),
        EntryType::Fifo => Ok(Kind::Fifo),
        other => {
            let path = String::from_utf8_lossy(&member.name);
            let path = normal(&path).unwrap_or_else(|_| path.into_owned());
            Err(TreeError::Kind { path, kind: char::from(other.as_byte()) }.into())
        }
    }
}
