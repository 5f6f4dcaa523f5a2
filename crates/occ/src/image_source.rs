//! Which recipe and which lock an image is made of.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use occ_image::{BuildPlan, DocumentError, Lock, PlanError, Recipe, Release, Target};

use crate::exit::Exit;
use crate::failure::Failure;

/// A recipe with its lock.
#[derive(Debug, Clone)]
pub(crate) struct ImageSource {
    /// The recipe.
    pub(crate) recipe: Recipe,
    /// Its lock; none where nobody made one yet.
    pub(crate) lock: Option<Lock>,
    /// Where `occ image lock` writes.
    pub(crate) lock_path: PathBuf,
    /// Whether the recipe is the built-in one, so that the file is this user's own lock of it.
    pub(crate) own: bool,
    /// The recipe's name for messages.
    name: String,
}

impl ImageSource {
    /// Reads a recipe and the lock beside it, or takes those that are built in. `own` is where the lock is
    /// that a user made for the built-in recipe, because the archive moved on; one that answers an older
    /// recipe is passed over.
    pub(crate) fn read(recipe: Option<&Path>, own: &Path) -> Result<Self, Failure> {
        let Some(path) = recipe else { return Self::built_in(own) };
        let lock_path = path.with_extension("lock");
        let lock = read_lock(&lock_path)?;
        let recipe = Recipe::load(path)?;
        Ok(Self { recipe, lock, lock_path, own: false, name: path.display().to_string() })
    }

    fn built_in(own: &Path) -> Result<Self, Failure> {
        let recipe = Recipe::embedded()?;
        let own_lock = read_lock(own)?.filter(|lock| lock.answers(&recipe).is_ok());
        let lock = match own_lock {
            Some(lock) => lock,
            None => Lock::embedded()?,
        };
        let name = "the built-in recipe".to_owned();
        let lock_path = own.to_owned();
        Ok(Self { recipe, lock: Some(lock), lock_path, own: true, name })
    }

    /// Returns the lock, which must be there.
    pub(crate) fn lock(&self) -> Result<&Lock, Failure> {
        self.lock.as_ref().ok_or_else(|| {
            let message = format!("{} has no lock yet: {}", self.name, self.lock_path.display());
            Failure::new(Exit::Config, message).hint("make it: occ image lock")
        })
    }

    /// Plans an image.
    pub(crate) fn plan(&self, target: &Target, release: &Release) -> Result<BuildPlan, Failure> {
        BuildPlan::new(&self.recipe, self.lock()?, target, release).map_err(Failure::from)
    }
}

fn read_lock(path: &Path) -> Result<Option<Lock>, Failure> {
    match fs::read_to_string(path) {
        Ok(text) => {
            Lock::parse(&path.display().to_string(), &text).map(Some).map_err(Failure::from)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            let mut failure = Failure::of(Exit::Config, &error);
            failure.message = format!("cannot read {}: {}", path.display(), failure.message);
            Err(failure)
        }
    }
}

impl From<DocumentError> for Failure {
    fn from(error: DocumentError) -> Self {
        Self::of(Exit::Config, &error)
    }
}

impl From<PlanError> for Failure {
    fn from(error: PlanError) -> Self {
        match &error {
            PlanError::UnknownName(_) => Self::of(Exit::Usage, &error),
            PlanError::Stale(_) => {
                Self::of(Exit::Config, &error).hint("bring it up to date: occ image lock")
            }
            PlanError::NoPin { .. } => {
                Self::of(Exit::Config, &error).hint("lock it: occ image lock")
            }
            PlanError::Conflict { .. } => Self::of(Exit::Config, &error),
        }
    }
}
