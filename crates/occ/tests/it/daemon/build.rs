//! Builds that cannot succeed.

use occ_testkit::{Bench, Daemon};

use crate::places::bench_at;

/// Returns a bench with a cache of its own, in which every layer has to be made.
fn empty_handed(daemon: &Daemon) -> Bench {
    let mut bench = bench_at(daemon.api());
    bench.set("XDG_CACHE_HOME", bench.home().join("cache"));
    bench
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
            &format!(
                "echo \"left: $(find {}/opencode-cloud/workshop-v3/work -mindepth 1 | wc -l)\"",
                cache.display()
            ),
        );
        let run = bench.run(["start", "--yes"]).code(1);
        let run = run.says("could not build the image").says("left: 0");
        // npm has its own words for it, and cleans up before anybody can look.
        let _full = run.says("no space left on");
        bench.assert_nothing_left();
    }
}
