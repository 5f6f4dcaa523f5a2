//! All sandboxes of one user: what belongs to which, by labels, names and our own files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use occ_engine::{ContainerState, VolumeFacts};
use occ_image::guest;
use serde_json::Value;

use crate::instance::Instance;
use crate::record::{Home, Record};
use crate::refusal::{Claim, stranger};

/// One sandbox with everything that is its own.
#[derive(Debug, Clone, PartialEq)]
pub struct Sandbox {
    /// Which one.
    pub instance: Instance,
    /// Its container.
    pub container: Option<ContainerState>,
    /// Its volumes.
    pub volumes: Vec<VolumeFacts>,
    /// What the record says.
    pub record: Option<Record>,
    /// Whether we keep files of it: a record, a password or a port.
    pub has_files: bool,
    /// Containers that were made for it and are not it, such as probes.
    pub side_containers: Vec<ContainerState>,
    /// Volumes that were made for it and are not in it, such as copies.
    pub side_volumes: Vec<VolumeFacts>,
}

impl Sandbox {
    /// Returns what there is where nothing was seen.
    pub fn none(instance: Instance) -> Self {
        Self {
            instance,
            container: None,
            volumes: Vec::new(),
            record: None,
            has_files: false,
            side_containers: Vec::new(),
            side_volumes: Vec::new(),
        }
    }

    /// Returns whether there is a sandbox: what is left beside it alone makes none.
    pub fn exists(&self) -> bool {
        self.container.is_some() || !self.volumes.is_empty() || self.record.is_some()
    }

    /// Returns whether somebody has a use for it: volumes alone are those of a sandbox that is gone.
    pub fn is_known(&self) -> bool {
        self.container.is_some() || self.has_files
    }
}

/// What we keep of an instance on this machine.
#[derive(Debug, Clone)]
pub struct Remembered {
    /// The instance.
    pub instance: Instance,
    /// What its record says, when there is one that can be read.
    pub record: Option<Record>,
}

/// Returns the instances that have files in the state folder.
///
/// Something there that we did not make is passed over.
pub fn homes(state_dir: &Path) -> Vec<(Instance, Home)> {
    let others = std::fs::read_dir(state_dir.join("instances")).into_iter().flatten().flatten();
    let others = others.filter_map(|entry| entry.file_name().to_str()?.parse::<Instance>().ok());
    std::iter::once(Instance::first())
        .chain(others)
        .map(|instance| (instance.clone(), Home::new(state_dir, &instance)))
        .filter(|(_, home)| home.is_used())
        .collect()
}

/// Returns what the state folder says of every instance.
pub fn remembered(state_dir: &Path) -> Vec<Remembered> {
    let read =
        |(instance, home): (Instance, Home)| Remembered { instance, record: home.record().0 };
    homes(state_dir).into_iter().map(read).collect()
}

/// Returns everything that the instance's own files name: containers, volumes and images that a way back to an
/// earlier sandbox, or a change that is not over, still needs.
pub fn named_by(home: &Home) -> BTreeSet<String> {
    let files = home.record_path().parent().and_then(|dir| std::fs::read_dir(dir).ok());
    let files = files.into_iter().flatten().flatten().map(|entry| entry.path());
    let mut names = BTreeSet::new();
    for file in files.filter(|file| file.extension().is_some_and(|ending| ending == "json")) {
        let bytes = std::fs::read(file).unwrap_or_default();
        texts(&serde_json::from_slice(&bytes).unwrap_or_default(), &mut names);
    }
    names
}

fn texts(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            names.insert(text.clone());
        }
        Value::Array(list) => list.iter().for_each(|value| texts(value, names)),
        Value::Object(map) => map.values().for_each(|value| texts(value, names)),
        _ => {}
    }
}

/// Puts together what is each sandbox's own; what belongs to other users or has names that nothing of
/// ours gives is left out.
pub fn gather(
    containers: Vec<ContainerState>,
    volumes: Vec<VolumeFacts>,
    remembered: Vec<Remembered>,
    user: u32,
) -> Vec<Sandbox> {
    let mut fleet = BTreeMap::new();
    for container in containers {
        let Some(instance) = owner(&container.name, &container.labels, user) else { continue };
        let sandbox = entry(&mut fleet, &instance);
        if container.name == instance.container() {
            sandbox.container = Some(container);
        } else if beside(&instance, &container.name) || container.name == instance.probe() {
            sandbox.side_containers.push(container);
        }
    }
    for volume in volumes {
        let Some(instance) = owner(&volume.name, &volume.labels, user) else { continue };
        let sandbox = entry(&mut fleet, &instance);
        let place = volume.name.strip_prefix(&format!("{}-", instance.container()));
        match place.map(|place| place.contains('.')) {
            Some(false) => sandbox.volumes.push(volume),
            Some(true) => sandbox.side_volumes.push(volume),
            None => {}
        }
    }
    for Remembered { instance, record } in remembered {
        let sandbox = entry(&mut fleet, &instance);
        (sandbox.record, sandbox.has_files) = (record, true);
    }
    fleet.into_values().collect()
}

/// The first instance stands first, the others follow by name.
type Place = (bool, String);

fn entry<'a>(fleet: &'a mut BTreeMap<Place, Sandbox>, instance: &Instance) -> &'a mut Sandbox {
    let place = (!instance.is_first(), instance.name().to_owned());
    fleet.entry(place).or_insert_with(|| Sandbox::none(instance.clone()))
}

fn owner(name: &str, labels: &BTreeMap<String, String>, user: u32) -> Option<Instance> {
    let instance: Instance = labels.get(guest::LABEL_INSTANCE)?.parse().ok()?;
    let claim = Claim { instance: &instance, user };
    stranger(claim, name, labels).is_none().then_some(instance)
}

/// Returns whether a name is one that only lasts while something is being done.
fn beside(instance: &Instance, name: &str) -> bool {
    name.strip_prefix(&instance.container()).is_some_and(|rest| rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_the_files_of_an_instance_name_is_needed() {
        let dir = tempfile::tempdir().expect("tempdir");
        let home = Home::new(dir.path(), &Instance::first());
        let record =
            r#"{ "image": "sha256:1", "previous": { "copies": [{ "copy": "x-data.2" }] } }"#;
        std::fs::write(home.record_path(), record).expect("write");
        std::fs::write(dir.path().join("change.json"), r#"{ "name": "x.trial" }"#).expect("write");
        std::fs::write(dir.path().join("broken.json"), "{").expect("write");
        let names: Vec<String> = named_by(&home).into_iter().collect();
        assert_eq!(names, ["sha256:1", "x-data.2", "x.trial"]);
    }
}
