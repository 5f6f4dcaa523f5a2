//! An image of a registry on its way into a layout, with everything that refers to it.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use bytes::Bytes;
use occ_image::{Arriving, Layout, LayoutError};
use occ_oci::{ANNOTATION_REF_NAME, Descriptor};
use occ_registry::{Client, Kind, Part, RawManifest, Whole};
use occ_sandbox::Event;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;

use crate::context::Context;
use crate::failure::Failure;

/// How many blobs are on their way at the same time.
const AT_ONCE: usize = 4;
/// Pieces that wait for the one who writes.
const WAITING: usize = 16;

/// What is told to the one who writes. Blobs go by their place in the list.
enum News {
    Piece(usize, Bytes),
    Verified(usize),
    /// Everything is there; whoever never hears it lists nothing.
    Complete,
}

/// What came into a layout.
pub(super) struct Fetched {
    /// Blobs that were fetched, and their bytes.
    pub(super) blobs: usize,
    pub(super) bytes: u64,
    /// Blobs that were there.
    pub(super) already_there: usize,
}

/// Fetches what a layout lacks of an image, and lists it there: the image by its name, and what refers to it.
pub(super) async fn fetch(
    from: &Client,
    (root, whole): (&RawManifest, &Whole),
    (folder, name): (PathBuf, Option<String>),
    context: &Context,
) -> Result<Fetched, Failure> {
    let blobs = blobs(whole);
    let (news, heard) = mpsc::channel(WAITING);
    let (tell_missing, missing) = oneshot::channel();
    let entries = entries(root, whole, name);
    let (documents, wanted) = (documents(whole), blobs.clone());
    let cancel = context.cancel.clone();
    let writing = tokio::task::spawn_blocking(move || {
        let parts = (documents, entries);
        write(&folder, &wanted, parts, (tell_missing, heard), cancel.flag())
    });
    let fetched = match missing.await {
        Ok(missing) => bring(from, &blobs, &missing, whole.bytes(), news, context).await,
        // It could not begin, and says why.
        Err(_) => Ok(Fetched { blobs: 0, bytes: 0, already_there: 0 }),
    };
    let written = writing.await.expect("it does not panic");
    // What broke the fetching off tells it better than that it broke off.
    let fetched = fetched?;
    written?;
    Ok(fetched)
}

/// Fetches blobs, a few at a time, and passes their pieces on.
async fn bring(
    from: &Client,
    blobs: &[Descriptor],
    missing: &[usize],
    total: u64,
    news: mpsc::Sender<News>,
    context: &Context,
) -> Result<Fetched, Failure> {
    let progress = context.terminal.progress();
    let what = format!("Copying from {}", from.host());
    let bytes: u64 = missing.iter().map(|place| blobs[*place].size).sum();
    let mut done = total.saturating_sub(bytes);
    let doors = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = JoinSet::new();
    for place in missing {
        let (place, news, doors) = (*place, news.clone(), Arc::clone(&doors));
        let (from, blob) = (from.clone(), blobs[place].clone());
        running.spawn(async move {
            let _door = doors.acquire().await;
            let mut stream = from.blob(&blob);
            while let Some(piece) = stream.next().await? {
                // Whoever writes has failed, and says so.
                if news.send(News::Piece(place, piece)).await.is_err() {
                    break;
                }
            }
            drop(news.send(News::Verified(place)).await);
            Ok::<_, occ_registry::Error>(blob.size)
        });
    }
    while let Some(one) = running.join_next().await {
        let arrived = one.expect("it does not panic").inspect_err(|_| progress.clear())?;
        done += arrived;
        progress.show(&Event::Copied { what: what.clone(), done, total });
    }
    progress.clear();
    drop(news.send(News::Complete).await);
    Ok(Fetched { blobs: missing.len(), bytes, already_there: blobs.len() - missing.len() })
}

/// Writes what comes, and in the end lists it.
fn write(
    folder: &std::path::Path,
    blobs: &[Descriptor],
    (documents, entries): (Vec<RawManifest>, Vec<Descriptor>),
    (tell_missing, mut heard): (oneshot::Sender<Vec<usize>>, mpsc::Receiver<News>),
    cancel: &AtomicBool,
) -> Result<(), LayoutError> {
    let mut filling = Layout::fill(folder, &|_| {}, cancel)?;
    let mut missing = Vec::new();
    for (place, blob) in blobs.iter().enumerate() {
        if !filling.has(blob)? {
            missing.push(place);
        }
    }
    let mut halves = BTreeMap::<usize, Arriving>::new();
    for place in &missing {
        halves.insert(*place, filling.blob(&blobs[*place])?);
    }
    // Whoever fetches was interrupted.
    if tell_missing.send(missing).is_err() {
        return Err(LayoutError::Cancelled);
    }
    let mut complete = false;
    while let Some(news) = heard.blocking_recv() {
        match news {
            News::Piece(place, bytes) => {
                let half = halves.get_mut(&place).expect("it is missing");
                half.write_all(&bytes)
                    .map_err(|source| LayoutError::File { path: folder.to_owned(), source })?;
            }
            News::Verified(place) => halves.remove(&place).expect("it is missing").finish()?,
            News::Complete => complete = true,
        }
    }
    if !complete {
        return Err(LayoutError::Cancelled);
    }
    for document in documents {
        filling.document(document.media_type().clone(), document.bytes())?;
    }
    for entry in entries {
        filling.list(entry);
    }
    filling.finish().map(drop)
}

/// Returns the blobs of all manifests, each once.
fn blobs(whole: &Whole) -> Vec<Descriptor> {
    let all = whole.parts.iter().flat_map(|part| part.manifest.parts().1);
    let each: BTreeMap<_, _> = all.map(|blob| (&blob.digest, blob)).collect();
    each.into_values().cloned().collect()
}

fn documents(whole: &Whole) -> Vec<RawManifest> {
    whole.parts.iter().map(|part| part.manifest.clone()).collect()
}

/// Returns what the layout lists: the image by its name, and what refers to something.
fn entries(root: &RawManifest, whole: &Whole, name: Option<String>) -> Vec<Descriptor> {
    let mut image = root.descriptor();
    image.annotations.clear();
    image.annotations.extend(name.map(|name| (ANNOTATION_REF_NAME.to_owned(), name)));
    let refers = |part: &&Part| part.kind == Kind::Referrer && part.manifest.subject().is_some();
    let referrers = whole.parts.iter().filter(refers).map(|part| {
        let mut entry = part.manifest.descriptor();
        // A name is for whoever lists it to give.
        entry.annotations.remove(ANNOTATION_REF_NAME);
        entry
    });
    std::iter::once(image).chain(referrers).collect()
}
