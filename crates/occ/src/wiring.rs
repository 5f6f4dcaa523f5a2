//! Puts the rooms together: which engine, which builder.

use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::AtomicBool;

use occ_engine::Docker;
use occ_image::{BuildError, BuildPlan, Release, Target, WorkFolder, work_folder};
use occ_oci::Platform;
use occ_sandbox::{BuiltImage, ImageBuilder, Reuse};

use crate::config::Config;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::image_source::ImageSource;

/// Version of this program.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The moving tag of the images for this program: each release of its series moves it, so that a newer opencode
/// arrives without a newer program.
pub(crate) const SERIES: &str =
    concat!(env!("CARGO_PKG_VERSION_MAJOR"), ".", env!("CARGO_PKG_VERSION_MINOR"));

impl Context {
    /// Connects to the engine of the host that was named, or to the one that the environment and
    /// Docker's own configuration name.
    pub(crate) fn engine(&self) -> Result<Docker, Failure> {
        Ok(Docker::connect(&self.engine_settings()?)?)
    }

    /// Returns the builder of the image that the settings name, for this machine.
    pub(crate) fn workshop(&self, config: &Config) -> Result<Workshop, Failure> {
        let source = self.image_source(config.image_recipe.as_deref())?;
        let target = Target {
            platform: host_platform()?,
            variant: config.image_variant.clone(),
            with: config.image_features.clone(),
        };
        let plan = source.plan(&target, &Release::default())?;
        let workshop = Workshop { name: plan.name(), plan, source, places: self.places() };
        Ok(workshop)
    }

    /// Returns where and with what images are built.
    pub(crate) fn places(&self) -> occ_image::Workshop {
        occ_image::Workshop::new(self.env.cache_dir.clone(), self.env.temp_dir.clone())
    }

    /// Returns the recipe in a file, or the built-in one, with its lock.
    pub(crate) fn image_source(&self, recipe: Option<&Path>) -> Result<ImageSource, Failure> {
        ImageSource::read(recipe, &self.env.own_lock())
    }
}

/// Returns the platform of this machine.
pub(crate) fn host_platform() -> Result<Platform, Failure> {
    let machine = rustix::system::uname();
    let machine = machine.machine().to_string_lossy();
    Platform::from_uname_machine(&machine).ok_or_else(|| {
        Failure::new(Exit::Failed, format!("there is no opencode for this processor: {machine}"))
    })
}

/// Builds the image on this machine.
pub(crate) struct Workshop {
    name: String,
    plan: BuildPlan,
    /// The recipe and lock that the plan follows from.
    pub(crate) source: ImageSource,
    places: occ_image::Workshop,
}

impl Workshop {
    /// Returns the version of opencode that goes into the image.
    pub(crate) fn opencode_version(&self) -> &str {
        self.plan.opencode_version()
    }
}

impl ImageBuilder for Workshop {
    fn name(&self) -> &str {
        &self.name
    }

    fn build(
        &self,
        reuse: Reuse,
        cancel: &AtomicBool,
        observer: &(dyn Fn(occ_image::Event) + Send + Sync),
    ) -> Result<BuiltImage, BuildError> {
        let plans = std::slice::from_ref(&self.plan);
        let gone = |source| BuildError::File { path: self.places.cache_dir.clone(), source };
        let fresh = match reuse {
            Reuse::Kept => None,
            Reuse::Nothing => Some(work_folder(&self.places.cache_dir)?),
        };
        let mut places = self.places.clone();
        if let Some(fresh) = &fresh {
            fresh.path().clone_into(&mut places.cache_dir);
        }
        let image = occ_image::build(plans, None, &places, observer, cancel)?.swap_remove(0);
        let archive = image.archive().map_err(gone)?;
        let total = archive.len();
        Ok(BuiltImage { total, archive: Box::new(Standing { archive, _folder: fresh }) })
    }
}

/// An archive with the folder that its bytes are read from.
struct Standing<R> {
    archive: R,
    _folder: Option<WorkFolder>,
}

impl<R: Read> Read for Standing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.archive.read(buffer)
    }
}
