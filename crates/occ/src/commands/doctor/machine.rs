//! The machine: processor, memory, room on its disks.

use std::fs;
use std::path::{Path, PathBuf};

use super::Patient;
use super::check::{Check, Verdict};
use crate::wiring::host_platform;

const GIB: u64 = 1 << 30;

/// Checks the machine.
pub(super) fn checks(patient: &Patient<'_>) -> Vec<Check> {
    let mut checks = vec![processor(patient)];
    checks.extend(memory(patient));
    checks.push(disk(patient));
    checks
}

/// Whether opencode can run on this processor at all. Its ordinary build for x86-64 wants AVX2, and without
/// it ends with an illegal instruction; our recipe takes the build that does not.
fn processor(patient: &Patient<'_>) -> Check {
    if patient.engine.as_ref().is_some_and(|(_, facts)| !facts.local) {
        return Check::ok("processor", "that of another machine, where the engine runs");
    }
    let platform = match host_platform() {
        Ok(platform) => platform,
        Err(failure) => return Check::failure("processor", failure),
    };
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    match has_avx2(&cpuinfo) {
        Some(false) => Check::ok(
            "processor",
            format!("{platform}, without AVX2: the image has the build that does without it"),
        ),
        Some(true) => Check::ok("processor", format!("{platform}, with AVX2")),
        None => Check::ok("processor", platform.to_string()),
    }
}

/// Returns whether an x86 processor has AVX2; none for others, proc(5).
fn has_avx2(cpuinfo: &str) -> Option<bool> {
    let flags = cpuinfo.lines().find_map(|line| line.strip_prefix("flags"))?;
    Some(flags.split_whitespace().any(|flag| flag == "avx2"))
}

fn memory(patient: &Patient<'_>) -> Option<Check> {
    let (_, facts) = patient.engine.as_ref()?;
    let wished = patient.config.as_ref()?.limits.memory;
    let has = gib(facts.memory);
    Some(match wished {
        Some(wished) if wished > facts.memory => {
            let seen = format!("the sandbox may use {}, the engine has {has}", gib(wished));
            let less = (facts.memory / GIB).max(1);
            let hint = format!("occ config set memory {less}GiB");
            Check::bad("memory", Verdict::Warn, seen, hint)
        }
        Some(wished) => Check::ok("memory", format!("{} of the engine's {has}", gib(wished))),
        None => Check::ok("memory", format!("the engine's {has}, without a limit")),
    })
}

/// A place, what it is for, and the room it wants: to work well, to work at all.
struct Room {
    what: &'static str,
    path: PathBuf,
    well: u64,
    at_all: u64,
}

fn disk(patient: &Patient<'_>) -> Check {
    let env = &patient.context.env;
    let mut rooms = vec![
        Room { what: "state", path: env.state_dir.clone(), well: GIB / 4, at_all: GIB / 64 },
        Room { what: "cache", path: env.cache_dir.clone(), well: 4 * GIB, at_all: 0 },
    ];
    if let Some(path) = engine_data(patient) {
        rooms.push(Room { what: "engine", path, well: 4 * GIB, at_all: GIB / 2 });
    }
    let mut seen = Vec::new();
    let mut worst = Check::ok("disk", "");
    for Room { what, path, well, at_all } in rooms {
        let Some(free) = free(&path) else { continue };
        seen.push(format!("{what} {} free", gib(free)));
        if free >= well || worst.verdict == Verdict::Fail {
            continue;
        }
        worst.verdict = if free < at_all { Verdict::Fail } else { Verdict::Warn };
        worst.hints = vec![match what {
            "cache" => "keep fewer layers: occ image cache prune".to_owned(),
            "engine" => "see what takes the room: docker system df".to_owned(),
            _ => format!("make room there: df -h {}", path.display()),
        }];
    }
    Check { seen: seen.join(", "), ..worst }
}

/// Where a local engine keeps images and volumes, as far as this user can see.
fn engine_data(patient: &Patient<'_>) -> Option<PathBuf> {
    let (_, facts) = patient.engine.as_ref().filter(|(_, facts)| facts.local)?;
    facts.data_root.clone()
}

/// Returns the room left where a path is or would be, bytes.
fn free(path: &Path) -> Option<u64> {
    let there = path.ancestors().find(|path| path.exists())?;
    let stat = rustix::fs::statvfs(there).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

fn gib(bytes: u64) -> String {
    let tenths = bytes / (GIB / 10);
    format!("{}.{} GiB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn avx2_is_a_whole_word_among_the_flags_of_an_x86_processor() {
        assert_eq!(has_avx2("processor\t: 0\nflags\t\t: sse avx avx2 bmi\n"), Some(true));
        assert_eq!(has_avx2("flags\t\t: sse avx avx2x\n"), Some(false));
        assert_eq!(has_avx2("Features\t: fp asimd\n"), None);
    }

    #[test]
    fn a_place_that_is_not_there_yet_has_the_room_of_the_nearest_that_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let deep = folder.path().join("not/there/yet");
        assert!(free(&deep).is_some_and(|bytes| bytes > 0));
    }

    #[test]
    fn sizes_are_told_with_one_decimal() {
        assert_eq!([gib(GIB * 3 / 2), gib(0), gib(GIB * 40)], ["1.5 GiB", "0.0 GiB", "40.0 GiB"]);
    }
}
