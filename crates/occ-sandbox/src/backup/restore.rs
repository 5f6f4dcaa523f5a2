//! Putting a backup back.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use occ_engine::{Engine, GuestFile, ImageId};
use occ_image::guest;
use serde::Serialize;

use super::error::BackupError;
use super::format::Name;
use super::read::{Outer, Verified};
use super::write::failed;
use crate::beside::{self, Beside};
use crate::cancel::Cancel;
use crate::error::ApplyError;
use crate::event::{Event, Observer};
use crate::instance::Instance;
use crate::record::Record;
use crate::refusal::Claim;
use crate::spec::Owner;

/// Returns the record that is in a backup, if this program understands it.
pub fn restored_record(backup: &Verified) -> Option<Record> {
    serde_json::from_slice(backup.record.as_deref()?).ok()
}

/// What volumes are filled from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Filling {
    /// The backup, which was looked at before.
    pub backup: PathBuf,
    /// What its contents' checksum was then.
    pub whole: String,
    /// Whose the files in it are.
    pub owner: Owner,
    /// The volumes.
    pub volumes: Vec<Filled>,
}

impl Filling {
    /// Returns the names of the volumes.
    pub fn names(&self) -> impl Iterator<Item = String> {
        self.volumes.iter().map(|one| one.volume.clone())
    }
}

/// A volume that is filled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Filled {
    /// Its place inside.
    pub place: &'static str,
    /// Its name.
    pub volume: String,
    /// Bytes of its archive.
    pub size: u64,
}

impl Verified {
    /// Returns what fills an instance's volumes from it.
    pub fn filling(&self, instance: &Instance) -> Filling {
        let volumes = guest::PLACES.iter().filter_map(|place| {
            let name = super::format::archive(place.name);
            let part = self.manifest.parts.iter().find(|part| part.name == name)?;
            let volume = instance.volume(place.name);
            Some(Filled { place: place.name, volume, size: part.size })
        });
        Filling {
            backup: self.path.clone(),
            whole: self.manifest.whole.clone(),
            owner: restored_record(self).map_or(Owner::GUEST, |record| record.owner),
            volumes: volumes.collect(),
        }
    }
}

/// Makes the volumes that are filled.
///
/// # Errors
/// When the engine fails.
pub async fn make_volumes<E: Engine>(
    engine: &E,
    claim: Claim<'_>,
    filling: &Filling,
) -> Result<(), BackupError> {
    for Filled { volume, .. } in &filling.volumes {
        let made = engine.create_volume(volume, &claim.labels()).await;
        made.map_err(ApplyError::engine(format!("create the volume: {volume}")))?;
    }
    Ok(())
}

/// Fills volumes, which must exist and be empty, from a backup.
///
/// # Errors
/// When the engine fails, or the file is not the one that was looked at; the volumes hold a part then.
pub async fn fill_volumes<E: Engine>(
    engine: &E,
    claim: Claim<'_>,
    image: ImageId,
    filling: &Filling,
    cancel: &Cancel,
    observer: Observer<'_>,
) -> Result<(), BackupError> {
    let path = &filling.backup;
    let file = File::open(path).map_err(failed("read", path))?;
    let mut outer = Outer::open(file, path)?;
    outer.head()?;
    let outer = Arc::new(Mutex::new(outer));
    let volumes = filling.volumes.iter().map(|one| (one.place, one.volume.clone())).collect();
    let aside = Beside::make(engine, claim, image, volumes, false).await?;
    let filled = fill_all(engine, &aside, &outer, filling, (cancel, observer)).await;
    aside.remove(engine).await?;
    filled
}

async fn fill_all<E: Engine>(
    engine: &E,
    aside: &Beside,
    outer: &Arc<Mutex<Outer>>,
    filling: &Filling,
    around: (&Cancel, Observer<'_>),
) -> Result<(), BackupError> {
    let lock = || outer.lock().unwrap_or_else(PoisonError::into_inner);
    let path = &filling.backup;
    let total = filling.volumes.iter().map(|one| one.size).sum();
    let mut done = 0;
    loop {
        let entry = lock().next()?;
        let Some(entry) = entry else { return Err(lock().damaged("it ends too early")) };
        let known = |place| filling.volumes.iter().find(|one| one.place == place);
        match entry.name {
            Name::Piece { place, number: 0 } if known(place).is_some() => {
                let what = format!("Filling the volume {place}");
                (around.1)(Event::Copied { what, done, total });
                fill_one(engine, aside, outer, place, around.0).await?;
                own_root(engine, aside, place, filling.owner).await?;
                // What ends an archive may have been left unread.
                let cancel = Cancel::default();
                let mut rest = Shared { outer: Arc::clone(outer), place, cancel };
                io::copy(&mut rest, &mut io::sink()).map_err(failed("read", path))?;
                done += known(place).map_or(0, |one| one.size);
            }
            Name::Manifest if lock().manifest(&entry)?.whole == filling.whole => return Ok(()),
            Name::Manifest => return Err(lock().damaged("it changed since it was looked at")),
            _ => lock().skip().map_err(failed("read", path))?,
        }
    }
}

async fn fill_one<E: Engine>(
    engine: &E,
    aside: &Beside,
    outer: &Arc<Mutex<Outer>>,
    place: &'static str,
    cancel: &Cancel,
) -> Result<(), BackupError> {
    let archive = Shared { outer: Arc::clone(outer), place, cancel: cancel.clone() };
    match engine.write_archive(aside.name(), &beside::folder(place), Box::new(archive)).await {
        Err(_) if cancel.is_cancelled() => Err(ApplyError::Interrupted.into()),
        done => Ok(done.map_err(ApplyError::engine(format!("fill the volume: {place}")))?),
    }
}

/// Gives the top of a volume to the owner of what is in it: what an archive says of the folder that it is
/// unpacked into, engines leave out, and a new volume is root's.
async fn own_root<E: Engine>(
    engine: &E,
    aside: &Beside,
    place: &'static str,
    owner: Owner,
) -> Result<(), BackupError> {
    let (path, owner) = (format!("{}/", beside::folder(place)), (owner.uid, owner.gid));
    let root = GuestFile { path, bytes: Vec::new(), mode: 0o755, owner };
    let given = engine.upload(aside.name(), &[root]).await;
    Ok(given.map_err(ApplyError::engine(format!("give the volume to its owner: {place}")))?)
}

/// A volume's archive, read on another thread.
struct Shared {
    outer: Arc<Mutex<Outer>>,
    place: &'static str,
    cancel: Cancel,
}

impl Read for Shared {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.cancel.is_cancelled() {
            // Not the kind that is called interrupted: readers try that again.
            return Err(io::Error::other("interrupted"));
        }
        let mut outer = self.outer.lock().unwrap_or_else(PoisonError::into_inner);
        outer.read_piece(self.place, buffer)
    }
}
