//! Where the bytes of an upload come from.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use bytes::{Buf as _, Bytes};

use crate::blob::BlobStream;
use crate::client::Client;
use crate::error::Cause;

/// Where the bytes of an upload come from.
pub trait Source: Send {
    /// Returns the next bytes from `offset` on: at least one, and no more than `most`. Offsets grow from call
    /// to call, but for a connection that broke: then earlier bytes are asked for once more.
    ///
    /// # Errors
    /// Why they cannot be read, also when there are none.
    fn read(
        &mut self,
        offset: u64,
        most: usize,
    ) -> impl Future<Output = Result<Bytes, Cause>> + Send;
}

impl Source for Bytes {
    async fn read(&mut self, offset: u64, most: usize) -> Result<Self, Cause> {
        let begin = usize::try_from(offset)?;
        let rest = self.len().checked_sub(begin).filter(|rest| *rest > 0);
        let length = rest.ok_or("there are fewer bytes")?.min(most);
        Ok(self.slice(begin..begin + length))
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
    async fn read(&mut self, offset: u64, most: usize) -> Result<Bytes, Cause> {
        let file = Arc::clone(&self.0);
        let read = move || {
            let mut bytes = vec![0; most];
            let length = file.read_at(&mut bytes, offset)?;
            bytes.truncate(length);
            Ok::<_, std::io::Error>(bytes)
        };
        let bytes = tokio::task::spawn_blocking(read).await??;
        if bytes.is_empty() {
            return Err("there are fewer bytes".into());
        }
        Ok(bytes.into())
    }
}

/// A blob of another registry. Its last byte comes only when all were found right, so that a wrong blob is
/// never completed elsewhere.
pub struct StreamSource {
    client: Client,
    stream: BlobStream,
    /// Bytes from `at` on that were not asked for yet.
    rest: Bytes,
    at: u64,
}

impl StreamSource {
    pub(crate) fn new(client: &Client, stream: BlobStream) -> Self {
        Self { client: client.clone(), stream, rest: Bytes::new(), at: 0 }
    }
}

impl Source for StreamSource {
    async fn read(&mut self, offset: u64, most: usize) -> Result<Bytes, Cause> {
        if offset < self.at {
            // From the first byte on: only all of them can be verified.
            let again = self.client.blob(self.stream.descriptor());
            *self = Self::new(&self.client, again);
        }
        loop {
            let before = usize::try_from(offset - self.at)?.min(self.rest.len());
            self.rest.advance(before);
            self.at += before as u64;
            if !self.rest.is_empty() {
                let piece = self.rest.split_to(most.min(self.rest.len()));
                self.at += piece.len() as u64;
                return Ok(piece);
            }
            match self.stream.next().await? {
                Some(piece) => self.rest = piece,
                None => return Err("there are fewer bytes".into()),
            }
        }
    }
}
