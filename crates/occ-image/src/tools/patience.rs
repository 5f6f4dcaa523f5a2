//! Waiting for a registry: it can name a file some minutes before it has it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::BuildError;

/// Time between two attempts.
const PAUSE: Duration = Duration::from_secs(5);
/// How often a pause looks whether it should end.
const STEP: Duration = Duration::from_millis(100);

/// Attempts something again for as long as a file is not to be had and there is patience.
pub(super) fn patiently<T>(
    patience: Duration,
    cancel: &AtomicBool,
    mut attempt: impl FnMut() -> Result<T, BuildError>,
) -> Result<T, BuildError> {
    let begin = Instant::now();
    loop {
        match attempt() {
            Err(BuildError::NotAvailable { .. }) if begin.elapsed() < patience => {
                pause(PAUSE.min(patience.saturating_sub(begin.elapsed())), cancel)?;
            }
            other => return other,
        }
    }
}

fn pause(time: Duration, cancel: &AtomicBool) -> Result<(), BuildError> {
    let begin = Instant::now();
    while begin.elapsed() < time {
        if cancel.load(Ordering::Relaxed) {
            return Err(BuildError::Cancelled);
        }
        thread::sleep(STEP.min(time.saturating_sub(begin.elapsed())));
    }
    Ok(())
}
