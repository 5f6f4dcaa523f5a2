//! The steps that lead away from a container that is there, with the way back kept open.

use std::collections::BTreeSet;

use occ_engine::{ContainerSpec, ContainerState, ImageId};
use occ_image::guest;

use crate::backup::Filling;
use crate::change::{Cause, Journal, Kept, OwnerChange, Reached, VolumeCopy};
use crate::drift::Drift;
use crate::observe::Surroundings;
use crate::record::Record;
use crate::spec::{Owner, SandboxSpec};
use crate::step::Step;

/// How a container is replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Why.
    pub cause: Cause,
    /// Whether also a container that differs in nothing is replaced; it stays as the rollback point.
    pub anew: bool,
    /// Whether volumes are copied before another image gets to write to them.
    pub snapshot: bool,
    /// What the new sandbox finds in its volumes.
    pub contents: Contents,
    /// Whether a sandbox that was stopped is stopped again at the end.
    pub stops_again: bool,
}

impl Change {
    /// Returns the change that keeps all data and snapshots what another image may write to.
    pub fn of(cause: Cause) -> Self {
        Self { cause, anew: false, snapshot: true, contents: Contents::Kept, stops_again: false }
    }
}

/// What the new sandbox finds in its volumes; copies of what is replaced stay for the way back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contents {
    /// What the old one left.
    Kept,
    /// Nothing in these, and in the others what the old one left.
    Emptied(Vec<String>),
    /// What a backup holds in the volumes it has, and in the others what the old one left.
    Restored(Filling),
}

impl Contents {
    /// Returns the names of the volumes whose contents go.
    pub fn replaced(&self) -> Vec<String> {
        match self {
            Self::Kept => Vec::new(),
            Self::Emptied(volumes) => volumes.clone(),
            Self::Restored(filling) => filling.names().collect(),
        }
    }

    /// Returns whose files were put into volumes.
    pub(crate) fn owner(&self) -> Option<Owner> {
        match self {
            Self::Restored(filling) => Some(filling.owner),
            Self::Kept | Self::Emptied(_) => None,
        }
    }
}

/// A container that is there and gives way.
pub(crate) struct Old<'a> {
    pub(crate) container: &'a ContainerState,
    pub(crate) because: Vec<Drift>,
    pub(crate) change: &'a Change,
}

impl Old<'_> {
    /// Returns the steps up to where the old container is out of the way.
    ///
    /// Another image is tried first, on copies, while the old sandbox works on; then comes what can be done
    /// `ahead`.
    pub(crate) fn leave(
        &self,
        spec: &SandboxSpec,
        seen: &Surroundings,
        image: Option<&ImageId>,
        trial: impl Fn(&[VolumeCopy]) -> ContainerSpec,
        ahead: Vec<Step>,
    ) -> Vec<Step> {
        let up = self.container.phase.is_up();
        let other_image = image != Some(&self.container.image);
        let journal = self.journal(spec, seen, other_image);
        let mut steps = Vec::new();
        let copies = journal.copies.clone();
        let tried: Vec<VolumeCopy> = if other_image && up && self.change.snapshot {
            let there = self.there(seen, &spec.data_volumes());
            there.into_iter().map(|volume| copy_of(&volume, "trial")).collect()
        } else {
            Vec::new()
        };
        let journal =
            Journal { trial: tried.iter().map(|one| one.copy.clone()).collect(), ..journal };
        steps.push(Step::BeginChange { journal: Box::new(journal), because: self.because.clone() });
        if !tried.is_empty() {
            let container = Box::new(trial(&tried));
            let bytes = size(seen, &tried);
            steps.extend([
                Step::CopyForTrial { copies: tried, bytes },
                Step::StartTrial { container },
                Step::AwaitTrial { timeout: spec.start_timeout },
                Step::RemoveTrial,
            ]);
        }
        steps.extend(ahead);
        steps.extend(stop_and_copy(up, copies, seen));
        steps.push(Step::SetAside { aside: self.aside(seen) });
        match &self.change.contents {
            Contents::Emptied(volumes) if !volumes.is_empty() => {
                steps.push(Step::Empty { volumes: self.there(seen, volumes) });
            }
            Contents::Restored(filling) => steps.push(Step::Fill { filling: filling.clone() }),
            Contents::Kept | Contents::Emptied(_) => {}
        }
        steps
    }

    pub(crate) fn journal(
        &self,
        spec: &SandboxSpec,
        seen: &Surroundings,
        other_image: bool,
    ) -> Journal {
        let replaced = self.change.contents.replaced();
        let copied = if other_image && self.change.snapshot {
            [spec.data_volumes(), replaced].concat()
        } else {
            replaced
        };
        let copied: BTreeSet<String> = self.there(seen, &copied).into_iter().collect();
        let number = seen.next_change.to_string();
        let old_record = seen.record.clone().unwrap_or_else(|| from_sight(self.container));
        let owner = (spec.owner() != old_record.owner).then(|| OwnerChange {
            from: old_record.owner,
            volumes: spec.volumes().into_iter().map(|(name, at)| (name, at.to_owned())).collect(),
        });
        Journal {
            number: seen.next_change,
            cause: self.change.cause,
            // Both are known when it is written.
            began_at: String::new(),
            image: None,
            reached: Reached::Prepared,
            name: self.container.name.clone(),
            old: Kept { id: self.container.id.clone(), aside: self.aside(seen) },
            was_up: self.container.phase.is_up(),
            old_record,
            brought: None,
            trial: BTreeSet::new(),
            copies: copied.iter().map(|volume| copy_of(volume, &number)).collect(),
            owner,
            keeps_old: other_image || self.change.anew,
            stops_again: self.change.stops_again && !self.container.phase.is_up(),
        }
    }

    fn aside(&self, seen: &Surroundings) -> String {
        format!("{}.{}", self.container.name, seen.next_change)
    }

    /// Returns those of some volumes that are there and are the sandbox's.
    #[expect(clippy::unused_self, reason = "asked about the old sandbox")]
    fn there(&self, seen: &Surroundings, names: &[String]) -> Vec<String> {
        let there = |name: &&String| seen.volumes.iter().any(|volume| volume.name == **name);
        names.iter().filter(there).cloned().collect()
    }
}

/// Steps that copy what runs and stop it; it is away for no longer than what it changed meanwhile takes.
pub(crate) fn stop_and_copy(up: bool, copies: Vec<VolumeCopy>, seen: &Surroundings) -> Vec<Step> {
    let stop = up.then_some(Step::StopOld);
    if copies.is_empty() {
        return stop.into_iter().collect();
    }
    let ahead = Step::CopyAhead { bytes: size(seen, &copies), copies };
    [ahead].into_iter().chain(stop).chain([Step::Snapshot]).collect()
}

pub(crate) fn copy_of(volume: &str, suffix: &str) -> VolumeCopy {
    VolumeCopy { volume: volume.to_owned(), copy: format!("{volume}.{suffix}") }
}

fn size(seen: &Surroundings, copies: &[VolumeCopy]) -> Option<u64> {
    copies.iter().map(|copy| seen.sizes.get(&copy.volume)).sum()
}

/// Returns what can be known of a sandbox whose record was lost.
fn from_sight(container: &ContainerState) -> Record {
    let version = container.labels.get(guest::LABEL_OPENCODE);
    Record {
        image: container.image.clone(),
        container: container.id.clone(),
        opencode_version: version.cloned().unwrap_or_default(),
        said: std::collections::BTreeMap::new(),
        owner: Owner::GUEST,
        proved_at: container.started_at.clone().unwrap_or_default(),
        acquired: None,
        change: 0,
        previous: None,
    }
}
