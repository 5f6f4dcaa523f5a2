//! What only root may do: other users, mounts, daemons.

use std::ffi::OsStr;
use std::process::Command;

/// Returns whether this process is root.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Returns a command that runs as root: directly, or through `sudo`, which must not ask.
pub fn as_root<S: AsRef<OsStr>>(program: &str, arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = if is_root() {
        Command::new(program)
    } else {
        let mut sudo = Command::new("sudo");
        sudo.args(["-n", "--", program]);
        sudo
    };
    command.args(arguments);
    command
}

/// Runs a command as root to its end; panics when it fails.
pub(crate) fn do_as_root<S: AsRef<OsStr>>(program: &str, arguments: impl IntoIterator<Item = S>) {
    let mut command = as_root(program, arguments);
    let output = command.output().unwrap_or_else(|error| panic!("{program}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{said}", output.status);
}
