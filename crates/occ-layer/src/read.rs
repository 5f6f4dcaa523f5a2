//! Finished layers, read for a look at what is in them; nothing is unpacked (OCI image spec, layer).

use std::cell::Cell;
use std::io::{self, Read, Write as _};
use std::ops::ControlFlow;
use std::rc::Rc;

use occ_oci::{Digest, Sha256Writer};
use tar::{Archive, EntryType};

use crate::compress::{Compression, decompress};
use crate::tree::{TreeError, normal};

/// Most bytes between the contents of two files: headers, long names and extensions, which are read into
/// memory. No honest entry has as many.
const LONGEST_HEADERS: u64 = 4 << 20;
/// Largest file with holes, in bytes: it takes no room in the archive, and as long to read as any other.
const LARGEST_SPARSE: u64 = 32 << 30;

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
    entries_with_starts(input, |_, _| 0, |entry, _| each(entry))
}

/// Shows every entry of a layer as [`entries`] does, and of every file the first bytes: as many as `wanted` says
/// when it is given path and size. Of anything else there are none.
///
/// # Errors
/// [`ReadError`]; entries shown before it were as the archive says.
pub fn entries_with_starts<B>(
    input: impl Read,
    wanted: impl Fn(&str, u64) -> u64,
    mut each: impl FnMut(LayerEntry, &[u8]) -> ControlFlow<B>,
) -> Result<ControlFlow<B>, ReadError> {
    let allowance = Allowance::default();
    let mut archive = Archive::new(Allowed { inner: plain(input)?, allowance: allowance.clone() });
    let mut reading = archive.entries()?;
    let mut start = Vec::new();
    loop {
        allowance.limit(LONGEST_HEADERS);
        let Some(entry) = reading.next() else { break };
        let mut entry = entry?;
        if entry.header().entry_type() == EntryType::XGlobalHeader {
            continue; // a remark about the archive, such as the commit it was made of
        }
        allowance.lift();
        start.clear();
        let entry = convert(&mut entry, &wanted, &mut start)?;
        if let ControlFlow::Break(with) = each(entry, &start) {
            return Ok(ControlFlow::Break(with));
        }
    }
    allowance.lift();
    io::copy(&mut archive.into_inner(), &mut io::sink())?;
    Ok(ControlFlow::Continue(()))
}

/// How many bytes may still be read; nothing for as many as there are.
#[derive(Clone, Default)]
struct Allowance(Rc<Cell<Option<u64>>>);

impl Allowance {
    fn limit(&self, bytes: u64) {
        self.0.set(Some(bytes));
    }

    fn lift(&self) {
        self.0.set(None);
    }

    fn spend(&self, bytes: usize) -> io::Result<()> {
        let Some(left) = self.0.get() else { return Ok(()) };
        let left = left.checked_sub(bytes as u64).ok_or_else(|| {
            let message = "the headers of an entry are longer than any should be";
            io::Error::new(io::ErrorKind::InvalidData, message)
        })?;
        self.0.set(Some(left));
        Ok(())
    }
}

/// A reader that ends in an error where more is read than is allowed.
struct Allowed<R> {
    inner: R,
    allowance: Allowance,
}

impl<R: Read> Read for Allowed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.allowance.spend(read)?;
        Ok(read)
    }
}

/// Returns the archive in a layer of which it is not known how it is compressed.
fn plain(mut input: impl Read) -> io::Result<impl Read> {
    let mut start = Vec::with_capacity(4);
    input.by_ref().take(4).read_to_end(&mut start)?;
    let compression = Compression::of_start(&start);
    decompress(io::Cursor::new(start).chain(input), compression)
}

fn convert<R: Read>(
    entry: &mut tar::Entry<'_, R>,
    wanted: &impl Fn(&str, u64) -> u64,
    start: &mut Vec<u8>,
) -> Result<LayerEntry, ReadError> {
    let said = text(&entry.path_bytes())?;
    let (path, kind) = if let Some(hidden) = whiteout(&said)? {
        hidden
    } else {
        let path = place(&said)?;
        let kind = kind(entry, &said, |size| wanted(&path, size), start)?;
        (path, kind)
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

fn kind<R: Read>(
    entry: &mut tar::Entry<'_, R>,
    path: &str,
    wanted: impl Fn(u64) -> u64,
    start: &mut Vec<u8>,
) -> Result<EntryKind, ReadError> {
    Ok(match entry.header().entry_type() {
        // Archives from before 1988 tell folders by their names.
        EntryType::Regular if path.ends_with('/') => EntryKind::Folder,
        // The later way to leave out holes, in extensions, is not read by the archive's reader: what it
        // gives then are not the file's bytes.
        EntryType::Regular if has_holes(entry)? => {
            return Err(TreeError::Kind { path: path.to_owned(), kind: 'S' }.into());
        }
        EntryType::GNUSparse if entry.size() > LARGEST_SPARSE => {
            return Err(TreeError::Kind { path: path.to_owned(), kind: 'S' }.into());
        }
        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
            file(entry, wanted, start)?
        }
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

fn file<R: Read>(
    entry: &mut tar::Entry<'_, R>,
    wanted: impl Fn(u64) -> u64,
    start: &mut Vec<u8>,
) -> io::Result<EntryKind> {
    let mut hashing = Sha256Writer::new(io::sink());
    let wanted = wanted(entry.size());
    entry.by_ref().take(wanted).read_to_end(start)?;
    hashing.write_all(start)?;
    let size = start.len() as u64 + io::copy(entry, &mut hashing)?;
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
