//! The life of a sandbox against an engine that computes.

mod apply;
mod backups;
mod change;
mod choice;
mod copying;
mod crash;
mod faults;
mod given;
mod healthcheck;
mod keeping;
mod plan;
mod sight;
mod stage;
mod story;
mod trusting;
