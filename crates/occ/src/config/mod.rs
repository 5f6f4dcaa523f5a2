//! The configuration: a file with comments, the environment above it, flags above that.

mod file;
mod key;
mod layers;
mod legacy;
mod list;
mod schema;

pub(crate) use file::{ConfigError, ConfigFile};
pub(crate) use key::{KEYS, Key, find, nearest, parse_address};
pub(crate) use layers::{Authorities, Config, EnvironmentError, Layers, Origin};
pub(crate) use legacy::{Fate, fate, lookup};
pub(crate) use list::{check_entry, overlay, subject};
pub use schema::schema;
