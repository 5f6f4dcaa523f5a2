//! Layers: trees of files, read from archives of other people, written as the same bytes every time.
//!
//! A [`LayerTree`](tree::LayerTree) says what is in a layer, [`write()`] makes the archive of it: the bytes
//! follow from the tree alone.
//!
//! Nothing here knows what an image is for; this crate opens no socket, reads no environment and no clock.

pub mod tree;
mod write;

pub use write::{EPOCH, EPOCH_RFC3339, WriteError, Written, write};
