//! The same packages by mmdebstrap alone, from files that are here already.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use occ_image::{Architecture, Lock, Recipe};

use super::time;
use crate::Outcome;
use crate::bench::builder::Builder;
use crate::bench::sandbox::output;
use crate::bench::text;

const HERE: Architecture =
    if cfg!(target_arch = "aarch64") { Architecture::Arm64 } else { Architecture::Amd64 };

/// An archive of the locked packages in a folder.
pub(super) struct PlainDebian {
    folder: PathBuf,
    names: Vec<String>,
    recipe: Recipe,
}

impl PlainDebian {
    /// Lays the packages of this machine's architecture out as a flat archive (`sources.list(5)`).
    pub(super) fn prepare(builder: &Builder, cache: &Path) -> Outcome<Self> {
        let folder = cache.join("archive");
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir(&folder)?;
        let mut names = Vec::new();
        for group in Lock::embedded()?.groups(HERE) {
            for pin in &group.packages {
                let digest = &pin.digest;
                let file = format!("files/{}-{}", digest.algorithm().name(), digest.hex());
                let kept = builder.workshop().join(file);
                fs::hard_link(kept, folder.join(format!("{}.deb", pin.name)))?;
                names.push(pin.name.clone());
            }
        }
        let mut index = Command::new("dpkg-scanpackages");
        let index = output(index.current_dir(&folder).arg("."))
            .map_err(|error| format!("{error}\nhint: apt-get install dpkg-dev"))?;
        fs::write(folder.join("Packages"), index)?;
        Ok(Self { folder, names, recipe: Recipe::embedded()? })
    }

    /// Returns how long mmdebstrap takes for them, into one archive.
    pub(super) fn time(&self) -> Outcome<Duration> {
        let archive = self.folder.join("base.tar");
        let base = &self.recipe.base;
        let mut command = Command::new("mmdebstrap");
        command.args(["--quiet", "--variant=apt", "--format=tar"]);
        command.arg(format!("--include={}", self.names.join(",")));
        command.args(base.exclude.iter().map(|path| format!("--dpkgopt=path-exclude={path}")));
        command.args(base.include.iter().map(|path| format!("--dpkgopt=path-include={path}")));
        let source = format!("deb [trusted=yes] copy:{} ./", text(&self.folder)?);
        command.arg(&base.suite).arg(&archive).arg(source);
        let took = time(&mut command)?;
        fs::remove_file(archive)?;
        Ok(took)
    }
}
