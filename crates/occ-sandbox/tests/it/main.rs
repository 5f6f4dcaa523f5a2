//! The life of a sandbox against an engine that computes.

mod apply;
mod choice;
mod faults;
mod plan;
mod stage;
