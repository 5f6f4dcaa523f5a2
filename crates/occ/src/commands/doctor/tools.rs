//! The programs that building an image takes.

use super::check::{Check, Verdict};
use crate::context::Context;

/// What building takes: programs and the Debian packages that have them.
const BUILDING: [(&str, &str); 6] = [
    ("apt-get", "apt"),
    ("curl", "curl"),
    ("dpkg-deb", "dpkg"),
    ("mmdebstrap", "mmdebstrap"),
    ("npm", "npm"),
    ("python3", "python3-pip"),
];

/// Checks that they are there.
pub(super) fn check(context: &Context) -> Check {
    let missing: Vec<_> =
        BUILDING.iter().filter(|(program, _)| context.env.program(program).is_none()).collect();
    if missing.is_empty() {
        return Check::ok("building", "the programs that build images are there");
    }
    let names = |pick: fn(&(&'static str, &'static str)) -> &'static str| {
        missing.iter().map(|pair| pick(pair)).collect::<Vec<_>>()
    };
    let packages = names(|(_, package)| package).join(" ");
    let hint = format!("to build images here: sudo apt-get install {packages}");
    let programs = names(|(program, _)| program).join(", ");
    Check::bad("building", Verdict::Warn, format!("missing: {programs}"), hint)
}
