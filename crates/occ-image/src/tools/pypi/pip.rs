//! The machine's pip, with the user's own configuration: index, credentials, proxy.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use occ_layer::unpack::Format;
use occ_oci::{Digest, Sha256Writer};

use super::REGISTRY;
use super::wheel::{glibc_tags, license, requirement, tags_of, version_of};
use crate::cache::Cache;
use crate::error::BuildError;
use crate::lock::PackagePin;
use crate::program::Program;
use crate::recipe::Architecture;
use crate::tools::archive;
use crate::workshop::Workshop;

/// Python of the sandbox's Debian, for wheels that ask.
const PYTHON: &str = "3.13";

/// What every call has: wheels only, so that nothing of a package is run.
const ALWAYS: [&str; 8] = [
    "--no-deps",
    "--only-binary=:all:",
    "--implementation=cp",
    "--no-input",
    "--disable-pip-version-check",
    "--progress-bar=off",
    "--python-version",
    PYTHON,
];

/// pip, asked for wheels for one architecture.
pub(super) struct Pip<'a> {
    workshop: &'a Workshop,
    cache: &'a Cache<'a>,
    architecture: Architecture,
    work: &'a Path,
}

impl<'a> Pip<'a> {
    /// Prepares pip; `work` is a work folder, for one question.
    pub(super) fn new(
        workshop: &'a Workshop,
        cache: &'a Cache<'a>,
        architecture: Architecture,
        work: &'a Path,
    ) -> Self {
        Self { workshop, cache, architecture, work }
    }

    /// Finds a version of a project, for an empty version the newest, and fetches its wheel.
    ///
    /// pip compares the wheel with the digest that the index has of it.
    pub(super) fn find(&self, package: &str, version: &str) -> Result<PackagePin, BuildError> {
        let wanted = requirement(package, version)?;
        let wheel = self.download(&wanted, &glibc_tags(self.architecture))?;
        let (digest, size) = hash(&wheel).map_err(BuildError::at(&wheel))?;
        let file = wheel.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let no_wheel = || BuildError::Answer {
            name: wanted.clone(),
            registry: REGISTRY,
            reason: format!("{file} is no name of a wheel"),
        };
        let version = version_of(&file).ok_or_else(no_wheel)?.to_owned();
        let kept = self.cache.keep_file(&wheel, &wanted, &digest, Some(size))?;
        let contents = archive::open(&kept, Format::Zip, &wanted, self.cache, self.work)?;
        let license = license(&contents, &file).map_err(BuildError::at(&kept))?;
        let (name, architecture) = (package.to_owned(), Some(self.architecture));
        let (path, file) = (None, Some(file));
        Ok(PackagePin { name, version, architecture, path, file, size, digest, license })
    }

    /// Fetches exactly one wheel.
    pub(super) fn fetch(&self, pin: &PackagePin) -> Result<(), BuildError> {
        let name = pin.file.as_deref().unwrap_or_default();
        let wanted = requirement(&pin.name, &pin.version)?;
        let wheel = self
            .download(&wanted, &tags_of(name))
            .map_err(|error| error.or_full(self.work, pin.size))?;
        if wheel.file_name().is_none_or(|brought| brought != name) {
            return Err(self.not_available(name));
        }
        self.cache.keep_file(&wheel, &pin.spec(), &pin.digest, Some(pin.size))?;
        Ok(())
    }

    /// Fetches the wheel and returns where it is.
    fn download(&self, requirement: &str, tags: &[String]) -> Result<PathBuf, BuildError> {
        let folder = self.work.join("wheels");
        let arguments = ["download".into(), "--dest".into(), folder.clone().into_os_string()];
        self.run(&arguments, requirement, tags)?;
        let mut listing = fs::read_dir(&folder).map_err(BuildError::at(&folder))?;
        match listing.next() {
            Some(Ok(entry)) => Ok(entry.path()),
            Some(Err(error)) => Err(BuildError::at(&folder)(error)),
            None => Err(self.not_available(requirement)),
        }
    }

