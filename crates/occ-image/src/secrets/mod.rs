//! Secrets in the files of an image's layers: where they are, never what they are.
//!
//! [`search`] reads what an engine exports and looks into every file of every layer, so also into those that a
//! later layer removes: their bytes are still shipped. What a secret looks like is in one file for each way to
//! tell: private keys, files that programs keep logins in, and tokens by their shape.
//!
//! What is found was found; what is not found may be there. Nothing is unpacked or decompressed but the layers.

mod key;
mod login;
mod made_up;
mod names;
mod sample;
mod search;
mod sight;
mod token;

pub use names::is_secret_name;
pub use search::{Found, LayerSearch, SearchError, search};
