//! Volumes of a fake engine, and what is in them.

use std::collections::BTreeMap;

use super::world::World;
use crate::container::ContainerSpec;
use crate::engine::GuestFile;
use crate::error::Error;
use crate::facts::VolumeFacts;
use crate::mount::Mount;

/// What is in one volume: plain files by their path, without a slash at its start.
pub type Files = BTreeMap<String, Vec<u8>>;

/// What is in the engine's volumes, by their names.
pub type Volumes = BTreeMap<String, Files>;

impl World {
    /// Returns whether the volume was new.
    pub(super) fn create_volume(&mut self, name: &str, labels: &[(String, String)]) -> bool {
        if self.volumes.contains_key(name) {
            return false;
        }
        let labels = labels.iter().cloned().collect();
        let facts = VolumeFacts { name: name.to_owned(), labels };
        self.contents.insert(name.to_owned(), Files::new());
        self.volumes.insert(name.to_owned(), facts).is_none()
    }

    pub(super) fn destroy_volume(&mut self, name: &str) -> Result<(), Error> {
        let uses =
            |mount: &Mount| matches!(mount, Mount::Volume { name: used, .. } if used == name);
        if let Some(user) = self.containers.iter().find(|found| found.spec.mounts.iter().any(uses))
        {
            let message = format!("volume is in use - [{}]", user.state.id.0);
            return Err(Error::Conflict { message });
        }
        self.volumes.remove(name);
        self.contents.remove(name);
        Ok(())
    }

    /// Puts a file into a container, or into the volume mounted where it goes.
    pub(super) fn put(&mut self, container: &str, file: GuestFile) -> Result<(), Error> {
        let found = self.find_mut(container)?;
        found.put(file.clone());
        let place = in_volume(&found.spec, &file.path);
        if let Some((volume, path)) = place.filter(|_| !file.path.ends_with('/'))
            && let Some(files) = self.contents.get_mut(&volume)
        {
            files.insert(path, file.bytes);
        }
        Ok(())
    }

    /// Returns a file of a container, or of the volume mounted where it is.
    pub(super) fn get(&self, container: &str, path: &str) -> Result<Option<Vec<u8>>, Error> {
        let found = self.find(container)?;
        if let Some((volume, path)) = in_volume(&found.spec, path) {
            return Ok(self.contents.get(&volume).and_then(|files| files.get(&path)).cloned());
        }
        let file = found.files.iter().find(|file| file.path == path);
        Ok(file.map(|file| file.bytes.clone()))
    }
}

/// Returns the volume a path of a container lies in and where there; the innermost mount counts.
pub(super) fn in_volume(spec: &ContainerSpec, path: &str) -> Option<(String, String)> {
    let below = |mount: &Mount| {
        let rest = path.strip_prefix(mount.target())?;
        (rest.is_empty() || rest.starts_with('/')).then(|| rest.trim_start_matches('/').to_owned())
    };
    let mounts = spec.mounts.iter().filter_map(|mount| Some((mount, below(mount)?)));
    match mounts.max_by_key(|(mount, _)| mount.target().len())? {
        (Mount::Volume { name, .. }, rest) => Some((name.clone(), rest)),
        _ => None,
    }
}
