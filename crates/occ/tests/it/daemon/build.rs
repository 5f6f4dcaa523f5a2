//! Builds that cannot succeed.

use std::collections::BTreeSet;

use occ_testkit::{Bench, Daemon};

use crate::places::bench_at;

const LOCK: &str = include_str!("../../../../../image/sandbox.lock");

/// Returns the value of a name in a part of the lock.
fn value<'a>(pin: &'a str, name: &str) -> Option<&'a str> {
    let line = pin.lines().find(|line| line.starts_with(&format!("{name} = ")))?;
    Some(line.split_once(" = ")?.1.trim_matches('"'))
}

/// Returns a bench with a cache of its own, in which every layer has to be made.
fn empty_handed(daemon: &Daemon) -> Bench {
    let mut bench = bench_at(daemon.api());
    bench.set("XDG_CACHE_HOME", bench.home().join("cache"));
    bench
}

/// Returns what is left in the bench's own cache, but for what a cache consists of.
fn left(bench: &Bench) -> Vec<String> {
    let folder = bench.home().join("cache/opencode-cloud/layers-v1");
    let names = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with("work-") || name.starts_with('.')).collect()
}

#[test]
fn a_tarball_that_is_not_the_locked_one_is_refused_with_both_hashes() {
    let daemon = Daemon::start();
    let mut bench = empty_handed(&daemon);
    // As long as the one promised, so that only its hash tells.
    let sizes: String = LOCK
        .split("[[opencode]]")
        .filter_map(|pin| {
            Some((value(pin, "package")?, value(pin, "version")?, value(pin, "size")?))
        })
        .map(|(package, version, size)| {
            format!("{package}@{version}) head -c {size} /dev/zero ;;\n")
        })
        .collect();
    let script = format!(
        "wanted=$2\nwhile [ \"$1\" != --pack-destination ]; do shift; done\n\
         case $wanted in\n{sizes}esac >\"$2/opencode.tgz\""
    );
    bench.fake_program("npm", &script);
    let run = bench.run(["start", "--yes"]).code(1).says("could not build the image");
    let run = run.says("differs from the lock").says("hint: nothing of it was used");
    let named: BTreeSet<&str> = run
        .stderr
        .split(|c: char| c.is_whitespace() || ",;()".contains(c))
        .filter(|word| word.starts_with("sha512"))
        .collect();
    assert_eq!(named.len(), 2, "two hashes are named: {}", run.stderr);
    bench.assert_nothing_left();
    assert_eq!(left(&bench), Vec::<String>::new());
}

#[test]
fn a_full_disk_while_building_is_named_and_nothing_half_made_stays() {
    let daemon = Daemon::start();
    // One for which the tarball is too large, and one for which it is the program in it.
    for size in ["20m", "300m"] {
        let mut bench = empty_handed(&daemon);
        let cache = bench.home().join("cache");
        bench.in_own_mounts(
            &format!("mkdir -p {0}; mount -t tmpfs -o size={size} none {0}", cache.display()),
            &format!("echo \"left: $(find {} -name 'work-*' | wc -l)\"", cache.display()),
        );
        let run = bench.run(["start", "--yes"]).code(1);
        let run = run.says("could not build the image").says("left: 0");
        let run = run.says("no space left on");
        let _full = run.says("hint: make room there: df -h ");
        bench.assert_nothing_left();
    }
}
