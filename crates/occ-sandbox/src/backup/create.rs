//! Making a backup of a sandbox, running or not.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter};
use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt as _;
use occ_engine::{Engine, Mount, Phase, VolumeFacts};
use occ_image::guest;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::error::BackupError;
use super::format::{FORMAT, Head, KIND, RECORD, SETTINGS};
use super::write::{Unfinished, Writer, failed};
use crate::beside::{self, Beside};
use crate::cancel::Cancel;
use crate::error::ApplyError;
use crate::event::{Event, Observer};
use crate::fleet::Sandbox;
use crate::refusal::Claim;

/// Places whose contents can be had again: they are in a backup only where that is wished.
const AGAIN: [&str; 2] = ["cache", "programs"];
/// Bytes beyond the volumes that a backup takes at most, but for the pieces' heads.
const ROOM: u64 = 8 << 20;
/// Pieces of an archive that wait to be written at most.
const AHEAD: usize = 16;

/// What is wished of a backup.
#[derive(Debug, Clone, Copy)]
pub struct BackupWish<'a> {
    /// Where it goes.
    pub path: &'a Path,
    /// Whether caches and programs that can be had again go in too.
    pub all: bool,
    /// The record, as it is written.
    pub record: Option<&'a [u8]>,
    /// The settings of this user, as they are written.
    pub settings: Option<&'a [u8]>,
    /// Now, RFC 3339, UTC.
    pub now: &'a str,
    /// Version of this program.
    pub version: &'a str,
}

/// What was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// What it says it is.
    pub head: Head,
    /// Bytes of the file.
    pub size: u64,
    /// How long the sandbox was frozen.
    pub frozen: Option<Duration>,
}

/// Makes a backup. What runs is frozen while its volumes are read, and goes on whatever happens.
///
/// # Errors
/// When there is nothing to keep, no room, a file of that name, or the engine fails; nothing is left behind.
pub async fn create_backup<E: Engine>(
    engine: &E,
    claim: Claim<'_>,
    sandbox: &Sandbox,
    sizes: &BTreeMap<String, u64>,
    wish: BackupWish<'_>,
    cancel: &Cancel,
    observer: Observer<'_>,
) -> Result<Created, BackupError> {
    let volumes = chosen(claim, sandbox, wish.all);
    if volumes.is_empty() {
        return Err(BackupError::Nothing);
    }
    let total = volumes.iter().filter_map(|(_, volume)| sizes.get(&volume.name)).sum();
    let (unfinished, file) = Unfinished::create(wish.path)?;
    room(wish.path, total)?;
    let head = head(sandbox, &volumes, wish);
    let mounts = volumes.iter().map(|(place, volume)| (*place, volume.name.clone())).collect();
    let image = beside::any_image(engine, sandbox).await?.ok_or(BackupError::NoImage)?;
    let aside = Beside::make(engine, claim, image, mounts, true).await?;
    let (feed, writing) = write_aside(file, &head, wish)?;
    let copied = copy(engine, sandbox, &aside, feed, (total, observer, cancel)).await;
    aside.remove(engine).await?;
    let written = writing.await.map_err(io::Error::other).and_then(|done| done);
    let frozen = copied?;
    let file = written.map_err(failed("write", wish.path))?;
    unfinished.finish(&file)?;
    let size = file.metadata().map_err(failed("read", wish.path))?.len();
    Ok(Created { head, size, frozen })
}

/// Returns what goes in, in the order of the places.
fn chosen<'a>(
    claim: Claim<'_>,
    sandbox: &'a Sandbox,
    all: bool,
) -> Vec<(&'static str, &'a VolumeFacts)> {
    let wanted = guest::PLACES.iter().filter(|place| all || !AGAIN.contains(&place.name));
    wanted
        .filter_map(|place| {
            let name = claim.instance.volume(place.name);
            let found = sandbox.volumes.iter().find(|volume| volume.name == name)?;
            Some((place.name, found))
        })
        .collect()
}

fn head(sandbox: &Sandbox, volumes: &[(&str, &VolumeFacts)], wish: BackupWish<'_>) -> Head {
    let mounts = sandbox.container.iter().flat_map(|container| &container.mounts);
    let folder = mounts.into_iter().find_map(|mount| match mount {
        Mount::Bind { source, target, .. } if target == guest::WORKSPACE => {
            Some(source.display().to_string())
        }
        _ => None,
    });
    let record = sandbox.record.as_ref();
    Head {
        kind: KIND.to_owned(),
        format: FORMAT,
        instance: sandbox.instance.name().to_owned(),
        created_at: wish.now.to_owned(),
        occ_version: wish.version.to_owned(),
        opencode_version: record.map(|record| record.opencode_version.clone()),
        volumes: volumes.iter().map(|(place, _)| (*place).to_owned()).collect(),
        folder,
    }
}

