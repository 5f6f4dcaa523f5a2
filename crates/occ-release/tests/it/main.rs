//! Releases against two registries, with every way to be cut off.

mod afterwards;
mod cut;
mod faults;
mod plans;
mod scene;
mod story;
