//! Trees and layers.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed, which is what is meant")]

mod compress;
mod contents;
mod layers;
mod pack;
mod pick;
mod read;
mod sample;
mod trusted;
mod unpack;
