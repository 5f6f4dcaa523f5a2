//! A systemd unit: systemd.unit(5), systemd.service(5), systemd.syntax(7).

use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::{HOPELESS, Retries, STOP, Scope, Service};

/// The first systemd whose delay between attempts can grow.
const GROWING_DELAY: u32 = 254;

/// Returns the unit's text for a systemd of this version.
pub(super) fn render(service: &Service, version: u32) -> String {
    let mut unit = Unit(format!("# {}; 'occ uninstall' removes it.\n", service.mark()));
    unit.section("Unit");
    unit.line("Description", &plain(&service.description()));
    if service.scope == Scope::System {
        unit.line("Wants", "network-online.target");
        unit.line("After", "network-online.target docker.service podman.socket");
    }
    limits(&mut unit, service.retries);
    unit.section("Service");
    unit.line("Type", "notify");
    unit.line("NotifyAccess", "main");
    if service.scope == Scope::System {
        unit.line("User", &service.person.uid.to_string());
    }
    let words = std::iter::once(program(&service.program));
    let words = words.chain(service.arguments().into_iter().map(argument));
    unit.line("ExecStart", &words.collect::<Vec<_>>().join(" "));
    for (name, value) in &service.environment {
        unit.line("Environment", &quoted(format!("{name}={value}").as_bytes()));
    }
    restarts(&mut unit, service.retries, version);
    // The first start may fetch or build an image.
    unit.line("TimeoutStartSec", "infinity");
    unit.line("TimeoutStopSec", &STOP.as_secs().to_string());
    unit.line("KillMode", "mixed");
    unit.line("SuccessExitStatus", "130");
    unit.section("Install");
    unit.line(
        "WantedBy",
        match service.scope {
            Scope::User => "default.target",
            Scope::System => "multi-user.target",
        },
    );
    unit.0
}

/// How many starts in a row are made: the first and its repetitions, in the time they need at most.
fn limits(unit: &mut Unit, retries: Option<Retries>) {
    match retries {
        Some(Retries { limit: Some(limit), delay, attempt }) => {
            let starts = u64::from(limit) + 1;
            let each = delay.max(LONGEST_DELAY) + attempt * 2;
            unit.line("StartLimitIntervalSec", &(starts * each.as_secs()).to_string());
            unit.line("StartLimitBurst", &starts.to_string());
        }
        Some(Retries { limit: None, .. }) => unit.line("StartLimitIntervalSec", "0"),
        None => {}
    }
}

/// The delay between attempts does not grow beyond this.
const LONGEST_DELAY: std::time::Duration = std::time::Duration::from_secs(60);

fn restarts(unit: &mut Unit, retries: Option<Retries>, version: u32) {
    let Some(Retries { delay, .. }) = retries else {
        unit.line("Restart", "no");
        return;
    };
    unit.line("Restart", "on-failure");
    unit.line("RestartSec", &delay.as_secs().to_string());
    if version >= GROWING_DELAY && delay < LONGEST_DELAY {
        unit.line("RestartSteps", "4");
        unit.line("RestartMaxDelaySec", &LONGEST_DELAY.as_secs().to_string());
    }
    let codes = HOPELESS.map(|code| code.to_string()).join(" ");
    unit.line("RestartPreventExitStatus", &codes);
}

struct Unit(String);

impl Unit {
    fn section(&mut self, name: &str) {
        self.0.push_str(&format!("\n[{name}]\n"));
    }

    fn line(&mut self, name: &str, value: &str) {
        self.0.push_str(&format!("{name}={value}\n"));
    }
}

/// Text of one line in which specifiers mean themselves.
fn plain(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    line.replace('%', "%%")
}

/// A program's path: variables are not looked for in it, unlike in arguments.
fn program(path: &Path) -> String {
    quoted(path.as_os_str().as_bytes())
}

/// An argument, in which variables mean themselves too.
fn argument(text: &str) -> String {
    let simple = |c: char| c.is_ascii_alphanumeric() || "-_./:=".contains(c);
    if text.chars().all(simple) {
        return text.to_owned();
    }
    quoted(text.replace('$', "$$").as_bytes())
}

/// Bytes in double quotes, in which neither escapes nor specifiers mean anything.
fn quoted(bytes: &[u8]) -> String {
    let mut text = String::from("\"");
    for byte in bytes {
        match byte {
            b'"' => text.push_str("\\\""),
            b'\\' => text.push_str("\\\\"),
            b'%' => text.push_str("%%"),
            // UTF-8 passes as it is; what would end the line does not.
            0x00..=0x1f | 0x7f.. => write!(text, "\\x{byte:02x}").expect("text can be written to"),
            plain => text.push(char::from(*plain)),
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::super::sample::nasty;
    use super::*;

    #[test]
    fn a_users_unit_is_as_it_was_agreed() {
        insta::assert_snapshot!("unit-of-a-user", render(&nasty(Scope::User), 252));
    }

    #[test]
    fn a_systems_unit_is_as_it_was_agreed() {
        insta::assert_snapshot!("unit-of-the-system", render(&nasty(Scope::System), 257));
    }

    #[test]
    fn pb_007_a_users_unit_asks_for_nothing_of_the_system() {
        let unit = render(&nasty(Scope::User), 252);
        for word in ["docker.service", "Requires=", "User=", "multi-user.target"] {
            assert!(!unit.contains(word), "{word} in {unit}");
        }
    }

    #[test]
    fn pc_012_three_attempts_five_seconds_apart_and_then_it_stays_down() {
        let unit = render(&nasty(Scope::User), 252);
        for line in ["StartLimitBurst=4", "RestartSec=5", "Restart=on-failure"] {
            assert!(unit.lines().any(|it| it == line), "{line} is not in {unit}");
        }
    }

    #[test]
    fn a_service_that_is_not_to_be_started_again_is_not() {
        let service = Service { retries: None, ..nasty(Scope::User) };
        let unit = render(&service, 257);
        assert!(unit.contains("\nRestart=no\n"), "{unit}");
        assert!(!unit.contains("RestartSec"), "{unit}");
    }

    #[test]
    fn keys_that_an_older_systemd_does_not_know_are_left_out() {
        assert!(!render(&nasty(Scope::User), 253).contains("RestartSteps"));
        assert!(render(&nasty(Scope::User), 254).contains("RestartSteps"));
    }
}
