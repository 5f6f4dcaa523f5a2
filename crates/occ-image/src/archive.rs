//! A tar stream put together while it is read, so that an image never exists twice on disk.

use std::collections::VecDeque;
use std::io::{self, Cursor, Read};

use tar::{EntryType, Header};

use occ_layer::EPOCH;

const BLOCK: u64 = 512;

/// One file of an archive.
pub struct Part {
    path: String,
    size: u64,
    content: Box<dyn Read + Send>,
}

impl Part {
    /// Returns a file with these contents; its path has no more than 100 bytes.
    pub fn bytes(path: &str, bytes: Vec<u8>) -> Self {
        Self::reader(path, bytes.len() as u64, Box::new(Cursor::new(bytes)))
    }

    /// Returns a file whose contents are read when it is their turn. The reader must give exactly `size` bytes
    /// or fail.
    pub fn reader(path: &str, size: u64, content: Box<dyn Read + Send>) -> Self {
        Self { path: path.to_owned(), size, content }
    }

    fn header(&self) -> Cursor<Vec<u8>> {
        let mut header = Header::new_ustar();
        header.as_old_mut().name[..self.path.len()].copy_from_slice(self.path.as_bytes());
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(EPOCH);
        header.set_size(self.size);
        header.set_cksum();
        Cursor::new(header.as_bytes().to_vec())
    }

    fn padding(&self) -> u64 {
        self.size.next_multiple_of(BLOCK) - self.size
    }
}

/// An image archive as a stream of known length.
pub struct Archive {
    pieces: VecDeque<Box<dyn Read + Send>>,
    length: u64,
}

impl Archive {
    /// Puts files together, in this order.
    pub fn new(parts: Vec<Part>) -> Self {
        let mut pieces: VecDeque<Box<dyn Read + Send>> = VecDeque::new();
        let mut length = 2 * BLOCK;
        for part in parts {
            length += BLOCK + part.size + part.padding();
            let padding = part.padding();
            pieces.push_back(Box::new(part.header()));
            pieces.push_back(part.content);
            pieces.push_back(Box::new(io::repeat(0).take(padding)));
        }
        pieces.push_back(Box::new(io::repeat(0).take(2 * BLOCK)));
        Self { pieces, length }
    }

    /// Returns the size of the whole stream in bytes, however much was read already.
    #[expect(clippy::len_without_is_empty, reason = "an archive is never empty")]
    pub fn len(&self) -> u64 {
        self.length
    }
}

impl Read for Archive {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        while let Some(piece) = self.pieces.front_mut() {
            let taken = piece.read(buffer)?;
            if taken > 0 {
                return Ok(taken);
            }
            self.pieces.pop_front();
        }
        Ok(0)
    }
}
