//! Taking a sandbox away: what goes, with its size, and what it would cost.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use occ_engine::Engine;
use serde::Serialize;

use crate::error::ApplyError;
use crate::files::{FileError, Lock};
use crate::fleet::Sandbox;
use crate::record::Home;
use crate::work::Work;

/// How long a running sandbox may take to end by itself.
const GRACE: Duration = Duration::from_secs(10);

/// A volume with its size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sized {
    /// Name.
    pub name: String,
    /// Bytes, when the engine can tell.
    pub size: Option<u64>,
}

/// What is wished of a removal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wish {
    /// The volumes go too, and with them record and password.
    pub volumes: bool,
    /// Work that exists nowhere else may be lost.
    pub discard_work: bool,
}

/// What goes, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Removal {
    /// Containers.
    pub containers: Vec<String>,
    /// Volumes.
    pub volumes: Vec<Sized>,
    /// Files of ours on this machine.
    pub files: Vec<PathBuf>,
}

impl Removal {
    /// Returns whether there is nothing to remove.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What follows from a wish to remove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Farewell {
    /// This is what will go.
    Ready(Removal),
    /// Work would be lost, and nothing was touched.
    WouldLose {
        /// What would go.
        removal: Removal,
        /// What exists nowhere else.
        work: Work,
    },
}

/// Plans a removal: a container alone can be made again, volumes cannot. What is `kept` for the way back to
/// an earlier sandbox goes only with the volumes.
pub fn plan_removal(
    sandbox: &Sandbox,
    home: &Home,
    sizes: &BTreeMap<String, u64>,
    kept: &BTreeSet<String>,
    work: Work,
    wish: Wish,
) -> Farewell {
    let stays = |name: &String| !wish.volumes && kept.contains(name);
    let containers = sandbox.side_containers.iter().filter(|container| !stays(&container.name));
    let containers = containers.chain(&sandbox.container);
    let mut removal = Removal {
        containers: containers.map(|container| container.name.clone()).collect(),
        ..Removal::default()
    };
    if wish.volumes {
        let volumes = sandbox.side_volumes.iter().chain(&sandbox.volumes);
        removal.volumes = volumes.map(|volume| sized(&volume.name, sizes)).collect();
        removal.files = home.files().into_iter().filter(|file| file.exists()).collect();
    }
    if work.is_none() || wish.discard_work || removal.is_empty() {
        Farewell::Ready(removal)
    } else {
        Farewell::WouldLose { removal, work }
    }
}

pub(crate) fn sized(name: &str, sizes: &BTreeMap<String, u64>) -> Sized {
    Sized { name: name.to_owned(), size: sizes.get(name).copied() }
}

/// Ends the processes of everything that goes, so that what it leaves behind is all there is.
///
/// # Errors
/// When the engine fails; nothing was removed.
pub async fn halt_for_removal<E: Engine>(engine: &E, removal: &Removal) -> Result<(), ApplyError> {
    for name in &removal.containers {
        let stopped = engine.stop_container(name, GRACE).await;
        match stopped {
            Ok(()) | Err(occ_engine::Error::NotFound { .. }) => {}
            Err(source) => {
                return Err(ApplyError::Engine {
                    step: format!("stop the container: {name}"),
                    source,
                });
            }
        }
    }
    Ok(())
}

/// Removes, in an order in which a removal that was cut short can be begun again.
///
/// # Errors
/// The first thing that could not be removed; what follows it is there still.
pub async fn apply_removal<E: Engine>(
    engine: &E,
    removal: &Removal,
    _held: &Lock,
) -> Result<(), ApplyError> {
    for name in &removal.containers {
        let removed = engine.remove_container(name).await;
        removed.map_err(ApplyError::engine(format!("remove the container: {name}")))?;
    }
    for Sized { name, .. } in &removal.volumes {
        let removed = engine.remove_volume(name).await;
        removed.map_err(ApplyError::engine(format!("remove the volume: {name}")))?;
    }
    for file in &removal.files {
        match std::fs::remove_file(file) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(FileError::wrap("remove", file)(error).into()),
        }
    }
    Ok(())
}
