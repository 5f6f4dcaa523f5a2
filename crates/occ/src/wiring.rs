//! Puts the rooms together: which engine, which builder.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use occ_engine::Docker;
use occ_image::{BuildError, BuildPlan, Cpu, Lock, Programs, Recipe, Target};
use occ_oci::Platform;
use occ_sandbox::{BuiltImage, ImageBuilder};

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::host;

/// Version of this program.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

impl Context {
    /// Connects to the engine that the environment and Docker's own configuration name.
    pub(crate) fn engine(&self) -> Result<Docker, Failure> {
        Ok(Docker::connect(&self.env.engine())?)
    }

    /// Returns the builder of the image for this machine.
    pub(crate) fn workshop(&self) -> Result<Workshop, Failure> {
        let failed = |error: &dyn std::error::Error| Failure::of(Exit::Failed, error);
        let recipe = Recipe::embedded().map_err(|error| failed(&error))?;
        let lock = Lock::embedded().map_err(|error| failed(&error))?;
        let target = target()?;
        let plan =
            BuildPlan::new(&recipe, &lock, target, VERSION).map_err(|error| failed(&error))?;
        let places = occ_image::Workshop {
            cache_dir: self.env.cache_dir.clone(),
            temp_dir: self.env.temp_dir.clone(),
            programs: Programs::default(),
        };
        Ok(Workshop { name: plan.name(), plan, places })
    }
}

fn target() -> Result<Target, Failure> {
    let machine = rustix::system::uname();
    let machine = machine.machine().to_string_lossy();
    let platform = Platform::from_uname_machine(&machine).ok_or_else(|| {
        Failure::new(Exit::Failed, format!("there is no opencode for this processor: {machine}"))
    })?;
    Ok(Target { platform, cpu: Cpu::from_cpuinfo(platform, &host::cpuinfo()) })
}

/// Builds the image on this machine.
pub(crate) struct Workshop {
    name: String,
    plan: BuildPlan,
    places: occ_image::Workshop,
}

impl Workshop {
    /// Returns the version of opencode that goes into the image.
    pub(crate) fn opencode_version(&self) -> &str {
        self.plan.opencode_version()
    }

    fn cache_dir(&self) -> PathBuf {
        self.places.cache_dir.clone()
    }
}

impl ImageBuilder for Workshop {
    fn name(&self) -> &str {
        &self.name
    }

    fn build(
        &self,
        cancel: &AtomicBool,
        observer: &(dyn Fn(occ_image::Event) + Send + Sync),
    ) -> Result<BuiltImage, BuildError> {
        let image = occ_image::build(&self.plan, &self.places, observer, cancel)?;
        let gone = |source| BuildError::File { path: self.cache_dir(), source };
        let archive = image.archive().map_err(gone)?;
        Ok(BuiltImage { total: archive.len(), archive: Box::new(archive) })
    }
}
