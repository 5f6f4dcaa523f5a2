//! Releases against two registries, with every way to be cut off.

mod cut;
mod faults;
mod plans;
mod scene;
mod story;
