//! Layers: trees written as archives that are the same bytes wherever and whenever they are written
//! (OCI image spec, layer).

use std::io::{self, Write};

use occ_oci::{DiffId, Sha256Writer};
use tar::{Builder, EntryType, Header};

use crate::tree::{Content, Entry, Kind, LayerTree, TreeError};

/// The time of everything in an image: when its Debian release came out, in seconds since 1970.
pub const EPOCH: u64 = 1_754_697_600;
/// [`EPOCH`] as image configurations write it.
pub const EPOCH_RFC3339: &str = "2025-08-09T00:00:00Z";

/// Room for a path or link text in an ordinary header.
const SHORT: usize = 100;

/// A layer that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Digest of the archive.
    pub diff_id: DiffId,
    /// Its size in bytes.
    pub size: u64,
}

/// Why a layer was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The tree cannot be a layer.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// Its files could not be read, or the archive not written.
    #[error("cannot write the layer")]
    Io(#[from] io::Error),
}

/// Writes a tree as an uncompressed layer.
///
/// The bytes follow from the tree alone: paths sorted, times no later than [`EPOCH`], owners as numbers,
/// long names and attributes in POSIX extended headers with fixed contents.
///
/// # Errors
/// [`WriteError`].
pub fn write(tree: LayerTree, out: impl Write) -> Result<Written, WriteError> {
    let mut builder = Builder::new(Sha256Writer::new(out));
    for (path, entry) in tree.ordered()? {
        append(&mut builder, &path, &entry)?;
    }
    let (mut out, digest, size) = builder.into_inner()?.finish();
    out.flush()?;
    Ok(Written { diff_id: DiffId::new(digest), size })
}

fn append<W: Write>(builder: &mut Builder<W>, path: &str, entry: &Entry) -> io::Result<()> {
    let mut header = Header::new_ustar();
    header.set_mode(entry.mode & 0o7777);
    header.set_uid(entry.uid);
    header.set_gid(entry.gid);
    header.set_mtime(entry.mtime.min(EPOCH));
    header.set_size(0);
    let (kind, link) = match &entry.kind {
        Kind::Folder => (EntryType::Directory, ""),
        Kind::File(content) => {
            header.set_size(content.size());
            (EntryType::Regular, "")
        }
        Kind::Symlink(target) => (EntryType::Symlink, target.as_str()),
        Kind::Hardlink(target) => (EntryType::Link, target.as_str()),
        Kind::Device { block, major, minor } => {
            header.set_device_major(*major)?;
            header.set_device_minor(*minor)?;
            (if *block { EntryType::Block } else { EntryType::Char }, "")
        }
        Kind::Fifo => (EntryType::Fifo, ""),
    };
    header.set_entry_type(kind);
    let path = if kind == EntryType::Directory { format!("{path}/") } else { path.to_owned() };

    let mut extended: Vec<(String, &[u8])> = Vec::new();
    fill(&mut header.as_old_mut().name, path.as_bytes(), "path", &mut extended);
    fill(&mut header.as_old_mut().linkname, link.as_bytes(), "linkpath", &mut extended);
    for (name, value) in &entry.xattrs {
        extended.push((format!("SCHILY.xattr.{name}"), value));
    }
    builder.append_pax_extensions(extended.iter().map(|(key, value)| (key.as_str(), *value)))?;
    header.set_cksum();
    if let Kind::File(content) = &entry.kind {
        return append_content(builder, &header, content);
    }
    builder.append(&header, io::empty())
}

/// Puts a name into the header, or, where it does not fit or is not plain, beside it.
fn fill<'a>(
    field: &mut [u8; SHORT],
    name: &'a [u8],
    key: &str,
    extended: &mut Vec<(String, &'a [u8])>,
) {
    let fits = name.len().min(SHORT);
    field[..fits].copy_from_slice(&name[..fits]);
    if name.len() > SHORT || !name.is_ascii() {
        extended.push((key.to_owned(), name));
    }
}

fn append_content<W: Write>(
    builder: &mut Builder<W>,
    header: &Header,
    content: &Content,
) -> io::Result<()> {
    // The archive's writer would silently accept a source that ends early and break everything after it.
    let mut counted = Counted { inner: content.reader(), got: 0 };
    builder.append(header, &mut counted)?;
    if counted.got == content.size() {
        Ok(())
    } else {
        Err(io::Error::new(io::ErrorKind::UnexpectedEof, "a file became shorter while it was read"))
    }
}

struct Counted<R> {
    inner: R,
    got: u64,
}

impl<R: io::Read> io::Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let taken = self.inner.read(buffer)?;
        self.got += taken as u64;
        Ok(taken)
    }
}
