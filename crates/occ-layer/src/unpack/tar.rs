//! Members of a stranger's tar archive, each judged before it enters the tree.

use std::fs::File;
use std::io::Read;
use std::sync::Arc;

use tar::EntryType;

use crate::tree::{Content, Kind, LayerTree};

use super::error::UnpackError;
use super::fault::Fault;
use super::intake::Intake;
use super::members::{Member, Members};
use super::spool::Spool;
use super::watch::Watch;

/// Where contents are found again.
pub(super) enum Shelf<'a> {
    /// In the archive itself.
    InPlace(Arc<File>),
    /// In a file of their own.
    Spool(Spool<'a>),
}

/// Reads all members.
pub(super) fn read(
    archive: impl Read,
    mut shelf: Shelf<'_>,
    watch: Watch<'_>,
) -> Result<LayerTree, UnpackError> {
    let mut intake = Intake::new(watch);
    let mut members = Members::new(archive);
    while let Some(member) = members.next(&mut intake.watch)? {
        let mode = member.header.mode().map_err(|error| intake.watch.broken(error))?;
        let is_folder = member.header.entry_type() == EntryType::Directory;
        let Some(path) = intake.path(&member.name, is_folder, mode)? else { continue };
        let has_contents = is_file(&member).map_err(|fault| intake.watch.refused(fault))?;
        let kind = if has_contents {
            Kind::File(contents(&member, &mut members, &mut shelf, &mut intake)?)
        } else {
            without_contents(&path, &member, &mut intake)?
        };
        intake.insert(&path, kind, mode)?;
    }
    Ok(intake.tree)
}

fn is_file(member: &Member) -> Result<bool, Fault> {
    let kind = member.header.entry_type();
    if kind == EntryType::GNUSparse
        || member.records.iter().any(|(key, _)| key.starts_with("GNU.sparse."))
    {
        return Err(Fault::Sparse);
    }
    match kind {
        EntryType::Regular | EntryType::Continuous => Ok(true),
        // Readers do not agree whether contents follow here: each could see another archive.
        EntryType::Directory | EntryType::Symlink | EntryType::Link if member.size > 0 => {
            Err(Fault::Contents)
        }
        EntryType::Directory | EntryType::Symlink | EntryType::Link => Ok(false),
        EntryType::Char | EntryType::Block | EntryType::Fifo => Err(Fault::Special),
        other => Err(Fault::Kind(char::from(other.as_byte()))),
    }
}

fn contents<R: Read>(
    member: &Member,
    members: &mut Members<R>,
    shelf: &mut Shelf<'_>,
    intake: &mut Intake<'_>,
) -> Result<Content, UnpackError> {
    match shelf {
        Shelf::Spool(spool) => members.keep(spool, &mut intake.watch),
        Shelf::InPlace(file) => {
            let (file, offset) = (Arc::clone(file), members.position());
            Ok(Content::Slice { file, offset, size: member.size })
        }
    }
}

fn without_contents(
    path: &str,
    member: &Member,
    intake: &mut Intake<'_>,
) -> Result<Kind, UnpackError> {
    match member.header.entry_type() {
        EntryType::Symlink => intake.symlink(path, &member.target),
        EntryType::Link => intake.hardlink(&member.target),
        _ => Ok(Kind::Folder),
    }
}
