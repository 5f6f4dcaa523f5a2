//! Benches for this program.

use occ_testkit::{Api, Bench, Places};

const PLACES: Places = Places { occ: env!("CARGO_BIN_EXE_occ"), kept: env!("CARGO_TARGET_TMPDIR") };

/// Returns the tag of the images for this program.
pub(crate) const fn series() -> &'static str {
    concat!(env!("CARGO_PKG_VERSION_MAJOR"), ".", env!("CARGO_PKG_VERSION_MINOR"))
}

/// Returns a bench at this machine's daemon.
pub(crate) fn bench() -> Bench {
    Bench::new(PLACES)
}

/// Returns a bench at a daemon of the test's own.
pub(crate) fn bench_at(api: Api) -> Bench {
    Bench::at(PLACES, api)
}

/// Returns a bench for what makes no image.
pub(crate) fn bench_without_image() -> Bench {
    Bench::without_image(PLACES)
}
