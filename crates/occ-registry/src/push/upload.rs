//! One blob on its way to a registry, in pieces (distribution spec, "Pushing a blob in chunks").

use hyper::Method;
use hyper::header::{CONTENT_RANGE, CONTENT_TYPE, HeaderName, HeaderValue, RANGE};
use occ_oci::{Descriptor, Repository};

use super::feed::feed;
use super::source::Source;
use super::{UNREAD, taken_as};
use crate::address::Address;
use crate::auth::Access;
use crate::client::{Call, Client};
use crate::error::{Error, Reason};
use crate::patience::Tries;
use crate::wire::{Answer, Load, Wishes};

const BYTES: HeaderValue = HeaderValue::from_static("application/octet-stream");
/// Header of a registry that takes no smaller pieces.
const LEAST: HeaderName = HeaderName::from_static("oci-chunk-min-length");
/// Largest piece that a registry may ask for, in bytes.
const LARGEST: usize = 256 * 1024 * 1024;

/// What a registry says to a new upload.
pub(super) enum Begun {
    /// There is nothing to send.
    Mounted,
    /// The bytes go here.
    At(Place),
}

/// Where the bytes of an upload go.
pub(super) struct Place {
    to: Address,
    /// Smallest piece that is taken, in bytes.
    least: usize,
}

/// Asks for a place to upload to, and first whether the blob can be had from `from`.
pub(super) async fn begin(
    client: &Client,
    blob: &Descriptor,
    from: Option<&Repository>,
) -> Result<Begun, Error> {
    let mut call = client.call(Method::POST, "blobs/uploads/", format!("blob {}", blob.digest));
    call.takes = &[202];
    call.access = Access::Push;
    if let Some(from) = from {
        let digest = blob.digest.to_string();
        call.to = call.to.with("mount", &digest).with("from", from.path());
        call.access = Access::Mount(from.path().to_owned());
        call.takes = &[201, 202];
    }
    let reply = client.fetch(&call, UNREAD).await?;
    if reply.answer.status == 201 {
        return Ok(Begun::Mounted);
    }
    let to = next(client, &reply.answer).map_err(|reason| client.error(&call.what, reason))?;
    let least = reply.answer.header(&LEAST).and_then(|least| least.parse().ok());
    Ok(Begun::At(Place { to, least: least.unwrap_or(0).min(LARGEST) }))
}

/// One blob on its way.
pub(super) struct Upload<'a> {
    client: &'a Client,
    blob: &'a Descriptor,
    at: Place,
    offset: u64,
    tries: Tries,
}

impl<'a> Upload<'a> {
    pub(super) fn new(client: &'a Client, blob: &'a Descriptor, at: Place) -> Self {
        let tries = Tries::new(&client.patience, blob.size);
        Self { client, blob, at, offset: 0, tries }
    }

    /// Sends everything.
    pub(super) async fn send(mut self, source: &mut impl Source) -> Result<(), Error> {
        loop {
            match self.client.within(self.tries.limit(), self.step(source)).await {
                Ok(true) => return Ok(()),
                // What has got further has its tries again, but not its time.
                Ok(false) => self.tries.progressed(),
                Err(reason) => {
                    self.tries.again(self.error(reason)).await?;
                    if self.recover().await? {
                        return Ok(());
                    }
                }
            }
        }
    }

    fn error(&self, reason: impl Into<Reason>) -> Error {
        self.client.error(&format!("blob {}", self.blob.digest), reason)
    }

    /// Sends the next piece, and closes the upload with the last; returns whether that was it.
    async fn step(&mut self, source: &mut impl Source) -> Result<bool, Reason> {
        let left = self.blob.size - self.offset;
        let chunk = self.client.chunk().max(self.at.least);
        let length = left.min(chunk as u64);
        let (load, wishes) = Load::fed(length);
        let end = self.offset + length;
        if length == left {
            self.close(load, (source, wishes)).await?;
            return Ok(true);
        }
        let mut call = self.call(Method::PATCH, load, &[202]);
        let range = HeaderValue::try_from(format!("{}-{}", self.offset, end - 1));
        call.headers.insert(CONTENT_RANGE, range.map_err(|error| Reason::Broken(error.into()))?);
        let answer = self.ask(&call, (source, wishes)).await?;
        self.at.to = next(self.client, &answer)?;
        // A registry may have taken less than it was sent, never more.
        let taken = answer.header(&RANGE).map_or(Ok(end), |range| taken(range, self.offset))?;
        if !(self.offset..=end).contains(&taken) {
            return Err(Reason::Answer("it says that it has more than it was sent"));
        }
        if taken == self.offset {
            return Err(Reason::OutOfStep);
        }
        self.offset = taken;
        Ok(false)
    }

