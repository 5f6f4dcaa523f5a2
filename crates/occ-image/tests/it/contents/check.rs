//! One thing to see inside a container, and how many of them are seen in one go.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

/// What is expected of a command.
#[derive(Debug, Clone)]
pub(super) enum Expected {
    /// It succeeds.
    Success,
    /// It fails.
    Failure,
    /// It prints exactly this, where all white space counts as one space.
    Text(String),
    /// It prints this among other things.
    Part(String),
    /// It prints this version, and not one that only begins or ends like it.
    Version(String),
}

/// A command, what is expected of it, and for which requirement.
#[derive(Debug, Clone)]
pub(super) struct Check {
    pub(super) id: String,
    command: String,
    expected: Expected,
}

fn check(id: &str, command: impl Into<String>, expected: Expected) -> Check {
    Check { id: id.to_owned(), command: command.into(), expected }
}

pub(super) fn succeeds(id: &str, command: impl Into<String>) -> Check {
    check(id, command, Expected::Success)
}

pub(super) fn fails(id: &str, command: impl Into<String>) -> Check {
    check(id, command, Expected::Failure)
}

pub(super) fn is(id: &str, command: impl Into<String>, text: &str) -> Check {
    check(id, command, Expected::Text(text.to_owned()))
}

pub(super) fn has(id: &str, command: impl Into<String>, part: &str) -> Check {
    check(id, command, Expected::Part(part.to_owned()))
}

pub(super) fn version(id: &str, command: impl Into<String>, version: &str) -> Check {
    check(id, command, Expected::Version(version.to_owned()))
}

impl Check {
    /// What is wrong with how the command ended, if anything.
    fn verdict(&self, code: &str, said: &str) -> Option<String> {
        let right = match &self.expected {
            Expected::Success => code == "0",
            Expected::Failure => code != "0" && code != "124",
            Expected::Text(text) => said == text,
            Expected::Part(part) => said.contains(part.as_str()),
            Expected::Version(version) => has_version(said, version),
        };
        let Self { id, command, expected } = self;
        (!right)
            .then(|| format!("{id}: {command}\n    expected {expected:?}\n    exit {code}: {said}"))
    }
}

fn has_version(text: &str, version: &str) -> bool {
    let joins = |c: char| c.is_ascii_digit() || c == '.';
    text.match_indices(version).any(|(at, _)| {
        !text[..at].ends_with(joins)
            && !text[at + version.len()..].starts_with(|c: char| c.is_ascii_digit())
    })
}

/// Quotes for a POSIX shell.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Runs all commands, one after the other, in one container without a network, and names all that fail.
/// `docker` are more arguments for `docker run`, the image's name the last of them.
pub(super) fn run(checks: &[Check], docker: &[&str]) {
    let mut script = String::from(
        "see() {\n\
         said=$(timeout 60 sh -c \"$1\" 2>&1 </dev/null); code=$?\n\
         printf '%s %s\\n' $code \"$(printf %s \"$said\" | tr -s '[:space:]' ' ' | sed 's/^ //; s/ $//')\"\n\
         }\n",
    );
    for check in checks {
        writeln!(script, "see {}", quoted(&check.command)).unwrap();
    }
    let mut child = Command::new("docker")
        .args(["run", "--rm", "--interactive", "--network", "none"])
        // Without a network the engine gives the container's own name no address, which sudo remarks on.
        .args(["--hostname", "localhost"])
        .args(docker)
        .arg("sh")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!(lines.len(), checks.len(), "{lines:#?}");
    let wrong: Vec<String> = checks
        .iter()
        .zip(lines)
        .filter_map(|(check, line)| {
            let (code, said) = line.split_once(' ').unwrap();
            check.verdict(code, said)
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), checks.len(), wrong.join("\n"));
}

#[test]
fn a_version_is_found_as_a_whole_only() {
    assert!(has_version("v1.2.3", "1.2.3") && has_version("tool 1.2.3-1 (x)", "1.2.3"));
    assert!(!has_version("11.2.3", "1.2.3") && !has_version("1.2.31", "1.2.3"));
    assert!(!has_version("0.1.2.3", "1.2.3") && !has_version("", "1.2.3"));
}

#[test]
fn a_verdict_names_the_requirement_and_what_was_said() {
    let wrong = is("IMG-008", "date +%Z", "UTC").verdict("0", "CET").unwrap();
    assert!(wrong.contains("IMG-008") && wrong.contains("CET"), "{wrong}");
    assert_eq!(is("IMG-008", "date +%Z", "UTC").verdict("0", "UTC"), None);
    // A command that hangs has not said no.
    assert!(fails("x", "command -v y").verdict("124", "").is_some());
    assert!(fails("x", "command -v y").verdict("127", "").is_none());
    assert!(succeeds("x", "true").verdict("1", "").is_some());
    assert!(has("x", "echo abc", "b").verdict("0", "abc").is_none());
}
