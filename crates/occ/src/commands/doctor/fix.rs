//! Mending what is harmless to mend.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::check::{Check, Fix};

/// Does every mend the checks propose; returns those that succeeded, as they are told. One that fails is
/// found again by the checks that follow.
pub(super) fn apply(checks: &[Check]) -> Vec<String> {
    let fixes = checks.iter().flat_map(|check| &check.fixes);
    fixes.filter(|fix| one(fix).is_ok()).map(ToString::to_string).collect()
}

fn one(fix: &Fix) -> io::Result<()> {
    match fix {
        Fix::Permissions { path, mode } => {
            fs::set_permissions(path, fs::Permissions::from_mode(*mode))
        }
        Fix::Leftover { path } => fs::remove_file(path),
        Fix::SetAside { path } => fs::rename(path, aside(path)),
    }
}

/// Returns a name beside the file that nothing has yet.
fn aside(path: &Path) -> std::path::PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    (1..u32::MAX)
        .map(|number| path.with_file_name(format!("{name}.unreadable-{number}")))
        .find(|free| !free.exists())
        .expect("a folder has fewer files")
}

#[cfg(test)]
mod tests {
    use super::super::check::Verdict;
    use super::*;

    #[test]
    fn what_is_mended_loses_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        for (name, text) in [("password", "secret"), ("record", "{"), (".record.1.tmp", "half")] {
            fs::write(at(name), text).expect("a file");
        }
        let check = Check::bad("files", Verdict::Warn, "x", "y")
            .mend(Fix::Permissions { path: at("password"), mode: 0o600 })
            .mend(Fix::SetAside { path: at("record") })
            .mend(Fix::Leftover { path: at(".record.1.tmp") })
            .mend(Fix::Leftover { path: at("gone") });
        let done = apply(&[check]);
        assert_eq!(done.len(), 3, "{done:?}");
        let mode = fs::metadata(at("password")).expect("stat").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_to_string(at("record.unreadable-1")).expect("kept"), "{");
        assert!(!at(".record.1.tmp").exists() && !at("record").exists());
    }
}
