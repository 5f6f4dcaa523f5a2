//! What the container uses, looked at again and again.

use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use super::course::Course;
use super::entry::Entry;
use crate::fault::Fault;
use crate::group::{find_servers, said};

/// A look at the container.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Sample {
    /// Process of the server.
    pub process: u64,
    /// When it began, in ticks of the machine's clock (`starttime` of `proc(5)`): another after a new start, whose
    /// process has the same number in a container of its own.
    pub started: u64,
    /// Memory of the server, in bytes (`VmRSS` of `proc(5)`).
    pub memory: u64,
    /// Open files of the server.
    pub files: u64,
    /// Threads of the server.
    pub threads: u64,
    /// Processes in the container.
    pub processes: u64,
    /// Processes that nobody reaped.
    pub zombies: u64,
    /// Size of the database, in bytes.
    pub database: u64,
    /// Size of its write-ahead log, in bytes.
    pub journal: u64,
    /// Size of the server's log, in bytes.
    pub log: u64,
}

/// Prints a name and a number on each line; `server` is the server's folder below `/proc`.
const SCRIPT: &str = r#"
data=${XDG_DATA_HOME:-$HOME/.local/share}/opencode
echo process "${server#/proc/}"
echo started "$(sed 's/.*) //' "$server/stat" | cut -d ' ' -f 20)"
awk '/^VmRSS/ { print "memory", $2 * 1024 } /^Threads/ { print "threads", $2 }' "$server/status"
echo files "$(ls "$server/fd" | wc -l)"
echo processes "$(ls -d /proc/[0-9]* | wc -l)"
echo zombies "$(cat /proc/[0-9]*/stat 2>/dev/null | sed 's/.*) //' | grep -c '^Z')"
size() { stat -c %s "$1" 2>/dev/null || echo 0; }
echo database "$(size "$data/opencode.db")"
echo journal "$(size "$data/opencode.db-wal")"
echo log "$(cat "$data"/log/*.log 2>/dev/null | wc -c)"
"#;
/// Time between two looks: shorter in a short soak, so that there is something to see.
const LONGEST: Duration = Duration::from_secs(30);
const SHORTEST: Duration = Duration::from_secs(5);
/// How many looks there are at least, in a soak that lasts long enough.
const LOOKS: u32 = 40;

/// Looks until it is over.
pub(super) async fn sample(course: &Course<'_>) {
    let every = (course.wish.duration / LOOKS).clamp(SHORTEST, LONGEST);
    let mut next = Instant::now();
    while course.pause_until(next).await {
        next = Instant::now() + every;
        sample_once(course).await;
    }
}

/// Looks once.
pub(super) async fn sample_once(course: &Course<'_>) {
    // Not while somebody disturbs: there may be no container.
    let _undisturbed = course.client.read().await;
    let script = format!("set -- $({})\nserver=$1\n{SCRIPT}", find_servers());
    match said(course.subject, &["sh", "-c", &script]).await.and_then(|text| parse(&text)) {
        Ok(sample) => course.note(Entry::Sample(sample)),
        Err(fault) => course.trouble("the container could not be looked at", &fault),
    }
}

fn parse(text: &str) -> Result<Sample, Fault> {
    let number = |name: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once(' '));
        let value = lines.find(|(found, _)| *found == name).map(|(_, value)| value.trim());
        let value = value.and_then(|value| value.parse().ok());
        value.ok_or_else(|| Fault::Wrong(format!("there is no number for {name} in {text:?}")))
    };
    Ok(Sample {
        process: number("process")?,
        started: number("started")?,
        memory: number("memory")?,
        files: number("files")?,
        threads: number("threads")?,
        processes: number("processes")?,
        zombies: number("zombies")?,
        database: number("database")?,
        journal: number("journal")?,
        log: number("log")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_must_be_there() {
        let text = "process 7\nstarted 900\nmemory 300\nthreads 8\nfiles 30\nprocesses 5\nzombies 0\n\
                    database 1\njournal 2\nlog 3";
        let sample = parse(text).expect("all are there");
        assert_eq!((sample.process, sample.memory, sample.log), (7, 300, 3));
        for name in ["started", "memory", "files", "log"] {
            let fault = parse(&text.replace(name, "other")).expect_err(name);
            assert!(fault.to_string().contains(&format!("no number for {name}")), "{fault}");
        }
    }
}
