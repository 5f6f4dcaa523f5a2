//! Tools, against registries of our own and against the real ones.

mod crates;
mod npm_answers;
mod npm_files;
mod npm_refused;
mod npm_tree;
mod packed;
mod pypi;
mod real;
mod registry;
mod server;
mod shop;
mod url;
