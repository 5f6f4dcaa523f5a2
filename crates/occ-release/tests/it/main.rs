//! Releases against two registries, with every way to be cut off; what is told about them, and what runs them.

mod afterwards;
mod ci;
mod cut;
mod faults;
mod housekeeping;
mod hub;
mod plans;
mod reports;
mod scene;
mod story;