    async fn close(&self, load: Load, from: (&mut impl Source, Wishes)) -> Result<(), Reason> {
        let mut call = self.call(Method::PUT, load, &[201, 204]);
        call.to = call.to.with("digest", &self.blob.digest.to_string());
        if self.offset > 0 {
            let range = format!("{}-{}", self.offset, self.blob.size - 1);
            let range = HeaderValue::try_from(range);
            call.headers
                .insert(CONTENT_RANGE, range.map_err(|error| Reason::Broken(error.into()))?);
        }
        let answer = self.ask(&call, from).await?;
        taken_as(&answer, &self.blob.digest)
    }

    fn call(&self, method: Method, body: Load, takes: &'static [u16]) -> Call {
        let mut call = self.client.call(method, "", "");
        call.to = self.at.to.clone();
        call.access = Access::Push;
        call.headers.insert(CONTENT_TYPE, BYTES);
        call.body = body;
        call.takes = takes;
        call
    }

    /// Sends a piece of the blob that is read meanwhile.
    async fn ask(
        &self,
        call: &Call,
        (source, wishes): (&mut impl Source, Wishes),
    ) -> Result<Answer, Reason> {
        let range = self.offset..self.offset + call.body.len();
        let answer = tokio::select! {
            answer = self.client.ask(call) => answer,
            failed = feed(source, range, wishes, self.client.patience.stall) => Err(failed),
        };
        match answer {
            // 416: the piece does not begin where the registry is.
            Err(Reason::Refused { status: 416, .. }) => Err(Reason::OutOfStep),
            Err(Reason::NotFound) => Err(Reason::ForgottenUpload),
            other => other,
        }
    }

    /// Finds out how far the upload has got; returns whether it is all there.
    async fn recover(&mut self) -> Result<bool, Error> {
        if self.client.has_blob(&self.blob.digest).await? {
            return Ok(true);
        }
        let mut call = self.call(Method::GET, Load::none(), &[200, 202, 204]);
        format!("blob {}", self.blob.digest).clone_into(&mut call.what);
        let found = match self.client.fetch(&call, UNREAD).await {
            Ok(reply) => self.found(&reply.answer),
            // It has forgotten the upload.
            Err(error) if matches!(error.reason, Reason::NotFound | Reason::Refused { .. }) => None,
            Err(error) => return Err(error),
        };
        if let Some((to, offset)) = found {
            self.at.to = to;
            self.offset = offset;
            return Ok(false);
        }
        match begin(self.client, self.blob, None).await? {
            Begun::Mounted => Ok(true),
            Begun::At(at) => {
                self.at = at;
                self.offset = 0;
                Ok(false)
            }
        }
    }

    /// Reads where an upload goes on; none when the answer does not say it beyond doubt.
    fn found(&self, answer: &Answer) -> Option<(Address, u64)> {
        let range = answer.header(&RANGE)?;
        let offset = taken(range, 0).ok().filter(|offset| *offset > 1)?;
        let to = next(self.client, answer).unwrap_or_else(|_| self.at.to.clone());
        (offset < self.blob.size).then_some((to, offset))
    }
}

/// Returns where the next request of an upload goes, which must be the same registry: what is private
/// is not sent to somebody else because of a header.
fn next(client: &Client, answer: &Answer) -> Result<Address, Reason> {
    let to = answer.location()?;
    if client.is_own(&to) {
        return Ok(to);
    }
    Err(Reason::ForeignUpload { to: to.origin.to_string() })
}

/// Reads `Range: 0-END` and returns how many bytes that are. `0-0` is what registries write for nothing
/// as well as for one byte; it is taken for nothing when that is what was there before.
fn taken(range: &str, before: u64) -> Result<u64, Reason> {
    let range = range.strip_prefix("bytes=").unwrap_or(range);
    let end = range.strip_prefix("0-").and_then(|end| end.parse::<u64>().ok());
    match end.ok_or(Reason::Answer("its Range is none"))? {
        0 if before == 0 => Ok(0),
        end => end.checked_add(1).ok_or(Reason::Answer("its Range is none")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_says_how_much_is_there() {
        assert_eq!(taken("0-9", 0).ok(), Some(10));
        assert_eq!(taken("bytes=0-9", 4).ok(), Some(10));
        assert_eq!(taken("0-0", 0).ok(), Some(0));
        assert_eq!(taken("0-0", 1).ok(), Some(1));
        for wrong in ["", "1-9", "0-", "0--1", "0-18446744073709551615", "9"] {
            assert!(taken(wrong, 0).is_err(), "{wrong}");
        }
    }
}