    fn run(
        &self,
        arguments: &[OsString],
        requirement: &str,
        tags: &[String],
    ) -> Result<(), BuildError> {
        let mut said = Said::default();
        let ended = self.call(&[], arguments, requirement, tags).run(|_, line| said.hear(line));
        let Err(BuildError::ProgramFailed { name, status, tail }) = ended else { return ended };
        if !self.has_pip()? {
            return Err(BuildError::MissingProgram {
                name: "pip".to_owned(),
                package: "python3-pip",
            });
        }
        if !said.nothing_found {
            return Err(BuildError::ProgramFailed { name, status, tail });
        }
        // Only when asked to say everything, it tells an index that has nothing from one that fails.
        let again = self.call(&["-vv"], arguments, requirement, tags);
        match again.run(|_, line| said.hear(line)) {
            Err(error @ (BuildError::Cancelled | BuildError::StorageFull { .. })) => Err(error),
            _ => Err(match said.not_asked {
                Some(why) => BuildError::ProgramFailed { name, status, tail: vec![why] },
                None => self.not_available(requirement),
            }),
        }
    }

    fn call(
        &self,
        options: &[&str],
        arguments: &[OsString],
        requirement: &str,
        tags: &[String],
    ) -> Program<'_> {
        self.python().with(|command| {
            command.args(["-m", "pip"]).args(options).args(arguments).args(ALWAYS);
            command.args(tags.iter().flat_map(|tag| ["--platform", tag]));
            command.arg("--cache-dir").arg(self.work.join("pip")).arg("--");
            command.arg(requirement);
        })
    }

    fn has_pip(&self) -> Result<bool, BuildError> {
        const LOOK: &str = "import importlib.util as i, sys; sys.exit(i.find_spec('pip') is None)";
        match self
            .python()
            .with(|command| {
                command.args(["-c", LOOK]);
            })
            .output()
        {
            Ok(_) => Ok(true),
            Err(BuildError::ProgramFailed { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn python(&self) -> Program<'_> {
        let (_, cancel) = self.cache.context();
        Program::new(&self.workshop.programs.python, "python3", cancel)
            .with(|command| {
                command.current_dir(self.work);
                command.envs(self.workshop.environment.iter().cloned());
                // Half a wheel is on no other disk than the whole one.
                command.env("TMPDIR", self.work);
            })
            .writes_to(self.work)
    }

    fn not_available(&self, what: &str) -> BuildError {
        let name = format!("{what} for {}", self.architecture);
        BuildError::NotAvailable { name, registry: REGISTRY }
    }
}

/// What pip said. It fails in one way for every reason, so here words decide.
#[derive(Default)]
struct Said {
    nothing_found: bool,
    /// Why an index could not be asked.
    not_asked: Option<String>,
}

impl Said {
    fn hear(&mut self, line: &str) {
        self.nothing_found |= line.contains("No matching distribution found");
        let is_without_project = line.contains(": 404 Client Error");
        if line.contains("Could not fetch URL") && !is_without_project {
            self.not_asked = Some(line.to_owned());
        }
    }
}

fn hash(path: &Path) -> io::Result<(Digest, u64)> {
    let mut writer = Sha256Writer::new(io::sink());
    io::copy(&mut File::open(path)?, &mut writer)?;
    let (_, digest, size) = writer.finish();
    Ok((digest, size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_that_fails_does_not_count_as_one_that_has_nothing() {
        let hear = |line: &str| {
            let mut said = Said::default();
            said.hear(line);
            (said.nothing_found, said.not_asked.is_some())
        };
        assert_eq!(hear("ERROR: No matching distribution found for x"), (true, false));
        assert_eq!(
            hear("Could not fetch URL http://i.test/x/: 404 Client Error: no - skipping"),
            (false, false)
        );
        assert_eq!(
            hear("Could not fetch URL http://i.test/x/: 403 Client Error: no - skipping"),
            (false, true)
        );
        assert_eq!(
            hear("Could not fetch URL http://i.test/x/: connection error: no - skipping"),
            (false, true)
        );
        assert_eq!(hear("ERROR: something else"), (false, false));
    }
}
