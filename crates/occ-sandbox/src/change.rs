//! A change of what runs: the journal that lets it end in one of two states, the new sandbox healthy
//! or the old one as it was.
//!
//! The journal is written before the first thing is touched and removed after the last. Whoever finds
//! one, the failed call itself or any later command, knows from it how to go back, or, when the record
//! names the change already, how to go on.

use std::collections::BTreeSet;

use occ_engine::{ContainerId, ImageId};
use serde::{Deserialize, Serialize};

use crate::record::Record;
use crate::spec::Owner;

/// Why what runs is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// `occ start` with other settings or another image.
    Start,
    /// `occ update`.
    Update,
    /// `occ rollback`.
    Rollback,
    /// `occ reset`.
    Reset,
    /// `occ backup restore`.
    Restore,
}

impl Cause {
    /// Returns the word that people see.
    pub fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Update => "update",
            Self::Rollback => "rollback",
            Self::Reset => "reset",
            Self::Restore => "restore",
        }
    }
}

/// How far a change has come, as far as going back depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reached {
    /// Volumes are as the old sandbox left them.
    Prepared,
    /// Copies are complete, and volumes may have been written to since.
    Touched,
    /// Volumes are as the old sandbox left them again; nothing may be copied any more.
    Returned,
}

/// A volume and its copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeCopy {
    /// The volume that the sandbox uses.
    pub volume: String,
    /// The volume with the copy.
    pub copy: String,
}

/// A container that was there before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Its id.
    pub id: ContainerId,
    /// Its name while another one is the sandbox.
    pub aside: String,
}

/// What is needed to go back to the sandbox before, by `occ rollback`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollbackPoint {
    /// The container, stopped.
    pub container: Kept,
    /// What was recorded of it.
    pub record: Box<Record>,
    /// Copies of volumes as they were when it stopped.
    pub copies: Vec<VolumeCopy>,
    /// When it was left, RFC 3339, UTC.
    pub left_at: String,
}

/// A change that has begun and is not over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    /// Number of the change; the record that it ends with has the same.
    pub number: u64,
    /// Why.
    pub cause: Cause,
    /// When it began, RFC 3339, UTC.
    pub began_at: String,
    /// How far it has come.
    pub reached: Reached,
    /// Name of the sandbox's container.
    pub name: String,
    /// The container before.
    pub old: Kept,
    /// Whether it ran.
    pub was_up: bool,
    /// What was recorded of it.
    pub old_record: Record,
    /// The container that becomes the sandbox, when it is one that was kept.
    pub brought: Option<Kept>,
    /// The image that becomes the sandbox's; it also runs the copying.
    pub image: Option<ImageId>,
    /// Volumes made for the trial.
    pub trial: BTreeSet<String>,
    /// Copies of the volumes that the new sandbox may write to.
    pub copies: Vec<VolumeCopy>,
    /// Owner of the volumes before and after, when it changes, with every volume and its place inside.
    pub owner: Option<OwnerChange>,
    /// Whether the old sandbox becomes the rollback point.
    pub keeps_old: bool,
    /// Whether the sandbox is stopped again at the end, because it was stopped before.
    pub stops_again: bool,
}

/// A change of the volumes' owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerChange {
    /// The owner before.
    pub from: Owner,
    /// Volumes with their places inside.
    pub volumes: Vec<(String, String)>,
}

impl Journal {
    /// Returns the rollback point that this change leaves, when it leaves one.
    pub fn rollback_point(&self) -> Option<RollbackPoint> {
        self.keeps_old.then(|| RollbackPoint {
            container: self.old.clone(),
            record: Box::new(Record { previous: None, ..self.old_record.clone() }),
            copies: self.copies.clone(),
            left_at: self.began_at.clone(),
        })
    }

    /// Returns whether a record is the one that this change ends with.
    pub fn is_decided_by(&self, record: Option<&Record>) -> bool {
        record.is_some_and(|record| record.change == self.number)
    }
}
