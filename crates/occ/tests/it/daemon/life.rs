//! The good path: start, use, stop, and what survives.

use crate::places::bench;

#[test]
fn a_first_start_ends_with_a_healthy_sandbox() {
    let bench = bench();
    let run = bench.run(["start", "--yes"]).success();
    eprintln!("{run:?}");
    let run = bench.run(["status", "--json"]).success();
    eprintln!("{run:?}");
}
