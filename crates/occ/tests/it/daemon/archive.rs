//! Archives that move on.

use std::fs;
use std::path::{Path, PathBuf};

use occ_image::Lock;
use occ_oci::Digest;
use occ_testkit::Bench;

use crate::places::bench;

fn lock_of(recipe: &Path) -> String {
    fs::read_to_string(recipe.with_extension("lock")).unwrap()
}

/// Gives the bench a copy of its recipe, whose lock names a package as no archive has it.
fn fall_behind(bench: &mut Bench) -> PathBuf {
    let mut lock = Lock::parse("lock", &lock_of(bench.recipe())).unwrap();
    let pins = lock.debian.iter_mut().flat_map(|group| &mut group.packages);
    for pin in pins.filter(|pin| pin.name == "tini") {
        "0.1-1".clone_into(&mut pin.version);
        pin.digest = Digest::sha256(pin.version.as_bytes());
    }
    let recipe = bench.folder().join("behind.toml");
    fs::copy(bench.recipe(), &recipe).unwrap();
    fs::write(recipe.with_extension("lock"), lock.render()).unwrap();
    bench.set("OCC_IMAGE_RECIPE", recipe.clone());
    recipe
}

#[test]
fn the_lock_that_tests_build_from_is_not_the_committed_one_itself() {
    let bench = bench();
    assert!(bench.recipe().starts_with(env!("CARGO_TARGET_TMPDIR")), "{:?}", bench.recipe());
    let plan = bench.run(["image", "plan", "--json"]).success().data();
    assert_eq!(plan["images"][0]["variant"], "base", "{plan}");
}

#[test]
fn what_the_archive_no_longer_has_is_locked_anew_with_consent_and_only_then() {
    let mut bench = bench();
    let current = lock_of(bench.recipe());
    let recipe = fall_behind(&mut bench);
    let before = lock_of(&recipe);

    let refused = bench.run(["start"]).code(2).says("no longer to be had").says("tini 0.1-1");
    let _hint = refused.says("hint: to take what the archive has now: occ start --yes");
    assert_eq!(lock_of(&recipe), before);
    bench.assert_nothing_left();

    bench.run(["start", "--yes"]).success().says("system: tini 0.1-1 -> ");
    assert_eq!(lock_of(&recipe), current, "nothing else has moved");
    bench.run(["status"]).success().prints("(built from source)");
}
