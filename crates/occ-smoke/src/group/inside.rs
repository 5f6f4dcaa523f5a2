//! The container, looked at from inside.

use occ_image::guest;

use crate::check::Check;
use crate::fault::{Fault, same};
use crate::inside::Inside;
use crate::record::Record;
use crate::subject::Subject;

/// Programs that pass signals on and reap: what images, Docker and Podman use.
const INITS: [&str; 4] = ["tini", "docker-init", "catatonit", "dumb-init"];
/// What opencode, its agent and its user cannot do without.
const TOOLS: &str =
    "for tool in git rg tini; do command -v \"$tool\" >/dev/null || echo \"$tool\"; done";

/// Looks at the program, the user, the tools and the processes.
pub(crate) async fn inside(subject: &Subject<'_>, record: &Record<'_>) {
    match &subject.expected.version {
        Some(version) => {
            record.check(Check::Version, says_version(subject, version)).await;
        }
        None => record.skip_one(Check::Version, "no version is pinned"),
    }
    match &subject.expected.program {
        Some(program) => {
            record.check(Check::Binary, is_as_built(subject, program)).await;
        }
        None => record.skip_one(Check::Binary, "no label says its digest"),
    }
    record.check(Check::User, is_user(subject)).await;
    record.check(Check::Tools, has_tools(subject)).await;
    record.check(Check::Init, has_init(subject)).await;
    record.check(Check::OneServer, serves_alone(subject)).await;
}

/// Runs a program that must succeed, and returns what it says.
pub(crate) async fn said(subject: &Subject<'_>, command: &[&str]) -> Result<String, Fault> {
    said_by(subject.inside, command).await
}

pub(crate) async fn said_by(inside: &dyn Inside, command: &[&str]) -> Result<String, Fault> {
    let ran = inside.run(command).await?;
    if ran.code == 0 {
        return Ok(ran.out.trim_end().to_owned());
    }
    let complaint: Vec<&str> = ran.err.split_whitespace().collect();
    Err(Fault::Wrong(format!("{} ends with {}: {}", command[0], ran.code, complaint.join(" "))))
}

/// A program that was stripped says the version of what it was made with, and succeeds.
async fn says_version(subject: &Subject<'_>, version: &str) -> Result<(), Fault> {
    let found = said_by(subject.aside, &[guest::OPENCODE, "--version"]).await?;
    same("the program's version", &found.as_str(), &version)
}

async fn is_as_built(subject: &Subject<'_>, digest: &str) -> Result<(), Fault> {
    let line = said_by(subject.aside, &["sha256sum", guest::OPENCODE]).await?;
    let found = format!("sha256:{}", line.split_whitespace().next().unwrap_or_default());
    same(&format!("the digest of {}", guest::OPENCODE), &found.as_str(), &digest)
}

async fn is_user(subject: &Subject<'_>) -> Result<(), Fault> {
    let uid = said(subject, &["id", "-u"]).await?;
    same("the user's number", &uid, &subject.expected.uid.to_string())?;
    if uid == "0" { Err(Fault::wrong("commands run as root")) } else { Ok(()) }
}

async fn has_tools(subject: &Subject<'_>) -> Result<(), Fault> {
    let missing = said(subject, &["sh", "-c", TOOLS]).await?;
    let missing: Vec<&str> = missing.split_whitespace().collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Fault::Wrong(format!("not there: {}", missing.join(", "))))
}

async fn has_init(subject: &Subject<'_>) -> Result<(), Fault> {
    let name = said(subject, &["cat", "/proc/1/comm"]).await?;
    if INITS.contains(&name.as_str()) {
        return Ok(());
    }
    Err(Fault::Wrong(format!("process 1 is {name:?}, which is none of {}", INITS.join(", "))))
}

/// opencode takes no lock on its data: two servers write one database, and each tells of its own work only.
async fn serves_alone(subject: &Subject<'_>) -> Result<(), Fault> {
    if let [other, ..] = subject.sharers.as_slice() {
        return Err(Fault::Wrong(format!("{other} runs on the same data")));
    }
    same("the number of servers", &servers(subject.inside).await?.lines().count(), &1)
}

/// Returns the folder below `/proc` of every server, one on each line.
pub(crate) async fn servers(inside: &dyn Inside) -> Result<String, Fault> {
    said_by(inside, &["sh", "-c", &find_servers()]).await
}

/// Returns the commands of a shell that print these folders: the program has other uses than to serve.
pub(crate) fn find_servers() -> String {
    format!(
        "for one in /proc/[0-9]*; do [ \"$(readlink \"$one/exe\")\" = {} ] || continue\n\
         tr '\\0' ' ' <\"$one/cmdline\" | grep -q ' serve ' && echo \"$one\"; done 2>/dev/null; true",
        guest::OPENCODE
    )
}
