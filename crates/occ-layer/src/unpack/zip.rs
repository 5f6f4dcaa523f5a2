//! Members of a stranger's zip archive, each judged before it enters the tree (APPNOTE.TXT, 4.4).

use std::fs::File;
use std::io::{BufReader, Read};

use flate2::CrcReader;
use flate2::read::DeflateDecoder;

use crate::tree::{Content, Kind, LayerTree};

use super::central::{Directory, Listed};
use super::error::UnpackError;
use super::fault::Fault;
use super::intake::Intake;
use super::spool::{CHUNK, Spool};
use super::watch::Watch;

/// Kinds of files in the upper half of the attributes, as `st_mode` has them.
const KIND: u32 = 0o170_000;
const FOLDER: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const SYMLINK: u32 = 0o120_000;

const ENCRYPTED: u16 = 1;
const STORED: u16 = 0;
const DEFLATED: u16 = 8;

/// What a symbolic link can hold at most, in bytes.
const LONGEST_TARGET: u64 = 4096;

/// Unix and Darwin: the others have no permissions, and only the name tells a folder.
const UNIX_HOSTS: [u8; 2] = [3, 19];

/// Reads all members that the central directory lists.
pub(super) fn read(spool: Spool<'_>, watch: Watch<'_>) -> Result<LayerTree, UnpackError> {
    let mut intake = Intake::new(watch);
    let mut directory = Directory::find(intake.watch.open()?, &intake.watch)?;
    let archive = BufReader::with_capacity(CHUNK, intake.watch.open()?);
    let mut contents = Contents { archive, end: directory.start(), spool };
    while let Some(listed) = directory.next(&intake.watch)? {
        intake.watch.enter(&listed.name)?;
        let (kind, mode) = kind_and_mode(&listed).map_err(|fault| intake.watch.refused(fault))?;
        let Some(path) = intake.path(&listed.name, kind == FOLDER, mode)? else { continue };
        let kind = match kind {
            FOLDER => Kind::Folder,
            SYMLINK => symlink(&path, &listed, &mut contents, &mut intake)?,
            _ => Kind::File(contents.keep(&listed, &mut intake.watch)?),
        };
        intake.insert(&path, kind, mode)?;
    }
    Ok(intake.tree)
}

/// Tells files, folders and links apart where name and attributes agree.
fn kind_and_mode(listed: &Listed) -> Result<(u32, u32), Fault> {
    if listed.flags & ENCRYPTED != 0 {
        return Err(Fault::Encrypted);
    }
    if !matches!(listed.method, STORED | DEFLATED) {
        return Err(Fault::Compression(listed.method));
    }
    let named_folder = listed.name.ends_with(b"/");
    let attributes = match listed.attributes >> 16 {
        attributes if UNIX_HOSTS.contains(&listed.host) => attributes,
        _ if named_folder => FOLDER | 0o755,
        _ => FILE | 0o644,
    };
    let kind = match attributes & KIND {
        0 if named_folder => FOLDER,
        0 => FILE,
        kind => kind,
    };
    match kind {
        FOLDER if !named_folder => Err(Fault::Contradiction),
        FOLDER if listed.size > 0 => Err(Fault::Contents),
        SYMLINK if listed.size > LONGEST_TARGET => Err(Fault::TooLong),
        FOLDER | FILE | SYMLINK => Ok((kind, attributes & !KIND)),
        _ => Err(Fault::Special),
    }
}

/// A link's target is its contents.
fn symlink(
    path: &str,
    listed: &Listed,
    contents: &mut Contents<'_>,
    intake: &mut Intake<'_>,
) -> Result<Kind, UnpackError> {
    let content = contents.keep(listed, &mut intake.watch)?;
    let mut target = Vec::new();
    let read = content.reader().read_to_end(&mut target);
    read.map_err(|error| contents.spool.failed(error))?;
    intake.symlink(path, &target)
}

/// What the members hold, and where it goes.
struct Contents<'a> {
    archive: BufReader<File>,
    /// Where the directory begins.
    end: u64,
    spool: Spool<'a>,
}

impl Contents<'_> {
    fn keep(&mut self, listed: &Listed, watch: &mut Watch<'_>) -> Result<Content, UnpackError> {
        let packed = listed.open(&mut self.archive, self.end, watch)?;
        let plain: Box<dyn Read> = match listed.method {
            DEFLATED => Box::new(DeflateDecoder::new(packed)),
            _ => Box::new(packed),
        };
        let mut plain = CrcReader::new(plain);
        let content = self.spool.keep(&mut plain, watch)?;
        if (content.size(), plain.crc().sum()) == (listed.size, listed.crc) {
            return Ok(content);
        }
        Err(watch.damaged("the contents are not those that the directory promises"))
    }
}
