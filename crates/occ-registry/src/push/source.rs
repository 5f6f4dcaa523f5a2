//! Where the bytes of an upload come from.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use bytes::{Buf as _, Bytes, BytesMut};

use crate::blob::BlobStream;
use crate::client::Client;
use crate::error::Cause;

/// Where the bytes of an upload come from.
pub trait Source: Send {
    /// Returns `length` bytes from `offset` on, both in bytes. Offsets grow from call to call, but for a
    /// connection that broke: then earlier ones are asked for once more.
    ///
    /// # Errors
    /// Why they cannot be read, also when there are fewer.
    fn read(
        &mut self,
        offset: u64,
        length: usize,
    ) -> impl Future<Output = Result<Bytes, Cause>> + Send;
}

impl Source for Bytes {
    async fn read(&mut self, offset: u64, length: usize) -> Result<Self, Cause> {
        let begin = usize::try_from(offset).ok();
        let range = begin.and_then(|begin| Some(begin..begin.checked_add(length)?));
        let is_there = |range: &std::ops::Range<usize>| range.end <= self.len();
        Ok(range.filter(is_there).map(|range| self.slice(range)).ok_or("there are fewer bytes")?)
    }
}

/// A file.
#[derive(Debug, Clone)]
pub struct FileSource(Arc<File>);

impl FileSource {
    /// Takes an open file.
    pub fn new(file: File) -> Self {
        Self(Arc::new(file))
    }
}

impl Source for FileSource {
    async fn read(&mut self, offset: u64, length: usize) -> Result<Bytes, Cause> {
        let file = Arc::clone(&self.0);
        let read = move || {
            let mut bytes = vec![0; length];
            file.read_exact_at(&mut bytes, offset).map(|()| bytes)
        };
        Ok(tokio::task::spawn_blocking(read).await??.into())
    }
}

/// A blob of another registry, of which only one piece is held at a time. Its last byte comes only when
/// all were found right, so that a wrong blob is never completed elsewhere.
pub(crate) struct StreamSource {
    client: Client,
    stream: BlobStream,
    /// Bytes from `held_at` on.
    held: BytesMut,
    held_at: u64,
}

impl StreamSource {
    pub(crate) fn new(client: &Client, stream: BlobStream) -> Self {
        Self { client: client.clone(), stream, held: BytesMut::new(), held_at: 0 }
    }
}

impl Source for StreamSource {
    async fn read(&mut self, offset: u64, length: usize) -> Result<Bytes, Cause> {
        if offset < self.held_at {
            let again = self.client.blob(self.stream.descriptor());
            *self = Self::new(&self.client, again);
        }
        loop {
            let before = usize::try_from(offset - self.held_at)?.min(self.held.len());
            self.held.advance(before);
            self.held_at += before as u64;
            if self.held_at == offset && self.held.len() >= length {
                // It stays held: an interrupted upload may want it once more.
                return Ok(Bytes::copy_from_slice(&self.held[..length]));
            }
            match self.stream.next().await? {
                Some(piece) => self.held.extend_from_slice(&piece),
                None => return Err("there are fewer bytes".into()),
            }
        }
    }
}
