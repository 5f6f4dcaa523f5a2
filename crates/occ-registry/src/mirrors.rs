//! Several places that hold the same repository: one is asked after the other, and all mean the same.

use std::fmt;
use std::io::SeekFrom;

use bytes::Bytes;
use occ_oci::{Descriptor, Host, ManifestDigest, Tag};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _, BufWriter};
use tokio::task::JoinSet;

use crate::blob::BlobStream;
use crate::client::Client;
use crate::error::{Error, Reason};
use crate::manifest::RawManifest;
use crate::pull::Resolved;

/// A registry that was asked in vain, and why.
#[derive(Debug)]
pub struct Attempt {
    /// The registry.
    pub registry: Host,
    /// Why it failed.
    pub error: Error,
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.error)?;
        let mut cause = std::error::Error::source(&self.error);
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

/// No registry gave what was asked for.
#[derive(Debug)]
pub struct Exhausted {
    /// What was asked for.
    pub what: String,
    /// What was tried, in order.
    pub attempts: Vec<Attempt>,
}

impl fmt::Display for Exhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no registry gave {}", self.what)?;
        for attempt in &self.attempts {
            write!(f, "; {attempt}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Exhausted {}

/// Why a tag does not stand for one manifest.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// Nobody answered.
    #[error(transparent)]
    Exhausted(#[from] Exhausted),
    /// Two registries say that the tag stands for different manifests. One of them is behind, or
    /// somebody tampers with it; neither is taken.
    #[error("the registries disagree about {tag}: {} says {first}, {} says {second}", hosts.0, hosts.1)]
    Disagreement {
        /// The tag.
        tag: Tag,
        /// Who says it.
        hosts: (Host, Host),
        /// What the first says.
        first: ManifestDigest,
        /// What the second says.
        second: ManifestDigest,
    },
}

/// What a tag stands for, as far as the registries could be asked.
#[derive(Debug)]
pub struct Agreed {
    /// What it stands for at the first that answered.
    pub resolved: Resolved,
    /// Those who answered and said the same, the first included.
    pub by: Vec<Host>,
    /// Those who could not be asked, or do not have the tag.
    pub silent: Vec<Attempt>,
}

/// News while places are asked one after the other.
#[derive(Debug)]
pub enum Asking<'a> {
    /// This one is asked now.
    Begins(&'a Client),
    /// It was asked in vain.
    Failed(&'a Attempt),
}

/// Bytes at a time when a file's beginning is read.
const PIECE: usize = 256 * 1024;

/// Places that hold the same repository, in the order in which they are asked.
#[derive(Debug, Clone)]
pub struct Mirrors {
    first: Client,
    others: Vec<Client>,
}

impl Mirrors {
    /// Takes the places; there is at least one.
    pub fn new(first: Client, others: Vec<Client>) -> Self {
        Self { first, others }
    }

    /// Returns the places.
    pub fn places(&self) -> impl Iterator<Item = &Client> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// Asks what a tag stands for: each place until one answers, and the rest whether they agree.
    ///
    /// Everything after that goes by the digest. A place that cannot be asked, or does not have the tag, is
    /// tolerated; one that says something else is not.
    ///
    /// # Errors
    /// [`ResolveError`].
    pub async fn resolve(&self, tag: &Tag) -> Result<Agreed, ResolveError> {
        self.resolve_telling(tag, &|_| {}).await
    }

    /// The same, telling whom it asks for the first answer. The second opinions are not told of.
    ///
    /// # Errors
    /// [`ResolveError`].
    pub async fn resolve_telling(
        &self,
        tag: &Tag,
        tell: &(dyn Fn(Asking<'_>) + Send + Sync),
    ) -> Result<Agreed, ResolveError> {
        let mut silent: Vec<Attempt> = Vec::new();
        let mut places = self.places();
        let (host, resolved) = loop {
            let Some(place) = places.next() else {
                return Err(Exhausted { what: tag.to_string(), attempts: silent }.into());
            };
            tell(Asking::Begins(place));
            match place.resolve(tag).await {
                Ok(resolved) => break (place.host().clone(), resolved),
                Err(error) => {
                    let attempt = Attempt { registry: place.host().clone(), error };
                    tell(Asking::Failed(&attempt));
                    silent.push(attempt);
                }
            }
        };
        let mut by = vec![host.clone()];
        for (other, answer) in second_opinions(places, tag).await {
            match answer {
                Ok(second) if second == *resolved.manifest.digest() => by.push(other),
                Ok(second) => {
                    let first = resolved.manifest.digest().clone();
                    let hosts = (host, other);
                    return Err(ResolveError::Disagreement {
                        tag: tag.clone(),
                        hosts,
                        first,
                        second,
                    });
                }
                Err(error) => silent.push(Attempt { registry: other, error }),
            }
        }
        Ok(Agreed { resolved, by, silent })
    }

    /// Returns the manifest of a digest from the first place that gives it.
    ///
    /// # Errors
    /// [`Exhausted`].
    pub async fn manifest(&self, digest: &ManifestDigest) -> Result<RawManifest, Exhausted> {
        let mut attempts = Vec::new();
        for place in self.places() {
            match place.manifest(digest).await {
                Ok(manifest) => return Ok(manifest),
                Err(error) => attempts.push(Attempt { registry: place.host().clone(), error }),
            }
        }
        Err(Exhausted { what: format!("manifest {digest}"), attempts })
    }

    /// Returns a blob as a stream that verifies, and that goes on at the next place where one fails.
    pub fn blob(&self, blob: &Descriptor) -> MirroredBlob {
        let others: Vec<_> = self.others.iter().rev().cloned().collect();
        MirroredBlob {
            stream: self.first.blob(blob),
            at: self.first.host().clone(),
            others,
            attempts: Vec::new(),
        }
    }

    /// Fills a file with a blob. What the file has already is taken for the blob's beginning, and only the
    /// rest is fetched; `told` hears how many bytes are there. A place that sends wrong bytes is left for
    /// the next one, and the file begun again; on an error it holds bytes that were not verified.
    ///
    /// # Errors
    /// [`Exhausted`], also when the file cannot be read or written.
    pub async fn save(
        &self,
        blob: &Descriptor,
        file: &mut File,
        told: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<(), Exhausted> {
        let mut rest: Vec<_> = self.places().cloned().collect();
        rest.reverse();
        let mut attempts = Vec::new();
        let mut keep = there(file).await.filter(|keep| *keep <= blob.size).unwrap_or(0);
        while let Some(place) = rest.pop() {
            let (at, stream) = (place.host().clone(), place.blob(blob));
            let mut from = MirroredBlob { stream, at, others: rest, attempts };
            let Err(error) = fill(&mut from, &place, file, keep, told).await else {
                return Ok(());
            };
            let is_mismatch = error.reason.is_mismatch();
            (rest, attempts) = (from.others, from.attempts);
            if is_mismatch && keep > 0 {
                // What the file had may be what is wrong; the place gets a chance of its own.
                rest.push(place);
                keep = 0;
                continue;
            }
            attempts.push(Attempt { registry: from.at, error });
            if !is_mismatch {
                break;
            }
        }
        Err(Exhausted { what: format!("blob {}", blob.digest), attempts })
    }
}

/// Returns how many bytes a file has.
async fn there(file: &File) -> Option<u64> {
    file.metadata().await.ok().map(|metadata| metadata.len())
}

async fn fill(
    from: &mut MirroredBlob,
    place: &Client,
    file: &mut File,
    keep: u64,
    told: &(dyn Fn(u64) + Send + Sync),
) -> Result<(), Error> {
    let failed = |error: std::io::Error| place.error("the file", Reason::Source(error.into()));
    file.set_len(keep).await.map_err(failed)?;
    file.seek(SeekFrom::Start(0)).await.map_err(failed)?;
    let (mut got, mut piece) = (0, vec![0; PIECE]);
    while got < keep {
        let read = file.read(&mut piece).await.map_err(failed)?;
        if read == 0 {
            return Err(failed(std::io::ErrorKind::UnexpectedEof.into()));
        }
        from.stream.take_up(&piece[..read]);
        got += read as u64;
    }
    told(got);
    let mut out = BufWriter::with_capacity(PIECE, file);
    let end = loop {
        match from.piece().await {
            Ok(None) => break Ok(()),
            Ok(Some(piece)) => {
                out.write_all(&piece).await.map_err(failed)?;
                got += piece.len() as u64;
                told(got);
            }
            Err(error) => break Err(error),
        }
    };
    // Also after an error: what came is not fetched again.
    out.flush().await.map_err(failed)?;
    end
}

/// Asks the rest side by side, each once: who is slow must not keep anybody waiting for long.
async fn second_opinions<'a>(
    places: impl Iterator<Item = &'a Client>,
    tag: &Tag,
) -> Vec<(Host, Result<ManifestDigest, Error>)> {
    let mut asked = JoinSet::new();
    for (number, place) in places.enumerate() {
        let (place, tag) = (place.once(), tag.clone());
        asked.spawn(async move {
            let answer = place.resolve(&tag).await;
            let digest = answer.map(|resolved| resolved.manifest.digest().clone());
            (number, place.host().clone(), digest)
        });
    }
    let mut answers = asked.join_all().await;
    answers.sort_by_key(|(number, ..)| *number);
    answers.into_iter().map(|(_, host, answer)| (host, answer)).collect()
}

/// A blob on its way, from whichever place gives it.
pub struct MirroredBlob {
    stream: BlobStream,
    at: Host,
    /// Those that were not asked yet, the next one last.
    others: Vec<Client>,
    attempts: Vec<Attempt>,
}

impl MirroredBlob {
    /// Waits for the next piece; none at the end.
    ///
    /// # Errors
    /// [`Exhausted`]. Wrong bytes end it at once: some were handed on, and are to be thrown away.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Exhausted> {
        match self.piece().await {
            Ok(piece) => Ok(piece),
            Err(error) => {
                let mut attempts = std::mem::take(&mut self.attempts);
                attempts.push(Attempt { registry: self.at.clone(), error });
                let what = format!("blob {}", self.stream.descriptor().digest);
                Err(Exhausted { what, attempts })
            }
        }
    }

    /// The same, with the error of the place that was the last.
    async fn piece(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            match self.stream.next().await {
                Ok(piece) => return Ok(piece),
                Err(error) if error.reason.is_mismatch() => return Err(error),
                Err(error) => {
                    let Some(next) = self.others.pop() else { return Err(error) };
                    let registry = std::mem::replace(&mut self.at, next.host().clone());
                    self.attempts.push(Attempt { registry, error });
                    self.stream.go_on_at(next);
                }
            }
        }
    }
}
