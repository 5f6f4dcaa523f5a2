//! The life of a sandbox against an engine that computes.

mod apply;
mod change;
mod choice;
mod crash;
mod faults;
mod given;
mod plan;
mod sight;
mod stage;
mod story;
