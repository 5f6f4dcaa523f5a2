//! Whose stages there are: a mark for each, a file that the process which made the stage holds locked. The kernel lets
//! go of it with the process, so that a stage whose command was killed is told from one that is in use.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use occ_engine::Engine;
use serde::Serialize;

use crate::error::ApplyError;
use crate::files::{self, FileError, Lock, TryLock};
use crate::fleet::Sandbox;
use crate::removal::{Sized, sized};

/// What the names of everything that belongs to a stage have before its tag.
pub(crate) const MIDDLE: &str = ".stage-";
/// What the name of its second container ends with.
pub(crate) const ASIDE: &str = "-aside";
/// How a mark ends that is not held yet.
const NEW: &str = ".new";

/// The marks of this machine.
#[derive(Debug, Clone)]
pub struct Stages {
    folder: PathBuf,
}

/// The mark of a stage in use; dropped without [`StageMark::remove`] it says that somebody left it behind.
#[derive(Debug)]
pub struct StageMark {
    path: PathBuf,
    _lock: Lock,
}

/// Tags of the stages that have a mark.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marked {
    /// Those whose process is at work.
    pub in_use: BTreeSet<String>,
    /// Those whose process is gone.
    pub forsaken: BTreeSet<String>,
}

/// What is left of a stage whose process is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Forsaken {
    /// Its tag.
    pub tag: String,
    /// Containers, running or not.
    pub containers: Vec<String>,
    /// Volumes.
    pub volumes: Vec<Sized>,
}

impl Stages {
    /// Returns the marks below a state folder; touches nothing.
    pub fn new(state_dir: &Path) -> Self {
        Self { folder: state_dir.join("stages") }
    }

    /// Marks a stage as in use.
    ///
    /// # Errors
    /// When the folder is not writable.
    pub fn mark(&self, tag: &str) -> Result<StageMark, FileError> {
        files::private_dir(&self.folder)?;
        let path = self.folder.join(tag);
        // Held before it has its name: nobody sees it free in between.
        let new = self.folder.join(format!("{tag}{NEW}"));
        let lock = files::lock(&new)?;
        fs::rename(&new, &path).map_err(FileError::wrap("rename", &new))?;
        Ok(StageMark { path, _lock: lock })
    }

    /// Looks which marks there are, and which of them are held.
    ///
    /// # Errors
    /// When one cannot be tried.
    pub fn look(&self) -> Result<Marked, FileError> {
        let mut marked = Marked::default();
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let Ok(tag) = entry.file_name().into_string() else { continue };
            if tag.ends_with(NEW) {
                continue;
            }
            let tags = match files::try_lock(&entry.path())? {
                TryLock::Held(_) => &mut marked.forsaken,
                TryLock::Busy { .. } => &mut marked.in_use,
            };
            tags.insert(tag);
        }
        Ok(marked)
    }

    /// Removes a stage whose process is gone, its mark last.
    ///
    /// # Errors
    /// When the engine fails or the folder is not writable; what is left is found again.
    pub async fn remove<E: Engine>(&self, engine: &E, stage: &Forsaken) -> Result<(), ApplyError> {
        for name in &stage.containers {
            let removed = engine.remove_container(name).await;
            removed.map_err(ApplyError::engine(format!("remove the container: {name}")))?;
        }
        for Sized { name, .. } in &stage.volumes {
            let removed = engine.remove_volume(name).await;
            removed.map_err(ApplyError::engine(format!("remove the volume: {name}")))?;
        }
        Ok(files::remove(&self.folder.join(&stage.tag))?)
    }
}

impl Marked {
    /// Returns whether a container or volume of this name belongs to a stage that has a mark.
    pub(crate) fn has(&self, name: &str) -> bool {
        tag(name).is_some_and(|tag| self.in_use.contains(tag) || self.forsaken.contains(tag))
    }
}

impl StageMark {
    /// Removes it: of the stage there is nothing left.
    ///
    /// # Errors
    /// When the folder is not writable.
    pub fn remove(self) -> Result<(), FileError> {
        files::remove(&self.path)
    }
}

/// Returns the tag of the stage that a container or volume of this name belongs to.
pub(crate) fn tag(name: &str) -> Option<&str> {
    let (_, tag) = name.rsplit_once(MIDDLE)?;
    Some(tag.strip_suffix(ASIDE).unwrap_or(tag))
}

/// Returns what is left of stages whose process is gone. One that left nothing here may have left it in another engine.
pub fn forsaken(
    fleet: &[Sandbox],
    marked: &Marked,
    sizes: &BTreeMap<String, u64>,
) -> Vec<Forsaken> {
    let of = |wanted: &String| {
        let is = move |name: &str| tag(name) == Some(wanted.as_str());
        let containers = fleet.iter().flat_map(|sandbox| &sandbox.side_containers);
        let volumes = fleet.iter().flat_map(|sandbox| &sandbox.side_volumes);
        let containers = containers.map(|container| container.name.clone());
        let volumes = volumes.filter(|volume| is(&volume.name));
        Forsaken {
            tag: wanted.clone(),
            containers: containers.filter(|name| is(name)).collect(),
            volumes: volumes.map(|volume| sized(&volume.name, sizes)).collect(),
        }
    };
    let is_left = |one: &Forsaken| !one.containers.is_empty() || !one.volumes.is_empty();
    marked.forsaken.iter().map(of).filter(is_left).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_tells_a_stage_in_use_from_one_that_was_left_behind() {
        let dir = tempfile::tempdir().expect("tempdir");
        let stages = Stages::new(dir.path());
        assert_eq!(stages.look().expect("nothing"), Marked::default());
        let (kept, left) = (stages.mark("a1").expect("mark"), stages.mark("b2").expect("mark"));
        let tags = |tags: &[&str]| tags.iter().map(|tag| (*tag).to_owned()).collect();
        let both = Marked { in_use: tags(&["a1", "b2"]), forsaken: BTreeSet::new() };
        assert_eq!(stages.look().expect("look"), both);
        drop(left);
        let one = Marked { in_use: tags(&["a1"]), forsaken: tags(&["b2"]) };
        assert_eq!(stages.look().expect("look"), one);
        kept.remove().expect("removed");
        assert_eq!(stages.look().expect("look").in_use, BTreeSet::new());
    }

    #[test]
    fn everything_of_a_stage_has_its_tag_and_nothing_else_has_one() {
        for name in ["x.stage-a1", "x-data.stage-a1", "x.stage-a1-aside"] {
            assert_eq!(tag(name), Some("a1"), "{name}");
        }
        for name in ["x", "x-data.2", "x.trial", "x-stage-a1"] {
            assert_eq!(tag(name), None, "{name}");
        }
    }
}
