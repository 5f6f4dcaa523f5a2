//! Our own files: usable, whole, private, and nothing left over.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use occ_sandbox::{TryLock, Unreadable};

use super::check::{Check, Fix, Verdict};
use crate::context::Context;

/// Checks the instance's folder.
pub(super) fn checks(context: &Context) -> Vec<Check> {
    let home = context.home();
    if let Err(error) = home.create() {
        return vec![Check::failure("state", error.into())];
    }
    let dir = home.record_path().parent().map(Path::to_owned).unwrap_or_default();
    let state = match home.try_lock() {
        Err(error) => Check::failure("state", error.into()),
        Ok(TryLock::Busy { by }) => {
            let by = by.map_or_else(String::new, |pid| format!(" (process {pid})"));
            Check::ok("state", format!("{}; another occ works on it{by}", dir.display()))
        }
        Ok(TryLock::Held(_)) => {
            whole(&dir, [home.record().1, home.image_state().1].into_iter().flatten().collect())
        }
    };
    vec![state, private(&dir, &home.password_path()), leftovers(&dir)]
}

fn whole(dir: &Path, unreadable: Vec<Unreadable>) -> Check {
    let Some(first) = unreadable.first() else {
        return Check::ok("state", dir.display().to_string());
    };
    let seen = format!("{} cannot be understood: {}", first.path.display(), first.why);
    let hint = "occ goes on without and writes it anew; to set it aside: occ doctor --fix";
    let check = Check::bad("state", Verdict::Warn, seen, hint);
    unreadable.into_iter().fold(check, |check, file| check.mend(Fix::SetAside { path: file.path }))
}

/// The password must be its owner's alone; the folder too.
fn private(dir: &Path, password: &Path) -> Check {
    let us = rustix::process::geteuid().as_raw();
    let mut open = Vec::new();
    for (path, mode) in [(dir, 0o700), (password, 0o600)] {
        let Ok(meta) = fs::metadata(path) else { continue };
        if meta.uid() != us {
            let seen = format!("it belongs to user {}: {}", meta.uid(), path.display());
            let hint = format!("sudo chown -R \"$USER\" {}", dir.display());
            return Check::bad("permissions", Verdict::Fail, seen, hint);
        }
        if meta.mode() & 0o077 != 0 {
            open.push((path.to_owned(), mode));
        }
    }
    let Some((path, mode)) = open.first() else {
        return Check::ok("permissions", "nobody else can read the password");
    };
    let seen = format!("others may look into it: {}", path.display());
    let hint = format!("chmod {mode:o} {}", path.display());
    let mut check = Check::bad("permissions", Verdict::Warn, seen, hint);
    if open.iter().any(|(path, _)| path == password) {
        check.hints.push("it may have been read; a new one: occ password --rotate".to_owned());
    }
    open.into_iter().fold(check, |check, (path, mode)| check.mend(Fix::Permissions { path, mode }))
}

/// What a process that was killed left half written. A lock needs no such care: it ends with its process.
fn leftovers(dir: &Path) -> Check {
    let files = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let stale: Vec<PathBuf> = files.filter(|path| writer(path).is_some_and(is_gone)).collect();
    let Some(first) = stale.first() else { return Check::ok("leftovers", "none") };
    let seen = format!("{} half-written files, such as {}", stale.len(), first.display());
    let check = Check::bad("leftovers", Verdict::Warn, seen, "occ doctor --fix");
    stale.into_iter().fold(check, |check, path| check.mend(Fix::Leftover { path }))
}

/// Returns the process that writes a temporary file of ours, `.NAME.PID.tmp`.
fn writer(path: &Path) -> Option<i32> {
    let name = path.file_name()?.to_str()?.strip_prefix('.')?.strip_suffix(".tmp")?;
    name.rsplit_once('.')?.1.parse().ok()
}

fn is_gone(pid: i32) -> bool {
    let Some(pid) = rustix::process::Pid::from_raw(pid) else { return false };
    rustix::process::test_kill_process(pid) == Err(rustix::io::Errno::SRCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_temporary_file_of_ours_names_its_writer() {
        let writer = |name: &str| writer(Path::new(name));
        assert_eq!(writer("/x/.record-v1.json.4321.tmp"), Some(4321));
        for name in ["/x/record-v1.json", "/x/.hidden", "/x/.a.b.tmp", "/x/record.1.tmp"] {
            assert_eq!(writer(name), None, "{name}");
        }
    }

    #[test]
    fn a_process_that_runs_is_not_gone() {
        let us = rustix::process::getpid().as_raw_pid();
        assert!(!is_gone(us));
        assert!(!is_gone(0));
    }
}
