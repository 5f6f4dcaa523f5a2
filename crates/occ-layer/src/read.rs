//! Finished layers, read for a look at what is in them; nothing is unpacked (OCI image spec, layer).

use std::io::{self, Read};
use std::ops::ControlFlow;

use occ_oci::{Digest, Sha256Writer};
use tar::{Archive, EntryType};

use crate::compress::{Compression, decompress};
use crate::tree::{TreeError, normal};

/// What an entry of a layer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryKind {
    /// A file.
    File {
        /// Its size in bytes.
        size: u64,
        /// SHA-256 of its bytes.
        digest: Digest,
    },
    /// A folder.
    Folder,
    /// A symbolic link with this text.
    Symlink(String),
    /// Another name of what has this path.
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
    /// What lower layers have at this path is gone (`.wh.NAME`).
    Whiteout,
    /// What lower layers have in this folder is gone (`.wh..wh..opq`).
    Opaque,
}

/// One entry of a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerEntry {
    /// Its path, relative and without `.`; empty for the root. A whiteout has the path that it hides.
    pub path: String,
    /// What it is.
    pub kind: EntryKind,
    /// Permission bits with set-id and sticky.
    pub mode: u32,
    /// Owner, by number.
    pub uid: u64,
    /// Group, by number.
    pub gid: u64,
    /// Last change in seconds since 1970.
    pub mtime: u64,
}

/// Why a layer could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Something in it cannot be in a layer.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// It could not be read, or is damaged.
    #[error("cannot read the layer")]
    Io(#[from] io::Error),
}

/// Shows every entry of a layer, compressed or not, in the archive's order.
///
/// Contents are hashed while they pass. The input is read to its end, so that one which verifies itself has
/// done so, unless `each` breaks off: then what it broke with is returned.
///
/// # Errors
/// [`ReadError`]; entries shown before it were as the archive says.
pub fn entries<B>(
    input: impl Read,
    mut each: impl FnMut(LayerEntry) -> ControlFlow<B>,
) -> Result<ControlFlow<B>, ReadError> {
    let mut archive = Archive::new(plain(input)?);
    for entry in archive.entries()? {
        let mut entry = entry?;
        if entry.header().entry_type() == EntryType::XGlobalHeader {
            continue; // a remark about the archive, such as the commit it was made of
        }
        if let ControlFlow::Break(with) = each(convert(&mut entry)?) {
            return Ok(ControlFlow::Break(with));
        }
    }
    io::copy(&mut archive.into_inner(), &mut io::sink())?;
    Ok(ControlFlow::Continue(()))
}

/// Returns the archive in a layer of which it is not known how it is compressed.
fn plain(mut input: impl Read) -> io::Result<impl Read> {
    let mut start = Vec::with_capacity(4);
    input.by_ref().take(4).read_to_end(&mut start)?;
    let compression = Compression::of_start(&start);
    decompress(io::Cursor::new(start).chain(input), compression)
}

fn convert<R: Read>(entry: &mut tar::Entry<'_, R>) -> Result<LayerEntry, ReadError> {
    let path = text(&entry.path_bytes())?;
    let (path, kind) = match whiteout(&path)? {
        Some(hidden) => hidden,
        None => (place(&path)?, kind(entry, &path)?),
    };
    if path.is_empty() && !matches!(kind, EntryKind::Folder | EntryKind::Opaque) {
        return Err(TreeError::Path(path).into());
    }
    let header = entry.header();
    Ok(LayerEntry {
        path,
        kind,
        mode: header.mode()? & 0o7777,
        uid: header.uid()?,
        gid: header.gid()?,
        mtime: header.mtime()?,
    })
}

/// Returns the one spelling of a path; the tree itself, which archives call `./`, has the empty one.
fn place(path: &str) -> Result<String, TreeError> {
    if path.split('/').all(|part| part.is_empty() || part == ".") {
        return Ok(String::new());
    }
    normal(path)
}

/// Returns what a path hides, if it is a whiteout's (OCI image spec, layer, "Whiteouts").
fn whiteout(path: &str) -> Result<Option<(String, EntryKind)>, TreeError> {
    let path = path.trim_end_matches('/');
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    if name == ".wh..wh..opq" {
        return Ok(Some((place(folder)?, EntryKind::Opaque)));
    }
    match name.strip_prefix(".wh.") {
        None => Ok(None),
        // It would hide its own folder, or something outside.
        Some("" | "." | "..") => Err(TreeError::Path(path.to_owned())),
        Some(hidden) => Ok(Some((normal(&format!("{folder}/{hidden}"))?, EntryKind::Whiteout))),
    }
}

fn kind<R: Read>(entry: &mut tar::Entry<'_, R>, path: &str) -> Result<EntryKind, ReadError> {
    Ok(match entry.header().entry_type() {
        // Archives from before 1988 tell folders by their names.
        EntryType::Regular if path.ends_with('/') => EntryKind::Folder,
        // The later way to leave out holes, in extensions, is not read by the archive's reader: what it
        // gives then are not the file's bytes.
        EntryType::Regular if has_holes(entry)? => {
            return Err(TreeError::Kind { path: path.to_owned(), kind: 'S' }.into());
        }
        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => file(entry)?,
        EntryType::Directory => EntryKind::Folder,
        EntryType::Symlink => EntryKind::Symlink(link(entry)?),
        EntryType::Link => EntryKind::Hardlink(normal(&link(entry)?)?),
        EntryType::Char => device(entry, false)?,
        EntryType::Block => device(entry, true)?,
        EntryType::Fifo => EntryKind::Fifo,
        other => {
            let kind = char::from(other.as_byte());
            return Err(TreeError::Kind { path: path.to_owned(), kind }.into());
        }
    })
}

fn has_holes<R: Read>(entry: &mut tar::Entry<'_, R>) -> io::Result<bool> {
    for extension in entry.pax_extensions()?.into_iter().flatten() {
        if extension?.key_bytes().starts_with(b"GNU.sparse.") {
            return Ok(true);
        }
    }
    Ok(false)
}

fn file<R: Read>(entry: &mut tar::Entry<'_, R>) -> io::Result<EntryKind> {
    let mut hashing = Sha256Writer::new(io::sink());
    let size = io::copy(entry, &mut hashing)?;
    // The archive's reader takes the end of its input for the end of the file.
    if size != entry.size() {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the layer ends in a file"));
    }
    let (_, digest, size) = hashing.finish();
    Ok(EntryKind::File { size, digest })
}

fn link<R: Read>(entry: &tar::Entry<'_, R>) -> Result<String, TreeError> {
    text(&entry.link_name_bytes().unwrap_or_default())
}

fn device<R: Read>(entry: &tar::Entry<'_, R>, block: bool) -> io::Result<EntryKind> {
    let header = entry.header();
    let major = header.device_major()?.unwrap_or_default();
    let minor = header.device_minor()?.unwrap_or_default();
    Ok(EntryKind::Device { block, major, minor })
}

/// Two paths must not become one because neither was UTF-8.
fn text(bytes: &[u8]) -> Result<String, TreeError> {
    std::str::from_utf8(bytes)
        .map(str::to_owned)
        .map_err(|_| TreeError::Path(String::from_utf8_lossy(bytes).into_owned()))
}
