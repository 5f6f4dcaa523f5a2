//! A sandbox in one file: its volumes, what we remember of it, and the proof that all of it is there.
//!
//! A backup is a tar archive compressed with zstd, so that it can be read without us:
//!
//! ```text
//! occ-backup.json            what this is: always first
//! record.json                what ran, and the settings named for this sandbox
//! settings.json              the settings of this user
//! volumes/data.tar/000000    an archive of each volume as the engine gives it, in pieces, because its
//! volumes/data.tar/000001    length is known only at its end
//! manifest.json              size and SHA-256 of each part, and of everything before: always last
//! ```

mod contents;
mod create;
mod error;
mod format;
mod read;
mod restore;
mod write;

pub use create::{BackupWish, Created, create_backup};
pub use error::BackupError;
pub use format::{Head, Manifest, Part};
pub use read::{Verified, read_head, verify_backup};
pub use restore::{Filled, Filling, fill_volumes, make_volumes, restored_record};