/// Refuses where the worst case would not fit: contents that cannot be compressed.
fn room(path: &Path, total: u64) -> Result<(), BackupError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let stat = rustix::fs::statvfs(folder).map_err(|errno| failed("write", path)(errno.into()))?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    let needed = total.saturating_add(total / 1000).saturating_add(ROOM);
    if needed > free {
        return Err(BackupError::NoRoom { path: folder.to_owned(), needed, free });
    }
    Ok(())
}

/// What the thread that writes is told.
enum Feed {
    Begin(&'static str),
    Bytes(Vec<u8>),
    End,
    Finish,
}

type Writing = tokio::task::JoinHandle<io::Result<File>>;

/// Compresses and writes on a thread of its own; told nothing more before its time, it gives up.
fn write_aside(
    file: File,
    head: &Head,
    wish: BackupWish<'_>,
) -> Result<(mpsc::Sender<Feed>, Writing), BackupError> {
    let (feed, mut told) = mpsc::channel(AHEAD);
    let again = file.try_clone().map_err(failed("write", wish.path))?;
    let mut small = vec![(RECORD, wish.record), (SETTINGS, wish.settings)];
    let small: Vec<_> =
        small.drain(..).filter_map(|(name, bytes)| Some((name, bytes?.to_vec()))).collect();
    let head = head.clone();
    let writing = tokio::task::spawn_blocking(move || {
        let mut writer = Writer::new(BufWriter::new(file), &head)?;
        for (name, bytes) in small {
            writer.file(name, &bytes)?;
        }
        loop {
            match told.blocking_recv() {
                Some(Feed::Begin(place)) => writer.begin(place),
                Some(Feed::Bytes(bytes)) => writer.bytes(&bytes)?,
                Some(Feed::End) => writer.end()?,
                Some(Feed::Finish) => break,
                None => return Err(io::ErrorKind::Interrupted.into()),
            }
        }
        writer.finish()?;
        Ok(again)
    });
    Ok((feed, writing))
}

/// Freezes, reads, and lets go on; returns how long that took.
async fn copy<E: Engine>(
    engine: &E,
    sandbox: &Sandbox,
    aside: &Beside,
    feed: mpsc::Sender<Feed>,
    around: (u64, Observer<'_>, &Cancel),
) -> Result<Option<Duration>, BackupError> {
    let frozen = freeze(engine, sandbox).await?;
    let copied = copy_all(engine, aside, &feed, around).await;
    let frozen = match frozen {
        Some((name, since)) => {
            let thawed = engine.unpause_container(name).await;
            thawed.map_err(ApplyError::engine("let the sandbox go on"))?;
            Some(since.elapsed())
        }
        None => None,
    };
    copied?;
    // A writer that failed says why itself.
    drop(feed.send(Feed::Finish).await);
    Ok(frozen)
}

async fn freeze<'a, E: Engine>(
    engine: &E,
    sandbox: &'a Sandbox,
) -> Result<Option<(&'a str, Instant)>, BackupError> {
    let Some(container) = &sandbox.container else { return Ok(None) };
    match container.phase {
        Phase::Running => {}
        Phase::Restarting => return Err(BackupError::Restarting),
        _ => return Ok(None),
    }
    match engine.pause_container(&container.name).await {
        Ok(()) => Ok(Some((container.name.as_str(), Instant::now()))),
        // It ended a moment ago: nothing writes any more.
        Err(occ_engine::Error::Conflict { .. } | occ_engine::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(ApplyError::NotFrozen(error).into()),
    }
}

async fn copy_all<E: Engine>(
    engine: &E,
    aside: &Beside,
    feed: &mpsc::Sender<Feed>,
    (total, observer, cancel): (u64, Observer<'_>, &Cancel),
) -> Result<(), BackupError> {
    let mut done = 0;
    for place in aside.places() {
        let step = || ApplyError::engine(format!("read the volume: {place}"));
        let opened = engine.read_archive(aside.name(), &beside::folder(place)).await;
        let missing = || occ_engine::Error::NotFound { message: format!("no folder for {place}") };
        let opened = opened.and_then(|found| found.ok_or_else(missing));
        let mut archive = opened.map_err(step())?;
        let mut open = feed.send(Feed::Begin(place)).await.is_ok();
        while open {
            let next = tokio::select! {
                next = archive.next() => next,
                () = cancel.cancelled() => return Err(ApplyError::Interrupted.into()),
            };
            let Some(bytes) = next.transpose().map_err(step())? else { break };
            done += bytes.len() as u64;
            observer(Event::Copied { what: "Reading the volumes".to_owned(), done, total });
            open = feed.send(Feed::Bytes(bytes.into())).await.is_ok();
        }
        // A writer that failed hears nothing more, and says why itself.
        if !open || feed.send(Feed::End).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}
