//! Releases against two registries, with every way to be cut off.

mod afterwards;
mod cut;
mod faults;
mod housekeeping;
mod plans;
mod reports;
mod scene;
mod story;
