//! The programs of the image that lie in the repository are what their source says.

use std::process::Command;

#[test]
fn the_same_compiler_makes_the_same_health_checks() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    let output = command.args(["health", "--check"]).output().expect("xtask runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert_eq!(said.lines().count(), 2, "{said}");
}
