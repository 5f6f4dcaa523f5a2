//! What a sandbox tells of itself: its user, and who else works on its data.

use std::collections::BTreeSet;

use occ_engine::{ContainerState, Docker, Engine as _, Mount, Phase};
use occ_image::guest;
use occ_sandbox::Owner;
use serde_json::Value;

use crate::failure::Failure;

/// Returns the user that a sandbox was made for.
pub(super) fn owner(state: &ContainerState) -> Owner {
    let settings = state.labels.get(guest::LABEL_SPEC);
    let settings: Option<Value> = settings.and_then(|text| serde_json::from_str(text).ok());
    let user = settings.as_ref().and_then(|settings| settings["user"].as_str());
    let number = user.and_then(|user| user.split(':').next()?.parse().ok());
    number.map_or(Owner::GUEST, |uid| Owner { uid, gid: uid })
}

/// Returns the names of other running containers of ours that write the same volumes.
pub(super) async fn sharers(
    engine: &Docker,
    state: &ContainerState,
) -> Result<Vec<String>, Failure> {
    let own: BTreeSet<&str> = written(state).collect();
    let others = engine.containers(guest::LABEL_INSTANCE).await?;
    Ok(others
        .iter()
        .filter(|other| other.id != state.id && other.phase == Phase::Running)
        .filter(|other| written(other).any(|volume| own.contains(volume)))
        .map(|other| other.name.clone())
        .collect())
}

fn written(state: &ContainerState) -> impl Iterator<Item = &str> {
    state.mounts.iter().filter_map(|mount| match mount {
        Mount::Volume { name, read_only: false, .. } => Some(name.as_str()),
        _ => None,
    })
}
