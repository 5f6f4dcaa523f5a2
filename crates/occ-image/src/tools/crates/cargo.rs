//! The machine's cargo, with the user's own configuration: registry, credentials, proxy.

use std::fs;
use std::path::{Path, PathBuf};

use occ_layer::unpack::Format;
use occ_oci::Digest;
use serde::Deserialize;

use super::{REGISTRY, kept_size};
use crate::cache::Cache;
use crate::error::BuildError;
use crate::lock::PackagePin;
use crate::program::Program;
use crate::tools::archive::{self, write_out};
use crate::workshop::Workshop;

/// cargo, working in a folder.
pub(super) struct Cargo<'a> {
    workshop: &'a Workshop,
    cache: &'a Cache<'a>,
    work: &'a Path,
    home: PathBuf,
}

/// SPEC: Cargo.lock, versions 1 to 4; version 1 has its checksums elsewhere.
#[derive(Deserialize)]
struct Lockfile {
    #[serde(default)]
    package: Vec<Locked>,
}

#[derive(Deserialize)]
struct Locked {
    name: String,
    version: String,
    source: Option<String>,
    checksum: Option<String>,
}

impl Lockfile {
    fn read(path: &Path, spec: &str) -> Result<Self, BuildError> {
        let text = fs::read_to_string(path).map_err(BuildError::at(path))?;
        toml::from_str(&text).map_err(|error| BuildError::Answer {
            name: spec.to_owned(),
            registry: REGISTRY,
            reason: error.message().to_owned(),
        })
    }
}

impl<'a> Cargo<'a> {
    /// Prepares cargo; `work` is a work folder.
    pub(super) fn new(
        workshop: &'a Workshop,
        cache: &'a Cache<'a>,
        work: &'a Path,
    ) -> Result<Self, BuildError> {
        let mut cargo = Self { workshop, cache, work, home: PathBuf::new() };
        // Only cargo itself knows where it keeps the files it fetches, and does not say; it follows these.
        let answer = cargo
            .program(Path::new("sh"))
            .with(|command| {
                command.args(["-c", "printf '%s\\n' \"${CARGO_HOME:-$HOME/.cargo}\""]);
            })
            .output()?;
        cargo.home = PathBuf::from(answer.trim_end());
        Ok(cargo)
    }

    /// Brings a crate, for an empty version the newest, and everything its own lock names into the cache.
    pub(super) fn bring(
        &self,
        package: &str,
        version: &str,
    ) -> Result<Vec<PackagePin>, BuildError> {
        let own = self.own(package, version)?;
        let spec = own.spec();
        let folder = self.work.join("own");
        let crate_file = self.cache.file_path(&own.digest);
        let tree = archive::open(&crate_file, Format::TarGz, &spec, self.cache, self.work)?;
        write_out(&archive::without_first_folder(&tree)?, &folder)?;
        let lock = folder.join("Cargo.lock");
        if !lock.exists() {
            let reason = "it has no Cargo.lock, so nothing says what it is to be compiled with";
            return Err(BuildError::Unsuitable { name: spec, reason: reason.to_owned() });
        }
        self.run("fetch", &["--locked"], &folder)?;
        let mut pins = vec![own];
        for locked in Lockfile::read(&lock, &spec)?.package {
            if locked.source.is_some() {
                pins.push(self.keep(&locked)?);
            }
        }
        Ok(pins)
    }

