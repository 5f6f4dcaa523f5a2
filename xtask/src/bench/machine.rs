//! What the figures were taken on.

use std::fs;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::sandbox::output;
use crate::Outcome;

/// The machine and the programs.
pub(super) struct Machine {
    pub(super) processor: String,
    pub(super) processors: usize,
    pub(super) memory_gib: u64,
    pub(super) kernel: String,
    pub(super) engine: String,
    pub(super) occ: String,
    pub(super) opencode: String,
    /// How many processes wanted a processor in the last minute: what else went on.
    pub(super) load: String,
}

impl Machine {
    /// Looks at it (proc(5)) while it has these versions of `occ` and opencode.
    pub(super) fn look(occ: &Value, opencode: &Value) -> Outcome<Self> {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo")?;
        let meminfo = fs::read_to_string("/proc/meminfo")?;
        let known = |value: &Value| value.as_str().unwrap_or("unknown").to_owned();
        let mut docker = Command::new("docker");
        docker.args(["version", "--format", "{{.Server.Version}}"]);
        Ok(Self {
            // Only x86-64 has a name there.
            processor: field(&cpuinfo, "model name").unwrap_or("arm64").to_owned(),
            processors: std::thread::available_parallelism()?.get(),
            memory_gib: gibibytes(&meminfo).unwrap_or_default(),
            kernel: number(&fs::read_to_string("/proc/sys/kernel/osrelease")?).to_owned(),
            engine: number(&output(&mut docker)?).to_owned(),
            occ: known(occ),
            load: load()?,
            opencode: known(opencode),
        })
    }
}

/// Waits until processors rest for four fifths of five seconds, but no longer than `most`; says whether they did. Ten
/// servers that do nothing take a seventh of two processors.
pub(super) fn rest(most: Duration) -> Outcome<&'static str> {
    let since = Instant::now();
    while since.elapsed() < most {
        let before = times()?;
        sleep(Duration::from_secs(5));
        let after = times()?;
        let (idle, all) = (after.0 - before.0, after.1 - before.1);
        if idle * 5 >= all * 4 {
            return Ok("it is quiet");
        }
    }
    Ok("it never got quiet")
}

/// Returns how long all processors have rested and how long they have been there, in ticks (proc(5), `/proc/stat`).
fn times() -> Outcome<(u64, u64)> {
    let stat = fs::read_to_string("/proc/stat")?;
    let line = stat.lines().next().unwrap_or_default();
    let ticks: Vec<u64> =
        line.split_whitespace().skip(1).map(str::parse).collect::<Result<_, _>>()?;
    Ok((ticks.iter().skip(3).take(2).sum(), ticks.iter().sum()))
}

/// Returns how many processes wanted a processor in the last minute.
pub(super) fn load() -> Outcome<String> {
    let load = fs::read_to_string("/proc/loadavg")?;
    Ok(load.split(' ').next().unwrap_or_default().to_owned())
}

/// Returns a version without what a distribution added.
fn number(version: &str) -> &str {
    version.trim().split(['-', '+']).next().unwrap_or_default()
}

fn field<'a>(table: &'a str, name: &str) -> Option<&'a str> {
    let named = |line: &'a str| line.split_once(':').filter(|(key, _)| key.trim() == name);
    table.lines().find_map(named).map(|(_, value)| value.trim())
}

fn gibibytes(meminfo: &str) -> Option<u64> {
    let kibibytes: u64 = field(meminfo, "MemTotal")?.strip_suffix(" kB")?.parse().ok()?;
    Some((kibibytes + (1 << 19)) >> 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_rounded_to_whole_gibibytes() {
        assert_eq!(gibibytes("MemFree: 1 kB\nMemTotal:       24684096 kB\n"), Some(24));
        assert_eq!(gibibytes("MemFree: 1 kB\n"), None);
    }

    #[test]
    fn a_version_is_told_without_what_a_distribution_added() {
        assert_eq!(number("20.10.24+dfsg1\n"), "20.10.24");
        assert_eq!(number("6.1.0-40-amd64\n"), "6.1.0");
    }

    #[test]
    fn the_first_processor_gives_the_name() {
        let cpuinfo = "processor\t: 0\nmodel name\t: Fast One\n\nmodel name\t: Other\n";
        assert_eq!(field(cpuinfo, "model name"), Some("Fast One"));
    }
}
