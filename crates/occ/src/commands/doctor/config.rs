//! The settings: valid, and in nobody else's hands.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::check::{Check, Fix, Verdict};
use crate::config::{Config, ConfigFile};
use crate::context::Context;
use crate::failure::Failure;

/// Permission bits that let others change a file.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// Checks the settings and returns them where they are valid.
pub(super) fn checks(context: &Context) -> (Option<Config>, Vec<Check>) {
    let path = context.env.config_file();
    let read = ConfigFile::read(&path).map_err(Failure::from).and_then(|_| context.layers());
    let layers = match read {
        Ok(layers) => layers,
        Err(failure) => return (None, vec![Check::failure("config", failure)]),
    };
    let mode = fs::metadata(&path).map_or(0, |meta| meta.permissions().mode() & 0o777);
    let check = if mode & WRITABLE_BY_OTHERS == 0 {
        Check::ok("config", path.display().to_string())
    } else {
        let seen = format!("others may change it ({mode:o}): {}", path.display());
        let hint = format!("chmod go-w {}", path.display());
        let mode = mode & !WRITABLE_BY_OTHERS;
        Check::bad("config", Verdict::Warn, seen, hint).mend(Fix::Permissions { path, mode })
    };
    (Some(layers.config()), vec![check])
}
