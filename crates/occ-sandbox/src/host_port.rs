//! The port of an instance on this host: given once, then its own until the instance is removed.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::files::{self, FileError};
use crate::fleet::homes;
use crate::instance::Instance;
use crate::record::Home;

/// How many ports are tried.
const TRIES: u16 = 1000;

/// Returns the port of an instance beside the first: the one it was given before, or the next above
/// `first` that no other instance was given, running or not, and that `is_free`.
///
/// # Errors
/// When the state folder cannot be used.
pub fn assign_port(
    state_dir: &Path,
    instance: &Instance,
    first: u16,
    is_free: impl Fn(u16) -> bool,
) -> Result<Option<u16>, FileError> {
    files::private_dir(state_dir)?;
    // Two that start at the same time must not be told the same.
    let _lock = files::lock(&state_dir.join("ports.lock"))?;
    let port = suggest_port(state_dir, instance, first, is_free);
    if let Some(port) = port {
        let home = Home::new(state_dir, instance);
        home.create()?;
        files::replace(&home.port_path(), format!("{port}\n").as_bytes(), 0o600)?;
    }
    Ok(port)
}

/// Returns what [`assign_port`] would, and gives it to nobody.
pub fn suggest_port(
    state_dir: &Path,
    instance: &Instance,
    first: u16,
    is_free: impl Fn(u16) -> bool,
) -> Option<u16> {
    if let Some(port) = given(&Home::new(state_dir, instance)) {
        return Some(port);
    }
    let others = homes(state_dir).into_iter().filter(|(other, _)| other != instance);
    let taken: BTreeSet<u16> = others.flat_map(|(_, home)| ports(&home)).collect();
    // The first one's port is left to it, whether it is there already or not.
    (first.saturating_add(1)..=first.saturating_add(TRIES))
        .find(|port| !taken.contains(port) && is_free(*port))
}

fn given(home: &Home) -> Option<u16> {
    std::fs::read_to_string(home.port_path()).ok()?.trim().parse().ok()
}

/// Returns every port that a sandbox was given or has been asked to take.
fn ports(home: &Home) -> Vec<u16> {
    let record = home.record().0;
    let said = record.as_ref().and_then(|record| record.said.get("port")).and_then(Value::as_u64);
    let said = said.and_then(|port| u16::try_from(port).ok());
    said.into_iter().chain(given(home)).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    fn instance(name: &str) -> Instance {
        name.parse().expect("valid")
    }

    #[test]
    fn instances_that_ask_at_the_same_time_get_ports_of_their_own() {
        let dir = tempfile::tempdir().expect("tempdir");
        let all = Barrier::new(8);
        let ports: BTreeSet<u16> = std::thread::scope(|scope| {
            let asks = (0..8).map(|number| {
                let (dir, all) = (dir.path(), &all);
                scope.spawn(move || {
                    all.wait();
                    assign_port(dir, &instance(&format!("i{number}")), 3000, |_| true)
                })
            });
            let asks: Vec<_> = asks.collect();
            asks.into_iter()
                .filter_map(|ask| ask.join().expect("no panic").expect("port"))
                .collect()
        });
        assert_eq!(ports, (3001..=3008).collect());
    }

    #[test]
    fn a_port_once_given_stays_whatever_else_is_free() {
        let dir = tempfile::tempdir().expect("tempdir");
        let ask = |name: &str, taken: u16| {
            assign_port(dir.path(), &instance(name), 3000, |port| port != taken).expect("port")
        };
        assert_eq!(ask("blue", 3001), Some(3002));
        assert_eq!(ask("green", 0), Some(3001));
        assert_eq!(ask("blue", 3002), Some(3002), "a stopped one lost its port");
        assert_eq!(ask("red", 0), Some(3003));
    }

    #[test]
    fn a_suggestion_is_kept_by_nobody() {
        let dir = tempfile::tempdir().expect("tempdir");
        assert_eq!(suggest_port(dir.path(), &instance("blue"), 3000, |_| true), Some(3001));
        assert_eq!(suggest_port(dir.path(), &instance("red"), 3000, |_| true), Some(3001));
        assert_eq!(std::fs::read_dir(dir.path()).expect("list").count(), 0);
    }
}