    /// Fetches a crate for itself, by way of a project that asks for it.
    fn own(&self, package: &str, version: &str) -> Result<PackagePin, BuildError> {
        let range = if version.is_empty() { "*".to_owned() } else { format!("={version}") };
        let is_name = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        let spec = format!("{package} {range}");
        if package.is_empty() || !package.chars().all(is_name) || range.contains(['"', '\n']) {
            let reason = "crates.io has no such names".to_owned();
            return Err(BuildError::Unsuitable { name: spec, reason });
        }
        stop_at(self.work)?;
        let folder = self.work.join("asks");
        let source = folder.join("src");
        fs::create_dir_all(&source).map_err(BuildError::at(&source))?;
        let manifest = format!(
            "[package]\nname = \"occ-asks\"\nedition = \"2021\"\n\
             [dependencies]\n{package} = \"{range}\"\n"
        );
        for (name, text) in [("Cargo.toml", manifest.as_str()), ("src/lib.rs", "")] {
            let path = folder.join(name);
            fs::write(&path, text).map_err(BuildError::at(&path))?;
        }
        self.run("generate-lockfile", &[], &folder).map_err(|error| match error {
            // cargo fails in one way for every reason.
            BuildError::ProgramFailed { tail, .. } if says_nothing_found(&tail) => {
                BuildError::NotAvailable { name: spec.clone(), registry: REGISTRY }
            }
            error => error,
        })?;
        self.run("fetch", &["--locked"], &folder)?;
        let lockfile = Lockfile::read(&folder.join("Cargo.lock"), &spec)?;
        let locked = lockfile.package.iter().find(|locked| locked.name == package);
        locked.map_or_else(
            || Err(BuildError::NotAvailable { name: spec, registry: REGISTRY }),
            |locked| self.keep(locked),
        )
    }

    /// Copies a crate from cargo's cache into ours.
    fn keep(&self, locked: &Locked) -> Result<PackagePin, BuildError> {
        let spec = format!("{}@{}", locked.name, locked.version);
        let checksum = locked.checksum.as_deref().unwrap_or_default();
        let digest: Digest = format!("sha256:{checksum}").parse().map_err(|_| {
            let reason = "its lock has no checksum for it".to_owned();
            BuildError::Unsuitable { name: spec.clone(), reason }
        })?;
        let size = match kept_size(self.cache, &digest)? {
            Some(size) => size,
            None => self.copy(locked, &spec, &digest)?,
        };
        let (name, version) = (locked.name.clone(), locked.version.clone());
        let (architecture, path, file, license) = (None, None, None, None);
        Ok(PackagePin { name, version, architecture, path, file, size, digest, license })
    }

    /// SPEC: The Cargo Book, "Cargo Home": `registry/cache` has a folder for each registry.
    fn copy(&self, locked: &Locked, spec: &str, digest: &Digest) -> Result<u64, BuildError> {
        let name = format!("{}-{}.crate", locked.name, locked.version);
        let cache = self.home.join("registry/cache");
        let registries = fs::read_dir(&cache).map_err(BuildError::at(&cache))?;
        let copy = self.work.join(&name);
        let mut found = registries.flatten().map(|registry| registry.path().join(&name));
        let Some(from) = found.find(|path| path.exists()) else {
            return Err(BuildError::NotAvailable { name: spec.to_owned(), registry: REGISTRY });
        };
        let size = fs::copy(&from, &copy).map_err(BuildError::at(&copy))?;
        self.cache.keep_file(&copy, spec, digest, Some(size))?;
        Ok(size)
    }

    /// Runs cargo on the project in a folder, and not in it: there it would follow what a stranger's crate
    /// says about how cargo is to work.
    fn run(&self, verb: &str, arguments: &[&str], folder: &Path) -> Result<(), BuildError> {
        self.program(&self.workshop.programs.cargo)
            .with(|command| {
                command.arg(verb).args(arguments);
                command.arg("--manifest-path").arg(folder.join("Cargo.toml"));
                command.env("CARGO_TERM_COLOR", "never");
            })
            .run(|_, _| {})
    }

    fn program(&self, name: &Path) -> Program<'_> {
        let (_, cancel) = self.cache.context();
        Program::new(name, "cargo", cancel)
            .with(|command| {
                command.current_dir(self.work).envs(self.workshop.environment.iter().cloned());
            })
            .writes_to(self.work)
            .writes_to(&self.home)
    }
}

/// Keeps cargo from looking for a workspace further up.
pub(super) fn stop_at(work: &Path) -> Result<(), BuildError> {
    let path = work.join("Cargo.toml");
    let text = "[workspace]\nexclude = [\"asks\", \"own\"]\n";
    fs::write(&path, text).map_err(BuildError::at(&path))
}

fn says_nothing_found(tail: &[String]) -> bool {
    let nothing = ["no matching package", "failed to select a version for the requirement"];
    tail.iter().any(|line| nothing.iter().any(|words| line.contains(words)))
}
