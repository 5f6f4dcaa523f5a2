//! The guest's user in the files of Debian's accounts (passwd(5), group(5), shadow(5)).

use crate::guest::{GID, HOME, UID, USER};

/// Makes the lines to add to a file, given the user's login shell.
type Lines = fn(&str) -> String;

/// Files of the base with the lines that are added to them.
pub(crate) const FILES: [(&str, Lines); 3] =
    [("etc/passwd", passwd), ("etc/group", group), ("etc/shadow", shadow)];

fn passwd(shell: &str) -> String {
    format!("{USER}:x:{UID}:{GID}:{USER}:{HOME}:{shell}\n")
}

fn group(_: &str) -> String {
    format!("{USER}:x:{GID}:\n")
}

/// `*` matches no password: the way in is the engine or the server, never a login. The day of the last
/// change is left open, which means that nothing ever expires.
fn shadow(_: &str) -> String {
    format!("{USER}:*::0:99999:7:::\n")
}
