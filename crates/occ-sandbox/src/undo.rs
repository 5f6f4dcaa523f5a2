//! What has to be taken back when a plan is not finished.

use std::time::Duration;

use occ_engine::Engine;

use crate::event::{Event, Observer};

/// How long a container may take to end by itself when it is taken back.
const GRACE: Duration = Duration::from_secs(5);

/// Things done so far, to be taken back in reverse order.
#[derive(Debug, Default)]
pub(crate) struct Undo(Vec<Entry>);

#[derive(Debug, PartialEq, Eq)]
enum Entry {
    Volume(String),
    Container(String),
    Running(String),
}

impl Undo {
    /// A volume was created by this call: nobody has put anything into it.
    pub(crate) fn volume(&mut self, name: &str) {
        self.0.push(Entry::Volume(name.to_owned()));
    }

    /// A container was created by this call.
    pub(crate) fn container(&mut self, name: &str) {
        self.0.push(Entry::Container(name.to_owned()));
    }

    /// A container was started by this call.
    pub(crate) fn running(&mut self, name: &str) {
        self.0.push(Entry::Running(name.to_owned()));
    }

    /// Takes everything back. A step that cannot be taken back is left: the next start finds it and
    /// goes on from there.
    pub(crate) async fn run<E: Engine>(self, engine: &E, observer: Observer<'_>) {
        for entry in self.0.into_iter().rev() {
            let (what, undone) = match &entry {
                Entry::Volume(name) => {
                    (format!("remove the new volume: {name}"), engine.remove_volume(name).await)
                }
                Entry::Container(name) => (
                    format!("remove the new container: {name}"),
                    engine.remove_container(name).await,
                ),
                Entry::Running(name) => (
                    format!("stop the container: {name}"),
                    engine.stop_container(name, GRACE).await,
                ),
            };
            if undone.is_ok() {
                observer(Event::Undo { what });
            }
        }
    }
}
