//! Registries: reachable from here, and their clock beside ours.
//!
//! Asked with curl, so that the machine's own proxies and certificates apply.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::Patient;
use super::check::{Check, Verdict};
use crate::time;

/// How long one registry may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How far our clock may be off, seconds: certificates and logins are dated.
const SKEW: i64 = 60;

/// Asks every configured registry, side by side.
pub(super) async fn checks(patient: &Patient<'_>) -> Vec<Check> {
    let Some(config) = patient.config.as_ref().filter(|config| config.prebuilt) else {
        let seen = "not asked: images are built on this machine";
        return vec![Check::ok("registries", seen), Check::ok("clock", "nothing to compare with")];
    };
    let Some(curl) = patient.context.env.program("curl") else {
        let hint = "sudo apt-get install curl";
        return vec![Check::bad("registries", Verdict::Warn, "not asked: there is no curl", hint)];
    };
    let asked = config.registries.iter().map(|host| ask(&curl, host));
    let answers = futures_util::future::join_all(asked).await;
    vec![registries(&config.registries, &answers), clock(&answers)]
}

/// What a registry said: the head of its answer, or why there was none.
type Answer = Result<String, String>;

async fn ask(curl: &Path, host: &str) -> Answer {
    let seconds = PATIENCE.as_secs().to_string();
    let mut command = Command::new(curl);
    command.args(["--silent", "--show-error", "--output", "/dev/null", "--dump-header", "-"]);
    command.args(["--max-time", &seconds, &address(host)]).stdin(Stdio::null()).kill_on_drop(true);
    match tokio::time::timeout(PATIENCE * 2, command.output()).await {
        Err(elapsed) => Err(elapsed.to_string()),
        Ok(Err(error)) => Err(error.to_string()),
        Ok(Ok(output)) if output.status.success() => {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        }
        Ok(Ok(output)) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    }
}

/// Returns where a registry answers: Docker Hub has another address than its name, and engines speak plain
/// HTTP with this very machine.
fn address(host: &str) -> String {
    let name = host.split(':').next().unwrap_or(host);
    match name {
        "docker.io" => "https://registry-1.docker.io/v2/".to_owned(),
        "localhost" | "127.0.0.1" => format!("http://{host}/v2/"),
        _ => format!("https://{host}/v2/"),
    }
}

fn registries(hosts: &[String], answers: &[Answer]) -> Check {
    let silent = hosts.iter().zip(answers).filter_map(|(host, answer)| {
        answer.as_ref().err().map(|why| format!("{host} cannot be reached: {why}"))
    });
    let silent: Vec<String> = silent.collect();
    if silent.is_empty() {
        return Check::ok("registries", format!("{} can be reached", hosts.join(", ")));
    }
    let hint = "an image that is here starts without; behind a proxy, set HTTPS_PROXY";
    Check::bad("registries", Verdict::Warn, silent.join("; "), hint)
}

fn clock(answers: &[Answer]) -> Check {
    let dates = answers.iter().flatten().filter_map(|head| date(head));
    let Some(ahead) = dates.filter_map(time::ahead_of).min_by_key(|ahead| ahead.abs()) else {
        return Check::ok("clock", "nothing to compare with");
    };
    if ahead.abs() <= SKEW {
        return Check::ok("clock", "as the registry's");
    }
    let way = if ahead > 0 { "ahead" } else { "behind" };
    let seen = format!("{} s {way} of the registry's", ahead.abs());
    Check::bad("clock", Verdict::Warn, seen, "set it: sudo timedatectl set-ntp true")
}

/// Returns the Date of an answer's head, RFC 9110 6.6.1.
fn date(head: &str) -> Option<&str> {
    head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("date").then_some(value.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registries_are_asked_where_they_answer() {
        assert_eq!(address("docker.io"), "https://registry-1.docker.io/v2/");
        assert_eq!(address("ghcr.io"), "https://ghcr.io/v2/");
        assert_eq!(address("localhost:5000"), "http://localhost:5000/v2/");
    }

    #[test]
    fn a_clock_that_is_far_off_is_told_with_its_direction() {
        let head = |date: &str| Ok(format!("HTTP/2 401\r\ndate: {date}\r\n\r\n"));
        let old = clock(&[head("Thu, 01 Jan 1970 00:00:00 GMT")]);
        assert!(old.verdict == Verdict::Warn && old.seen.contains("ahead"), "{old:?}");
        let future = clock(&[head("Fri, 31 Dec 2100 00:00:00 GMT")]);
        assert!(future.seen.contains("behind"), "{future:?}");
        let none = clock(&[Err("no route".into()), Ok("HTTP/1.1 200 OK\r\n".into())]);
        assert_eq!((none.verdict, none.seen.as_str()), (Verdict::Ok, "nothing to compare with"));
    }

    #[test]
    fn a_registry_that_cannot_be_reached_is_a_warning_with_its_reason() {
        let hosts = ["a.example".to_owned(), "b.example".to_owned()];
        let check = registries(&hosts, &[Ok(String::new()), Err("no route".into())]);
        assert_eq!(check.verdict, Verdict::Warn);
        assert_eq!(check.seen, "b.example cannot be reached: no route");
    }
}
