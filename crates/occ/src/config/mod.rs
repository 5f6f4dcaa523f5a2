//! The configuration: a file with comments, the environment above it, flags above that.

mod file;
mod key;
mod layers;
mod schema;

pub(crate) use file::{ConfigError, ConfigFile};
pub(crate) use key::{KEYS, Key, find, nearest};
pub(crate) use layers::{Config, EnvironmentError, Layers, Origin};
pub use schema::schema;
