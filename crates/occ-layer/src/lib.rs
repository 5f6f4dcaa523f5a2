//! Layers: trees of files, read from archives of other people, written as the same bytes every time.
//!
//! A [`LayerTree`](tree::LayerTree) says what is in a layer, [`write()`] makes the archive of it and
//! [`pack()`] the archive as it travels: the bytes follow from the tree alone. [`unpack()`] reads what others
//! have packed and trusts nothing in it; a [`Pick`] says which part goes where. [`read`] looks into finished
//! layers, [`contents`] tells what a stack of them amounts to.
//!
//! Nothing here knows what an image is for; this crate opens no socket, reads no environment and no clock.

pub mod compress;
pub mod contents;
mod pack;
mod pick;
pub mod read;
pub mod tree;
pub mod unpack;
mod write;

pub use compress::{Compressed, Compression, ParseCompressionError, compress, decompress};
pub use pack::{Packed, pack};
pub use pick::{Pick, PickError};
pub use unpack::unpack;
pub use write::{EPOCH, EPOCH_RFC3339, WriteError, Written, write};
