//! Making the layer with opencode: its npm package, verified against the lock, and the one file in it.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use flate2::read::GzDecoder;
use occ_oci::{Verifying, VerifyingError};

use crate::cache::{Cache, Layer};
use crate::error::BuildError;
use crate::event::{Observer, Phase};
use crate::guest::OPENCODE;
use crate::lock::Pin;
use crate::plan::BuildPlan;
use crate::program::Program;
use crate::pulse::Pulse;
use crate::workshop::Workshop;
use occ_layer as layer;
use occ_layer::tree::{Content, Entry, Kind, LayerTree};

/// Makes and keeps the layer with opencode.
pub(crate) fn make(
    plan: &BuildPlan,
    workshop: &Workshop,
    cache: &Cache<'_>,
    (observer, cancel): (Observer<'_>, &AtomicBool),
) -> Result<Layer, BuildError> {
    let pin = &plan.opencode;
    let work = cache.work_folder()?;
    let tarball = fetch(pin, workshop, work.path(), cancel)?;
    let binary = work.path().join("binary");
    unpack(pin, &tarball, &binary, (observer, cancel))?;
    let file = Arc::new(File::open(&binary).map_err(BuildError::at(&binary))?);
    let content = Content::Slice { file, offset: 0, size: pin.binary_size };
    let mut tree = LayerTree::new();
    // The bytes are passed on untouched: stripped, the program would turn into a plain JavaScript runtime.
    tree.insert(OPENCODE, Entry::new(Kind::File(content), 0o755))?;
    cache.put(&plan.opencode_key(), |file| {
        let size = pin.binary_size;
        let out = Pulse::new(BufWriter::new(file), Phase::Opencode, size, (observer, cancel));
        layer::write(tree, out).map_err(BuildError::in_layer(&binary))
    })
}

/// Has npm bring the tarball; where from is for npm's own configuration to say.
fn fetch(
    pin: &Pin,
    workshop: &Workshop,
    work: &Path,
    cancel: &AtomicBool,
) -> Result<PathBuf, BuildError> {
    let folder = work.join("npm");
    fs::create_dir(&folder).map_err(BuildError::at(&folder))?;
    Program::new(&workshop.programs.npm, "npm", cancel)
        .with(|command| {
            command.args(["pack", &pin.spec(), "--json", "--ignore-scripts", "--pack-destination"]);
            command.arg(&folder).current_dir(work).env("npm_config_update_notifier", "false");
        })
        .writes_to(&folder)
        .run(|_, _| ())?;
    // npm's own words about the name changed between its versions; there is only one file.
    let at = || BuildError::at(&folder);
    for entry in fs::read_dir(&folder).map_err(at())? {
        let path = entry.map_err(at())?.path();
        if path.extension().is_some_and(|extension| extension == "tgz") {
            return Ok(path);
        }
    }
    Err(BuildError::Incomplete { whole: "what npm brought".to_owned(), part: pin.spec() })
}

/// Takes the binary out of the tarball while both are verified.
fn unpack(
    pin: &Pin,
    tarball: &Path,
    binary: &Path,
    pulse: (Observer<'_>, &AtomicBool),
) -> Result<(), BuildError> {
    let refused = |error: io::Error, at: &Path| match VerifyingError::of(&error) {
        Some(source) => BuildError::TarballMismatch { tarball: pin.spec(), source: source.clone() },
        None => BuildError::at(at)(error),
    };
    // The whole tarball before anything in it is interpreted: only promised bytes reach the parsers.
    let file = File::open(tarball).map_err(BuildError::at(tarball))?;
    let mut promised = Verifying::new(BufReader::new(file), pin.integrity.clone(), pin.size);
    io::copy(&mut promised, &mut io::sink()).map_err(|error| refused(error, tarball))?;

    let at = || BuildError::at(tarball);
    let file = File::open(tarball).map_err(at())?;
    let mut archive = tar::Archive::new(GzDecoder::new(BufReader::new(file)));
    for entry in archive.entries().map_err(at())? {
        let entry = entry.map_err(at())?;
        if entry.path_bytes().as_ref() == pin.member.as_bytes() {
            return copy_binary(pin, entry, binary, pulse);
        }
    }
    Err(BuildError::Incomplete { whole: pin.spec(), part: pin.member.clone() })
}

fn copy_binary(
    pin: &Pin,
    member: impl Read,
    binary: &Path,
    pulse: (Observer<'_>, &AtomicBool),
) -> Result<(), BuildError> {
    let file = File::create(binary).map_err(BuildError::at(binary))?;
    let mut out = Pulse::new(BufWriter::new(file), Phase::Opencode, pin.binary_size, pulse);
    let mut promised = Verifying::new(member, pin.binary.clone(), pin.binary_size);
    io::copy(&mut promised, &mut out).map_err(|error| match VerifyingError::of(&error) {
        Some(source) => BuildError::BinaryMismatch { tarball: pin.spec(), source: source.clone() },
        None => BuildError::at(binary)(error),
    })?;
    out.flush().map_err(BuildError::at(binary))
}
