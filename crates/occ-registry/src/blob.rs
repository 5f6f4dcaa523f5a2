//! A blob on its way: pieces that verify themselves, and go on where a connection broke off.

use bytes::{Buf as _, Bytes};
use hyper::Method;
use hyper::header::{CONTENT_RANGE, HeaderValue, RANGE};
use occ_oci::{Descriptor, Hasher, VerifyingError};

use crate::client::Client;
use crate::error::{Error, Reason};
use crate::patience::Tries;
use crate::wire::Answer;

/// A blob on its way.
///
/// The last byte is handed on only when length and digest were found right: somebody who has all of the
/// blob has the right one. A connection that breaks is opened again at the byte where it broke.
pub struct BlobStream {
    client: Client,
    blob: Descriptor,
    tries: Tries,
    answer: Option<Answer>,
    /// Bytes handed on, or about to be.
    got: u64,
    /// Bytes of the present answer that were handed on before.
    skip: u64,
    state: State,
}

enum State {
    Reading(Hasher),
    Verified,
    /// Kept, so that asking on after the error cannot look like a good end.
    Refused(VerifyingError),
}

impl BlobStream {
    pub(crate) fn new(client: Client, blob: Descriptor) -> Self {
        let tries = Tries::new(&client.patience, blob.size);
        let state = State::Reading(Hasher::new(blob.digest.algorithm()));
        Self { client, blob, tries, answer: None, got: 0, skip: 0, state }
    }

    /// Returns what is being read.
    pub fn descriptor(&self) -> &Descriptor {
        &self.blob
    }

    /// Takes over bytes that somebody has already, the next ones of the blob; they are verified with the rest.
    pub(crate) fn take_up(&mut self, bytes: &[u8]) {
        if let State::Reading(hasher) = &mut self.state {
            hasher.update(bytes);
        }
        self.got += bytes.len() as u64;
    }

    /// Goes on at another registry, which names the same bytes by the same digest.
    pub(crate) fn go_on_at(&mut self, client: Client) {
        self.tries = Tries::new(&client.patience, self.blob.size - self.got);
        self.client = client;
        self.answer = None;
    }

    /// Waits for the next piece; none at the end.
    ///
    /// # Errors
    /// [`Error`], [`Reason::Bytes`] when there are fewer, more or other bytes than promised.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            match &self.state {
                State::Verified => return Ok(None),
                State::Refused(error) => return Err(self.error(error.clone())),
                State::Reading(_) => {}
            }
            let step = self.step().await;
            match step {
                Ok(Step::Piece(bytes)) => return Ok(Some(bytes)),
                Ok(Step::Again) => {}
                Err(Reason::Bytes(error)) => {
                    self.state = State::Refused(error.clone());
                    return Err(self.error(error));
                }
                Err(reason) => {
                    self.answer = None;
                    let error = self.error(reason);
                    self.tries.again(error).await?;
                }
            }
        }
    }

    fn error(&self, reason: impl Into<Reason>) -> Error {
        self.client.error(&format!("blob {}", self.blob.digest), reason)
    }

    async fn step(&mut self) -> Result<Step, Reason> {
        let left = self.tries.left();
        if self.got >= self.blob.size && self.answer.is_none() {
            return self.end().map(|()| Step::Again);
        }
        let Some(answer) = &mut self.answer else {
            return self.open().await.map(|()| Step::Again);
        };
        if left.is_zero() {
            return Err(Reason::Deadline { after: self.tries.total() });
        }
        let Some(mut bytes) = answer.piece().await? else {
            return self.end().map(|()| Step::Again);
        };
        let again = usize::try_from(self.skip).map_or(bytes.len(), |skip| skip.min(bytes.len()));
        bytes.advance(again);
        self.skip -= again as u64;
        if bytes.is_empty() {
            return Ok(Step::Again);
        }
        if bytes.len() as u64 > self.blob.size - self.got {
            return Err(VerifyingError::TooLong { expected: self.blob.size }.into());
        }
        if let State::Reading(hasher) = &mut self.state {
            hasher.update(&bytes);
        }
        self.got += bytes.len() as u64;
        if self.got == self.blob.size {
            self.last().await?;
        }
        Ok(Step::Piece(bytes))
    }

    /// Asks for what is still to come.
    async fn open(&mut self) -> Result<(), Reason> {
        let place = format!("blobs/{}", self.blob.digest);
        let mut call = self.client.call(Method::GET, &place, "");
        call.takes = &[200, 206];
        if self.got > 0
            && let Ok(range) = HeaderValue::try_from(format!("bytes={}-", self.got))
        {
            call.headers.insert(RANGE, range);
        }
        let answer = self.client.within(self.tries.limit(), self.client.ask(&call)).await?;
        answer.is_plain()?;
        self.skip = self.got - begin(&answer, self.got)?;
        if let Some(length) = answer.length()
            && length > self.blob.size - (self.got - self.skip)
        {
            return Err(VerifyingError::TooLong { expected: self.blob.size }.into());
        }
        self.answer = Some(answer);
        Ok(())
    }

    /// All promised bytes are here: are there more, and are they the right ones?
    async fn last(&mut self) -> Result<(), Reason> {
        // A connection that breaks after the last byte takes nothing away.
        if let Some(answer) = &mut self.answer
            && let Ok(Some(_)) = answer.piece().await
        {
            return Err(VerifyingError::TooLong { expected: self.blob.size }.into());
        }
        self.answer = None;
        self.end()
    }

    fn end(&mut self) -> Result<(), Reason> {
        let (expected, got) = (self.blob.size, self.got);
        if got < expected {
            return Err(VerifyingError::TooShort { expected, got }.into());
        }
        match std::mem::replace(&mut self.state, State::Verified) {
            State::Reading(hasher) => {
                let got = hasher.finish();
                if got == self.blob.digest {
                    return Ok(());
                }
                Err(VerifyingError::Digest { expected: self.blob.digest.clone(), got }.into())
            }
            State::Verified => Ok(()),
            State::Refused(error) => Err(error.into()),
        }
    }
}

enum Step {
    Piece(Bytes),
    Again,
}

/// Returns at which byte an answer begins (RFC 9110, 14.4).
fn begin(answer: &Answer, asked: u64) -> Result<u64, Reason> {
    if answer.status != 206 {
        return Ok(0);
    }
    let range = answer.header(&CONTENT_RANGE).and_then(|range| range.strip_prefix("bytes "));
    let begin = range.and_then(|range| range.split('-').next()?.parse().ok());
    begin
        .filter(|begin| *begin == asked)
        .ok_or(Reason::Answer("it sends another part of the blob than was asked for"))
}
