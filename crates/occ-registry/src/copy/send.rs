//! Sending an image with everything that belongs to it, several blobs at a time.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use occ_oci::{Descriptor, Digest, Repository};
use tokio::task::JoinSet;

use super::whole::{Kind, Part, Whole};
use super::{Copied, Event, Shelf, of_source};
use crate::client::{AT_ONCE, Client};
use crate::error::{Error, Reason};
use crate::push::{Pushed, Source};
use crate::referrers::Unlisted;

/// How many blobs are on their way at the same time.
const BLOBS: usize = 4;

/// Sends everything to a registry, but no tag: the blobs from a shelf, or mounted from `mount` where that is
/// on the same registry.
///
/// What refers to the image goes ahead: it is small, the registry's list of it takes a while to be
/// confirmed, and nobody who finds the image finds it without its signatures.
///
/// # Errors
/// [`Error`] of either side.
pub async fn send(
    whole: &Whole,
    shelf: &impl Shelf,
    to: &Client,
    mount: Option<&Repository>,
    observer: &(dyn Fn(Event) + Send + Sync),
) -> Result<Copied, Error> {
    // What lists manifests needs them to be there.
    let goes_ahead =
        |part: &&Part| part.kind == Kind::Referrer && part.manifest.parts().0.is_empty();
    let (ahead, rest): (Vec<&Part>, Vec<&Part>) = whole.parts.iter().partition(goes_ahead);
    let sending = Sending { shelf, to, mount, observer, done: Mutex::default() };
    sending.blobs(&ahead).await?;
    let both = async {
        sending.blobs(&rest).await?;
        sending.manifests(&rest).await
    };
    tokio::try_join!(sending.manifests(&ahead), both)?;
    let done = sending.done.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(done.copied)
}

struct Sending<'a, S> {
    shelf: &'a S,
    to: &'a Client,
    mount: Option<&'a Repository>,
    observer: &'a (dyn Fn(Event) + Send + Sync),
    done: Mutex<Done>,
}

#[derive(Default)]
struct Done {
    begun: BTreeSet<Digest>,
    copied: Copied,
}

impl<S: Shelf> Sending<'_, S> {
    /// Sends what manifests need and was not sent yet, a few at a time.
    async fn blobs(&self, parts: &[&Part]) -> Result<(), Error> {
        let mut running = JoinSet::new();
        for blob in parts.iter().flat_map(|part| part.manifest.parts().1) {
            if !self.done(|done| done.begun.insert(blob.digest.clone())) {
                continue;
            }
            if running.len() == BLOBS {
                self.arrived(&mut running).await?;
            }
            let source = self.shelf.open(blob);
            let source = source.map_err(|cause| {
                let what = format!("blob {}", blob.digest);
                of_source(self.to.error(&what, Reason::Source(cause)))
            })?;
            running.spawn(one(self.to.clone(), self.mount.cloned(), blob.clone(), source));
        }
        while !running.is_empty() {
            self.arrived(&mut running).await?;
        }
        Ok(())
    }

    /// Waits for one blob.
    async fn arrived(&self, running: &mut JoinSet<Result<Arrived, Error>>) -> Result<(), Error> {
        let Some(joined) = running.join_next().await else { return Ok(()) };
        let (blob, how) =
            joined.map_err(|error| self.to.error("blobs", Reason::Source(error.into())))??;
        self.done(|Done { copied, .. }| match how {
            Pushed::AlreadyThere => copied.already_there += 1,
            Pushed::Mounted => copied.mounted += 1,
            Pushed::Uploaded => copied.uploaded += 1,
        });
        (self.observer)(Event::Blob { digest: blob.digest, size: blob.size, how });
        Ok(())
    }

    /// Puts manifests, each after those that it lists, and sees to it that what refers to something is listed.
    async fn manifests(&self, parts: &[&Part]) -> Result<(), Error> {
        let (lists, rest): (Vec<&Part>, Vec<&Part>) =
            parts.iter().partition(|part| !part.manifest.parts().0.is_empty());
        // Whoever sends this to another thread needs futures that are there already.
        let putting: Vec<_> = rest.into_iter().map(|part| self.manifest(part)).collect();
        let put: Vec<_> = stream::iter(putting).buffered(AT_ONCE).try_collect().await?;
        let mut unlisted: Vec<Unlisted> = put.into_iter().flatten().collect();
        for list in lists {
            unlisted.extend(self.manifest(list).await?);
        }
        self.to.list(unlisted).await
    }

    async fn manifest(&self, Part { manifest, kind }: &Part) -> Result<Option<Unlisted>, Error> {
        let unlisted = match manifest.subject() {
            Some(_) => self.to.put_about(manifest).await?,
            None => self.to.push_manifest(manifest).await.map(|()| None)?,
        };
        self.done(|Done { copied, .. }| match kind {
            Kind::Image => copied.manifests += 1,
            Kind::Referrer => copied.referrers += 1,
        });
        (self.observer)(Event::Manifest(manifest.digest().clone()));
        Ok(unlisted)
    }

    fn done<T>(&self, change: impl FnOnce(&mut Done) -> T) -> T {
        change(&mut self.done.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

type Arrived = (Descriptor, Pushed);

async fn one(
    to: Client,
    mount: Option<Repository>,
    blob: Descriptor,
    mut source: impl Source,
) -> Result<Arrived, Error> {
    let pushed = to.push_blob(&blob, &mut source, mount.as_ref()).await;
    pushed.map(|how| (blob, how)).map_err(of_source)
}
